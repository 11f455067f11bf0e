import type { TuningValue } from '../parameter.ts';

/** Times of what ended well or badly in the window; undefined p95: none. */
export type TimedFacts = {
  readonly count: number;
  readonly p95Ms: number | undefined;
  /** Answers without anything found. */
  readonly empty: number;
  readonly failed: number;
};

/** Calls of one kind of model, as they passed the door of providers. */
export type CallFacts = {
  readonly calls: number;
  readonly rateLimited: number;
  readonly p95Ms: number | undefined;
  /** Given up by the backend, and after how long that was in the middle of them. */
  readonly givenUp: number;
  readonly givenUpAfterMs: number | undefined;
};

/** One queue of calls inside of the backend, over the probes of a stretch of time. */
export type QueueFacts = {
  readonly name: string;
  readonly samples: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** As the backend tells it now. */
  readonly mostRunning: number;
  /** Of the samples: as many running as may, and more waiting. */
  readonly saturated: number;
  readonly meanQueued: number;
};

/** How long the backend takes for a word about itself, while it works on documents and while it does not. */
export type ReplyFacts = { readonly samples: number; readonly p95Ms: number | undefined };

export type IndexFigures = {
  readonly atMs: number;
  readonly documents: number | undefined;
  readonly chunks: number | undefined;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Rows of the cache of answers; undefined where it could not be read. */
  readonly cacheRows: number | undefined;
  /** Answers to questions, of the cache, and those that are older than the newest document. */
  readonly cachedAnswers: number | undefined;
  readonly outdatedAnswers: number | undefined;
  readonly outdatedBytes: number | undefined;
};

/** What was measured of one backend. A part that is undefined was not measured, and no rule guesses it. */
export type AdviceFacts = {
  readonly graphId: string;
  readonly kind: 'lightrag' | 'graphrag';
  /** Of what passed the gateway: when it began to count, and when it was asked. */
  readonly window: { readonly fromMs: number; readonly toMs: number };
  readonly queries: TimedFacts | undefined;
  /** Retrieval without an answer. */
  readonly searches: TimedFacts | undefined;
  readonly chat: CallFacts | undefined;
  readonly embeddings: CallFacts | undefined;
  readonly rerank: CallFacts | undefined;
  readonly queues: readonly QueueFacts[] | undefined;
  /**
   * Of one and the same stretch of time: queries that passed the gateway, and calls that the backend handed to its queue for answers.
   * Undefined after a restart of the backend, and where it does not tell.
   */
  readonly answers: { readonly queries: number; readonly made: number } | undefined;
  readonly replies: { readonly busy: ReplyFacts; readonly idle: ReplyFacts } | undefined;
  readonly index: IndexFigures | undefined;
  /** Classes of the stores as the backend tells them, by `kv_storage`, `vector_storage`, `graph_storage` … */
  readonly storageClasses: Readonly<Record<string, string>> | undefined;
  /** Whether the backend has a reranker at all. */
  readonly hasReranker: boolean | undefined;
  /** What the backend is known to run with, by our names. */
  readonly values: ReadonlyMap<string, TuningValue>;
};

export const shareOf = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
export const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`;
export const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;
export const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
