import type { TuningValue } from '../parameter.ts';
import { type AdviceRule, fine, notSeen, unknown } from './advice-rule.ts';
import { mebibytes, percent, seconds, shareOf } from './facts.ts';

/**
 * The default storages hold a file whole in memory and write it whole at each finished document. Files of 215 to 689 MB are those
 * of which users report that their backend did not start any more (LightRAG #2108, #2224, #2441).
 */
const largestFileBytes = 200 * 1024 ** 2;
const leastReplies = 20;
const slowReplyMs = 500;
const slowerTimes = 4;
const leastChunks = 100;
const advisedChunk = { least: 500, most: 1_500, usual: 1_200 };
const outdatedFrom = 0.3;
const leastAnswers = 200;

/** By the beginning of a file's name: the parameter of its storage, its default class, and the one for PostgreSQL. */
const storages = [
  {
    starts: 'vdb_',
    parameter: 'vector_storage',
    usual: 'NanoVectorDBStorage',
    larger: 'PGVectorStorage',
  },
  { starts: 'graph_', parameter: 'graph_storage', usual: 'NetworkXStorage', larger: 'PGTableGraphStorage' },
  {
    starts: 'kv_store_doc_status',
    parameter: 'doc_status_storage',
    usual: 'JsonDocStatusStorage',
    larger: 'PGDocStatusStorage',
  },
  { starts: 'kv_store_', parameter: 'kv_storage', usual: 'JsonKVStorage', larger: 'PGKVStorage' },
] as const;
const storageOf = (file: string) => storages.find(({ starts }) => file.startsWith(starts));

/** What the index is, and what that costs. */
export const indexRules: readonly AdviceRule[] = [
  {
    id: 'files-beyond-storage',
    backend: 'lightrag',
    parameters: ['vector_storage', 'kv_storage', 'graph_storage', 'doc_status_storage'],
    looksAt: `The files of the default storages: one of them has at least ${mebibytes(largestFileBytes)}.`,
    proposes: 'The storage of the largest one in PostgreSQL.',
    effect:
      'A finished document no longer rewrites the whole file, nothing of it is held in memory, and a stop in the midst cannot tear it. The new storage begins empty: every document has to be uploaded anew.',
    withdrawnWhen: `No file of a default storage has ${mebibytes(largestFileBytes)} any more.`,
    judge(facts) {
      if (facts.index === undefined) return unknown(notSeen.index);
      if (facts.storageClasses === undefined) return unknown(notSeen.storages);
      const classes = facts.storageClasses;
      const [largest] = facts.index.files
        .flatMap((file) => {
          const storage = storageOf(file.name);
          return storage && classes[storage.parameter] === storage.usual ? [{ ...file, storage }] : [];
        })
        .toSorted((one, other) => other.bytes - one.bytes);
      if (largest === undefined || largest.bytes < largestFileBytes) return fine;
      const { parameter, usual, larger } = largest.storage;
      return {
        kind: 'proposal',
        changes: [{ parameter, from: usual, to: larger }],
        because: `${largest.name} has ${mebibytes(largest.bytes)}; ${usual} writes all of it at each finished document and reads all of it at the start.`,
        evidence: [
          { what: largest.name, value: largest.bytes, unit: 'bytes' },
          { what: 'all files', value: facts.index.files.reduce((sum, { bytes }) => sum + bytes, 0), unit: 'bytes' },
          { what: parameter, value: usual, unit: null },
        ],
      };
    },
  },
  {
    id: 'slow-flushes',
    backend: 'lightrag',
    parameters: ['vector_storage'],
    looksAt: `How long the backend takes to say how it is (at least ${leastReplies} looks each): p95 of at least ${slowReplyMs} ms while documents are worked on, and ${slowerTimes} times what it is else. While the default storages write their files, nobody is answered.`,
    proposes: '`vector_storage` in PostgreSQL: its files are the largest that are written.',
    effect:
      'Questions are answered while documents come in. The new storage begins empty: every document has to be uploaded anew.',
    withdrawnWhen: `The backend answers within ${slowReplyMs} ms while documents are worked on.`,
    judge(facts) {
      const { replies, index, storageClasses } = facts;
      if (replies?.busy.p95Ms === undefined || replies.busy.samples < leastReplies)
        return unknown(`At least ${leastReplies} looks at the backend while it worked on documents.`);
      if (replies.idle.p95Ms === undefined || replies.idle.samples < leastReplies)
        return unknown(`At least ${leastReplies} looks at the backend while it did not work on documents.`);
      if (replies.busy.p95Ms < slowReplyMs || replies.busy.p95Ms < replies.idle.p95Ms * slowerTimes) return fine;
      if (storageClasses === undefined) return unknown(notSeen.storages);
      const usual = storageClasses.vector_storage;
      if (usual !== 'NanoVectorDBStorage') return fine;
      const vectors = index?.files
        .filter(({ name }) => name.startsWith('vdb_'))
        .reduce((sum, { bytes }) => sum + bytes, 0);
      return {
        kind: 'proposal',
        changes: [{ parameter: 'vector_storage', from: usual, to: 'PGVectorStorage' }],
        because: `While it works on documents the backend takes ${seconds(replies.busy.p95Ms)} (p95) for a word about itself, else ${seconds(replies.idle.p95Ms)}.`,
        evidence: [
          { what: 'p95 of a look while it works on documents', value: replies.busy.p95Ms, unit: 'ms' },
          { what: 'p95 of a look while it does not', value: replies.idle.p95Ms, unit: 'ms' },
          { what: 'looks while it works', value: replies.busy.samples, unit: 'count' },
          ...(vectors === undefined ? [] : [{ what: 'files of vectors', value: vectors, unit: 'bytes' } as const]),
        ],
      };
    },
  },
  {
    id: 'chunk-size-unusual',
    backend: 'lightrag',
    parameters: ['chunk_size'],
    looksAt: `The size of chunks, where at least ${leastChunks} are stored: outside of ${advisedChunk.least} to ${advisedChunk.most} tokens, which LightRAG advises.`,
    proposes: `\`chunk_size\` ${advisedChunk.usual}.`,
    effect:
      'Smaller chunks than advised cost two calls of the model each and tear apart what belongs together; larger ones fill the context with little. Only documents that come afterwards are cut so.',
    withdrawnWhen: 'The size is within what is advised.',
    judge(facts) {
      const { documents, chunks } = facts.index ?? {};
      if (documents === undefined || chunks === undefined) return unknown(notSeen.index);
      if (chunks < leastChunks || documents === 0) return fine;
      const now = facts.values.get('chunk_size');
      if (typeof now !== 'number') return unknown(notSeen.value('chunk_size'));
      if (now >= advisedChunk.least && now <= advisedChunk.most) return fine;
      const perDocument = Math.round((chunks / documents) * 10) / 10;
      return {
        kind: 'proposal',
        changes: [{ parameter: 'chunk_size', from: now, to: advisedChunk.usual }],
        because: `Chunks have up to ${now} tokens; a document has ${perDocument} of them on average.`,
        evidence: [
          { what: 'documents', value: documents, unit: 'count' },
          { what: 'chunks', value: chunks, unit: 'count' },
          { what: 'chunks of a document', value: perDocument, unit: 'count' },
          { what: 'chunk_size', value: now, unit: 'count' },
        ],
      };
    },
  },
  {
    id: 'outdated-answers',
    backend: 'lightrag',
    parameters: ['cache_enabled'],
    looksAt: `Kept answers, where there are at least ${leastAnswers}: at least ${percent(outdatedFrom)} are older than the newest document and are given all the same.`,
    proposes:
      '`cache_enabled` off. Or keep it, and let a cleanup take outdated answers away after each import (`ragwarden cleanup`, strategy llm-cache).',
    effect: 'No answer is given that does not know the newest documents; every question is paid.',
    withdrawnWhen: `Less than ${percent(outdatedFrom)} of the kept answers are outdated.`,
    judge(facts) {
      const enabled = facts.values.get('cache_enabled');
      if (enabled === undefined) return unknown(notSeen.value('cache_enabled'));
      if (enabled !== true) return fine;
      const { cachedAnswers, outdatedAnswers, outdatedBytes } = facts.index ?? {};
      if (cachedAnswers === undefined || outdatedAnswers === undefined)
        return unknown('The rows of kept answers: the file was not inspected here.');
      const share = shareOf(outdatedAnswers, cachedAnswers);
      if (cachedAnswers < leastAnswers || share < outdatedFrom) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter: 'cache_enabled', from: true, to: false }],
        because: `${outdatedAnswers} of ${cachedAnswers} kept answers are older than the newest document (${percent(share)}).`,
        evidence: [
          { what: 'kept answers', value: cachedAnswers, unit: 'count' },
          { what: 'of them outdated', value: share, unit: 'share' },
          ...(outdatedBytes === undefined ? [] : [{ what: 'outdated', value: outdatedBytes, unit: 'bytes' } as const]),
        ],
      };
    },
  },
  {
    id: 'extract-cache-off',
    backend: 'lightrag',
    parameters: ['enable_llm_cache_for_extract'],
    looksAt: 'Whether what the model read out of chunks is kept.',
    proposes: '`enable_llm_cache_for_extract` on.',
    effect: 'A document can be deleted without leaving merged descriptions behind that nobody can make anew.',
    withdrawnWhen: 'It is kept.',
    judge(facts) {
      const on = facts.values.get('enable_llm_cache_for_extract');
      if (on === undefined) return unknown(notSeen.value('enable_llm_cache_for_extract'));
      if (on !== false) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter: 'enable_llm_cache_for_extract', from: false, to: true }],
        because: 'What the model reads out of chunks is not kept, and deleting a document needs it.',
        evidence: [{ what: 'enable_llm_cache_for_extract', value: false, unit: null }],
      };
    },
  },
  insertsAgainstCalls(),
];

/** Documents at once against calls at once. */
function insertsAgainstCalls(): AdviceRule {
  const advised = (calls: number): number => Math.min(10, Math.max(2, Math.round(calls / 3)));
  return {
    id: 'inserts-against-calls',
    backend: 'lightrag',
    parameters: ['max_parallel_insert'],
    looksAt:
      'Documents that are read at once against calls of the model at once: more documents than calls, so that they wait for each other.',
    proposes: '`max_parallel_insert` a third of `max_async_llm`, 2 to 10.',
    effect: 'Each document is finished sooner, and fewer are half done when the backend stops.',
    withdrawnWhen: 'No more documents than calls are worked on at once.',
    judge(facts) {
      const inserts = facts.values.get('max_parallel_insert');
      const calls = facts.values.get('max_async_llm');
      const isNumber = (value: TuningValue | undefined): value is number => typeof value === 'number';
      if (!isNumber(inserts)) return unknown(notSeen.value('max_parallel_insert'));
      if (!isNumber(calls)) return unknown(notSeen.value('max_async_llm'));
      const to = advised(calls);
      if (inserts <= calls || to >= inserts) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter: 'max_parallel_insert', from: inserts, to }],
        because: `${inserts} documents are read at once with ${calls} calls of the model.`,
        evidence: [
          { what: 'max_parallel_insert', value: inserts, unit: 'count' },
          { what: 'max_async_llm', value: calls, unit: 'count' },
        ],
      };
    },
  };
}
