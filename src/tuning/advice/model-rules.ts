import { type AdviceRule, fine, notSeen, unknown } from './advice-rule.ts';
import { type AdviceFacts, type CallFacts, percent, seconds, shareOf } from './facts.ts';

const leastSamples = 20;
const saturatedFrom = 0.8;
const leastCalls = 50;
const limitedFrom = 0.02;
const givenUpFrom = 0.02;
/** A call that is given up so near to the bound was given up because of it. */
const nearBound = 0.9;

const limitedShare = (calls: CallFacts | undefined): number | undefined =>
  calls === undefined || calls.calls < leastCalls ? undefined : shareOf(calls.rateLimited, calls.calls);

/** Half as many again, at least one more, within what the parameter may be. */
const more = (most: number): number => Math.min(256, most + Math.max(1, Math.ceil(most / 2)));

/** A queue whose places are all taken while more wait. */
function saturation(options: {
  id: string;
  queues: readonly string[];
  parameter: string;
  what: string;
  calls(facts: AdviceFacts): CallFacts | undefined;
}): AdviceRule {
  const { id, queues, parameter, what } = options;
  return {
    id,
    backend: 'lightrag',
    parameters: [parameter],
    looksAt: `The backend's queue of ${what}: in ${percent(saturatedFrom)} of at least ${leastSamples} looks all places are taken and more wait, and the provider does not refuse for its rate.`,
    proposes: `\`${parameter}\` half as high again.`,
    effect: `More ${what} at once: documents and questions wait less for each other. The provider sees more calls at a time.`,
    withdrawnWhen: `The queue is full in less than ${percent(saturatedFrom)} of the looks, or ${percent(limitedFrom)} of the calls are refused for their rate.`,
    judge(facts) {
      if (facts.queues === undefined) return unknown(notSeen.queues);
      const all = facts.queues.filter(({ name, mostRunning }) => queues.includes(name) && mostRunning > 0);
      const looked = all.filter(({ samples }) => samples >= leastSamples);
      if (looked.length === 0) return unknown(notSeen.queueSamples(leastSamples));
      const worst = looked.reduce((one, other) =>
        shareOf(other.saturated, other.samples) > shareOf(one.saturated, one.samples) ? other : one,
      );
      const share = shareOf(worst.saturated, worst.samples);
      if (share < saturatedFrom) return fine;
      const limited = limitedShare(options.calls(facts));
      if (limited !== undefined && limited >= limitedFrom) return fine;
      const to = more(worst.mostRunning);
      if (to <= worst.mostRunning) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter, from: worst.mostRunning, to }],
        because: `The queue "${worst.name}" was full in ${percent(share)} of ${worst.samples} looks, with ${Math.round(worst.meanQueued)} calls waiting on average.`,
        evidence: [
          { what: `looks at the queue "${worst.name}"`, value: worst.samples, unit: 'count' },
          { what: 'of them full with more waiting', value: share, unit: 'share' },
          { what: 'waiting on average', value: worst.meanQueued, unit: 'count' },
          { what: 'may run at once', value: worst.mostRunning, unit: 'count' },
          limited === undefined
            ? { what: 'refused by the provider for their rate', value: 'not seen', unit: null }
            : { what: 'refused by the provider for their rate', value: limited, unit: 'share' },
        ],
      };
    },
  };
}

/** A provider that refuses for the rate of calls. */
function refusals(options: {
  id: string;
  backend: AdviceRule['backend'];
  parameter: string;
  what: string;
  calls(facts: AdviceFacts): CallFacts | undefined;
}): AdviceRule {
  const { id, backend, parameter, what } = options;
  return {
    id,
    backend,
    parameters: [parameter],
    looksAt: `Answers of the provider to ${what}: at least ${percent(limitedFrom)} of at least ${leastCalls} are refusals for the rate of calls (429).`,
    proposes: `\`${parameter}\` half as high.`,
    effect:
      'Fewer calls at once and so fewer refusals and repetitions; as many documents in an hour, where the rate was the bound.',
    withdrawnWhen: `Less than ${percent(limitedFrom)} of the calls are refused for their rate.`,
    judge(facts) {
      const calls = options.calls(facts);
      const share = limitedShare(calls);
      if (calls === undefined || share === undefined) return unknown(notSeen.calls(leastCalls, what));
      if (share < limitedFrom) return fine;
      const now = facts.values.get(parameter);
      if (typeof now !== 'number') return unknown(notSeen.value(parameter));
      const to = Math.max(1, Math.floor(now / 2));
      if (to === now) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter, from: now, to }],
        because: `The provider refused ${calls.rateLimited} of ${calls.calls} ${what} for their rate.`,
        evidence: [
          { what, value: calls.calls, unit: 'count' },
          { what: 'refused for their rate', value: share, unit: 'share' },
          { what: parameter, value: now, unit: 'count' },
        ],
      };
    },
  };
}

/** Calls that the backend gives up at its own bound. */
function givenUp(options: {
  id: string;
  parameter: string;
  most: number;
  what: string;
  calls(facts: AdviceFacts): CallFacts | undefined;
}): AdviceRule {
  const { id, parameter, what } = options;
  return {
    id,
    backend: 'lightrag',
    parameters: [parameter],
    looksAt: `Of at least ${leastCalls} ${what}: at least ${percent(givenUpFrom)} are given up by the backend, after as long as \`${parameter}\` allows.`,
    proposes: `\`${parameter}\` half as long again.`,
    effect: 'Calls that only needed longer end with an answer and are not paid a second time.',
    withdrawnWhen: `Less than ${percent(givenUpFrom)} are given up, or they are given up long before the bound.`,
    judge(facts) {
      const calls = options.calls(facts);
      if (calls === undefined || calls.calls < leastCalls) return unknown(notSeen.calls(leastCalls, what));
      const share = shareOf(calls.givenUp, calls.calls);
      if (share < givenUpFrom || calls.givenUpAfterMs === undefined) return fine;
      const now = facts.values.get(parameter);
      if (typeof now !== 'number') return unknown(notSeen.value(parameter));
      if (calls.givenUpAfterMs < now * 1_000 * nearBound) return fine;
      const to = Math.min(options.most, Math.ceil(now * 1.5));
      if (to === now) return fine;
      return {
        kind: 'proposal',
        changes: [{ parameter, from: now, to }],
        because: `The backend gave up ${calls.givenUp} of ${calls.calls} ${what}, half of them later than ${seconds(calls.givenUpAfterMs)}; its bound is ${now} s.`,
        evidence: [
          { what, value: calls.calls, unit: 'count' },
          { what: 'given up by the backend', value: share, unit: 'share' },
          { what: 'after (median)', value: calls.givenUpAfterMs, unit: 'ms' },
          { what: parameter, value: now * 1_000, unit: 'ms' },
        ],
      };
    },
  };
}

const chat = (facts: AdviceFacts): CallFacts | undefined => facts.chat;
const embeddings = (facts: AdviceFacts): CallFacts | undefined => facts.embeddings;

/** How many calls of models at once, and how long one may take. */
export const modelRules: readonly AdviceRule[] = [
  saturation({
    id: 'llm-queue-full',
    queues: ['extract', 'keyword', 'query'],
    parameter: 'max_async_llm',
    what: 'calls of the model',
    calls: chat,
  }),
  saturation({
    id: 'embedding-queue-full',
    queues: ['embedding'],
    parameter: 'embedding_func_max_async',
    what: 'calls of the embedding',
    calls: embeddings,
  }),
  saturation({
    id: 'rerank-queue-full',
    queues: ['rerank'],
    parameter: 'max_async_rerank',
    what: 'calls of the reranker',
    calls: (facts) => facts.rerank,
  }),
  refusals({
    id: 'llm-rate-limited',
    backend: 'lightrag',
    parameter: 'max_async_llm',
    what: 'calls of the model',
    calls: chat,
  }),
  refusals({
    id: 'embedding-rate-limited',
    backend: 'lightrag',
    parameter: 'embedding_func_max_async',
    what: 'calls of the embedding',
    calls: embeddings,
  }),
  refusals({
    id: 'graphrag-rate-limited',
    backend: 'graphrag',
    parameter: 'graphrag_concurrent_requests',
    what: 'calls of the model',
    calls: chat,
  }),
  givenUp({ id: 'llm-given-up', parameter: 'llm_timeout', most: 7_200, what: 'calls of the model', calls: chat }),
  givenUp({
    id: 'embedding-given-up',
    parameter: 'embedding_timeout',
    most: 3_600,
    what: 'calls of the embedding',
    calls: embeddings,
  }),
];
