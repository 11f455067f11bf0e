import type { MetricHistory } from '../metrics/index.ts';

/** What reading documents took in a stretch of time, as the gateway and the backend told it. Null: nobody told. */
export type PastWork = {
  readonly days: number;
  /** That were read to their end. */
  readonly documents: number;
  readonly embeddings: ModelWork | null;
  readonly chat: ModelWork | null;
  /** Of a document, from its acceptance to its end. */
  readonly documentSeconds: number | null;
};

/** Calls of one kind of model; those of questions are among them, since no call tells what it was for. */
export type ModelWork = {
  readonly calls: number;
  readonly seconds: number;
  /** Null: a model has no price, or its tokens were not told. */
  readonly usd: number | null;
};

/** What work is going to take at most, judged by what the same backend took for what it has read. */
export type Estimate = {
  readonly usd: number | null;
  readonly seconds: number | null;
  /** What it was judged by, or why it is not known; one sentence. */
  readonly basis: string;
};

export const pastDays = 30;

/** From the store of metrics. @param match labels of the target's own series */
export async function readPastWork(
  history: Pick<MetricHistory, 'query'>,
  targetId: string,
  nowMs: number,
): Promise<PastWork> {
  const range = { fromMs: nowMs - pastDays * 86_400_000, toMs: nowMs };
  const of = (name: string, groupBy: readonly string[], aggregation: 'sum' | 'count', match = {}) =>
    history.query({ ...range, name, groupBy, aggregation, match });
  const [ended, latencySum, latencyCount, calls, times, costs, tokens] = await Promise.all([
    of('ragwarden_documents_ended_total', [], 'sum', { target: targetId, outcome: 'processed' }),
    of('ragwarden_document_latency_seconds_sum', [], 'sum', { target: targetId }),
    of('ragwarden_document_latency_seconds_count', [], 'sum', { target: targetId }),
    of('llm_calls', ['model', 'call'], 'sum'),
    of('llm_call_duration_ms', ['model', 'call'], 'sum'),
    of('llm_cost_usd', ['model'], 'sum'),
    of('llm_tokens', ['model'], 'sum'),
  ]);
  const total = ({ series }: typeof ended): number => series.reduce((sum, { values }) => sum + (values[0] ?? 0), 0);
  const workOf = (kinds: readonly string[]): ModelWork | null => {
    const ours = ({ series }: typeof ended) => series.filter(({ labels }) => kinds.includes(labels.call ?? ''));
    const called = ours(calls);
    if (called.length === 0) return null;
    const models = new Set(called.map(({ labels }) => labels.model ?? ''));
    // A model whose tokens are known and whose cost is not has no price.
    const priced = [...models].every((model) => {
      const has = (answer: typeof ended) => answer.series.some(({ labels }) => (labels.model ?? '') === model);
      return has(costs) || !has(tokens);
    });
    const paid = costs.series.filter(({ labels }) => models.has(labels.model ?? ''));
    return {
      calls: called.reduce((sum, { values }) => sum + (values[0] ?? 0), 0),
      seconds: ours(times).reduce((sum, { values }) => sum + (values[0] ?? 0), 0) / 1_000,
      usd: priced && paid.length > 0 ? paid.reduce((sum, { values }) => sum + (values[0] ?? 0), 0) : null,
    };
  };
  const count = total(latencyCount);
  return {
    days: pastDays,
    documents: total(ended),
    embeddings: workOf(['embeddings']),
    chat: workOf(['chat', 'completion']),
    documentSeconds: count > 0 ? total(latencySum) / count : null,
  };
}

/**
 * @param past undefined: nobody looked
 * @param parallel calls of each kind at once, as the backend is told
 */
export function estimateWork(
  past: PastWork | undefined,
  work: { readonly documents: number | undefined; readonly reads: boolean },
  parallel: { readonly chat: number; readonly embeddings: number },
): Estimate {
  const unknown = (why: string): Estimate => ({
    usd: null,
    seconds: null,
    basis: `What it takes is not known: ${why}.`,
  });
  if (past === undefined) return unknown('what was read before was not looked at');
  if (work.documents === undefined) return unknown('the documents could not be counted');
  if (past.documents < 1) return unknown(`no document was read in the last ${past.days} days`);
  const times = work.documents / past.documents;
  const kinds = [
    { of: past.embeddings, at: parallel.embeddings },
    ...(work.reads ? [{ of: past.chat, at: parallel.chat }] : []),
  ];
  const through = kinds.flatMap(({ of, at }) => (of === null ? [] : [{ ...of, at }]));
  if (through.length === kinds.length) {
    const calls = through.reduce((sum, one) => sum + one.calls, 0);
    const usd = through.every((one) => one.usd !== null)
      ? through.reduce((sum, one) => sum + (one.usd ?? 0) * times, 0)
      : null;
    return {
      usd,
      seconds: through.reduce((sum, one) => sum + (one.seconds * times) / Math.max(1, one.at), 0),
      basis: `At most, by ${Math.round(past.documents)} documents and ${Math.round(calls)} calls of models in the last ${past.days} days, questions among them${usd === null ? '; of a model no price is known' : ''}.`,
    };
  }
  if (!work.reads || past.documentSeconds === null) return unknown('no calls of models passed the gateway');
  return {
    usd: null,
    seconds: past.documentSeconds * work.documents,
    basis: `At most, by the ${Math.round(past.documents)} documents of the last ${past.days} days, one after the other; no calls of models passed the gateway, so that the money is not known.`,
  };
}

/** For a sentence: `about 2 h and 1.40 USD`. */
export function describeEstimate({ usd, seconds, basis }: Estimate): string {
  if (seconds === null && usd === null) return basis;
  const time = seconds === null ? undefined : durationWords(seconds);
  const money = usd === null ? undefined : `${usd < 0.01 ? usd.toPrecision(1) : usd.toFixed(2)} USD`;
  return `It takes ${[time, money].filter((one) => one !== undefined).join(' and ')}. ${basis}`;
}

function durationWords(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 360) / 10} h` : `${Math.round(seconds / 8_640) / 10} d`;
}
