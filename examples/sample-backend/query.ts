import type { Backend } from './backend.ts';
import type { BodyReader } from './body.ts';
import { answer, noContextAnswer, queryKeywords } from './llm.ts';
import { rowTail } from './records.ts';
import { type QueryMode, queryModes, type Retrieval, retrieve } from './retrieval.ts';
import type { CacheRow } from './store/rows.ts';
import { md5 } from './text.ts';

type QueryParameters = {
  mode: QueryMode;
  response_type: string;
  top_k: number;
  chunk_top_k: number;
  max_entity_tokens: number;
  max_relation_tokens: number;
  max_total_tokens: number;
  user_prompt: string;
  enable_rerank: boolean;
};

export type Query = {
  readonly query: string;
  readonly mode: QueryMode;
  readonly contextOnly: boolean;
  readonly promptOnly: boolean;
  readonly highLevel: readonly string[];
  readonly lowLevel: readonly string[];
  readonly topK: number;
  readonly chunkTopK: number;
  readonly withReferences: boolean;
  readonly withChunkContent: boolean;
  readonly withProgress: boolean;
  readonly stream: boolean;
  readonly queryparam: QueryParameters;
};

export type QueryAnswer = {
  readonly text: string;
  readonly retrieval: Retrieval;
  readonly cached: boolean;
  readonly found: boolean;
};

/** @throws HttpError 422 with everything that is wrong */
export function readQuery(body: BodyReader): Query {
  const query = body.string('query', { max: 65_536 });
  if (body.body.query !== undefined && weightedLength(query) < 3)
    body.faults.push({
      type: 'value_error',
      loc: ['body'],
      msg: 'Value error, RAG query is too short. Enter at least 3 English characters or an equivalent combination where each Chinese, Japanese or Korean character counts as 2.',
      input: body.body,
      ctx: { error: {} },
    });
  const mode = body.choice('mode', queryModes, 'mix');
  const topK = body.integer('top_k', { min: 1, max: 1000, otherwise: 40 });
  const chunkTopK = body.integer('chunk_top_k', { min: 1, max: 1000, otherwise: 20 });
  const maxTokens = { min: 1, max: 1_000_000 };
  const queryparam = {
    mode,
    response_type: body.string('response_type', { min: 1, optional: true, nullable: true }) || 'Multiple Paragraphs',
    top_k: topK,
    chunk_top_k: chunkTopK,
    max_entity_tokens: body.integer('max_entity_tokens', { ...maxTokens, otherwise: 6000 }),
    max_relation_tokens: body.integer('max_relation_tokens', { ...maxTokens, otherwise: 8000 }),
    max_total_tokens: body.integer('max_total_tokens', { ...maxTokens, otherwise: 30_000 }),
    user_prompt: body.string('user_prompt', { optional: true, nullable: true }),
    enable_rerank: body.boolean('enable_rerank', true),
  };
  const read: Query = {
    query,
    mode,
    contextOnly: body.boolean('only_need_context', false),
    promptOnly: body.boolean('only_need_prompt', false),
    highLevel: body.strings('hl_keywords', { optional: true }),
    lowLevel: body.strings('ll_keywords', { optional: true }),
    topK,
    chunkTopK,
    withReferences: body.boolean('include_references', true),
    withChunkContent: body.boolean('include_chunk_content', false),
    withProgress: body.boolean('include_progress', false),
    stream: body.boolean('stream', true),
    queryparam,
  };
  body.done();
  return read;
}

function weightedLength(query: string): number {
  return [...query.trim()].reduce((sum, character) => sum + (cjk.test(character) ? 2 : 1), 0);
}

const cjk = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u;

export function keywordsOf(query: Query): { highLevel: readonly string[]; lowLevel: readonly string[] } {
  if (query.highLevel.length + query.lowLevel.length === 0) return queryKeywords(query.query);
  return { highLevel: query.highLevel, lowLevel: query.lowLevel };
}

export function retrieveFor(backend: Backend, query: Query): Retrieval {
  const { highLevel, lowLevel } = keywordsOf(query);
  const limits = { topK: query.topK, chunkTopK: query.chunkTopK };
  return retrieve(backend.workspace, [...highLevel, ...lowLevel].join(' '), query.mode, limits);
}

/** Retrieval, and the answer from cache or rules. `store` keeps it in the cache, as every answer that is not streamed is. */
export async function answerQuery(backend: Backend, query: Query, store: boolean): Promise<QueryAnswer> {
  const retrieval = retrieveFor(backend, query);
  const base = { retrieval, cached: false };
  if (query.mode === 'bypass') return { ...base, text: `Without retrieval: ${query.query}`, found: true };
  if (retrieval.chunks.length + retrieval.entities.length + retrieval.relationships.length === 0)
    return { ...base, text: noContextAnswer, found: false };
  const context = renderContext(retrieval);
  if (query.contextOnly) return { ...base, text: context, found: true };
  if (query.promptOnly) return { ...base, text: `---Role---\n\nAnswer from the context.\n\n${context}`, found: true };
  const { highLevel, lowLevel } = keywordsOf(query);
  const key = `${query.mode}:query:${md5(JSON.stringify([query.query, query.queryparam, highLevel, lowLevel]))}`;
  const known = backend.workspace.cache.rows.get(key);
  if (known !== undefined) return { ...base, text: known.return, cached: true, found: true };
  backend.pipeline.calls.query += 1;
  const passages = retrieval.chunks.map(({ content, file_path, reference_id }) => ({
    content,
    filePath: file_path,
    referenceId: reference_id,
  }));
  const text = answer(query.query, passages);
  if (store) await keepAnswer(backend, query, key, text);
  return { ...base, text, found: true };
}

async function keepAnswer(backend: Backend, query: Query, key: string, text: string): Promise<void> {
  const { cache } = backend.workspace;
  const seconds = Math.floor(Date.now() / 1000);
  const { highLevel, lowLevel } = keywordsOf(query);
  const keywordKey = `${query.mode}:keywords:${md5(query.query)}`;
  const rest = { chunk_id: null, original_prompt: query.query, queryparam: query.queryparam };
  // 1.5 names the keywords and the way of building the context in the key's parameters too.
  const { user_prompt, enable_rerank, ...budgets } = query.queryparam;
  const answerParam =
    backend.shape === '1.4'
      ? query.queryparam
      : {
          answer_cache_version: 'query-answer-cache-v2',
          ...budgets,
          hl_keywords: highLevel.join(', '),
          ll_keywords: lowLevel.join(', '),
          user_prompt,
          enable_rerank,
          enable_content_headings: true,
        };
  const keywords = JSON.stringify({ high_level_keywords: highLevel, low_level_keywords: lowLevel });
  const keywordRow: CacheRow = { return: keywords, cache_type: 'keywords', ...rest, ...rowTail(keywordKey, seconds) };
  cache.set(keywordKey, keywordRow);
  cache.set(key, { return: text, cache_type: 'query', ...rest, queryparam: answerParam, ...rowTail(key, seconds) });
  await cache.flush();
}

/** @param always `/query` has a `content` of null where a stream has none at all */
export function answerReferences(
  query: Query,
  retrieval: Retrieval,
  found: boolean,
  always: boolean,
): Record<string, unknown>[] {
  if (!found || query.mode === 'bypass') return [];
  return retrieval.references.map((reference) => {
    if (query.withChunkContent) return { ...reference, content: contentOf(retrieval, reference.reference_id) };
    return always ? { ...reference, content: null } : { ...reference };
  });
}

function contentOf(retrieval: Retrieval, referenceId: string): string[] {
  return retrieval.chunks.filter(({ reference_id }) => reference_id === referenceId).map(({ content }) => content);
}

function renderContext({ entities, relationships, chunks, references }: Retrieval): string {
  const lines = (items: readonly unknown[]): string => items.map((item) => JSON.stringify(item)).join('\n');
  const block = (title: string, kind: string, text: string): string => `${title}\n\n\`\`\`${kind}\n${text}\n\`\`\`\n`;
  const listed = references.map(({ reference_id, file_path }) => `[${reference_id}] ${file_path}`).join('\n');
  return [
    block('Knowledge Graph Data (Entity):', 'json', lines(entities)),
    block('Knowledge Graph Data (Relationship):', 'json', lines(relationships)),
    block(
      'Document Chunks (Each entry has a reference_id refer to the `Reference Document List`):',
      'json',
      lines(chunks),
    ),
    block(
      'Reference Document List (Each entry starts with a [reference_id] that corresponds to entries in the Document Chunks):',
      '',
      listed,
    ),
  ].join('\n');
}
