/** What one stretch of time was like for whoever asked the backend. Null: nothing was seen. */
export type Figures = {
  /** Of the backend, done or failed. */
  readonly requests: number;
  readonly failed: number;
  /** By operation (`query`, `search`): how many, and the time that 95 of 100 stayed below, milliseconds. */
  readonly answers: Readonly<Record<string, { readonly requests: number; readonly p95Ms: number }>>;
  /** Whether the question whose answer is known was answered at the end of it. */
  readonly canary: boolean | null;
};

export type WatchLimits = {
  /** Fewer requests say nothing. */
  readonly leastRequests: number;
  /** By how much of all requests more may fail than before, from 0 to 1. */
  readonly errorRise: number;
  /** By how much of the time before answers may be slower, as 0.5 for half as long again. */
  readonly slowdown: number;
};

export type WatchVerdict = {
  /** `unjudged`: too little was asked to say anything. */
  readonly verdict: 'watching' | 'kept' | 'worse' | 'unjudged';
  /** What was compared, one sentence each; of a bad verdict what is worse comes first. */
  readonly reasons: readonly string[];
};

/** Below this nobody notices; a few milliseconds are noise. */
const noticedMs = 100;

/**
 * Whether what was changed made it worse. Errors are judged as soon as enough was asked; times and the canary when the window is
 * over, since caches are cold after a restart.
 */
export function decideWatch(before: Figures, after: Figures, limits: WatchLimits, over: boolean): WatchVerdict {
  const found = [compareErrors(before, after, limits)];
  if (over) found.push(...compareTimes(before, after, limits), compareCanary(before, after));
  const said = found.filter((one) => one !== undefined);
  const worse = said.filter((one) => one.worse);
  if (worse.length > 0)
    return { verdict: 'worse', reasons: [...worse, ...said.filter((one) => !one.worse)].map(({ message }) => message) };
  if (!over) return { verdict: 'watching', reasons: [] };
  if (said.length > 0) return { verdict: 'kept', reasons: said.map(({ message }) => message) };
  return {
    verdict: 'unjudged',
    reasons: [
      `${after.requests} requests in the window and ${before.requests} before it are too few to compare, and no known question was answered before.`,
    ],
  };
}

type Finding = { readonly worse: boolean; readonly message: string };

const percent = (share: number): string => `${Math.round(share * 1_000) / 10} %`;
const rateOf = ({ requests, failed }: Figures): number => (requests === 0 ? 0 : failed / requests);

function compareErrors(
  before: Figures,
  after: Figures,
  { leastRequests, errorRise }: WatchLimits,
): Finding | undefined {
  if (after.requests < leastRequests) return undefined;
  const [was, is] = [rateOf(before), rateOf(after)];
  return {
    // A share is never exact in binary; what lies on the limit is within it.
    worse: is - was > errorRise + 1e-9,
    message: `${percent(is)} of ${after.requests} requests failed, ${before.requests === 0 ? 'and nobody asked before' : `${percent(was)} of ${before.requests} before`}.`,
  };
}

function compareTimes(before: Figures, after: Figures, { leastRequests, slowdown }: WatchLimits): Finding[] {
  return Object.entries(after.answers).flatMap(([operation, now]) => {
    const then = before.answers[operation];
    if (then === undefined || Math.min(then.requests, now.requests) < leastRequests) return [];
    const slower = now.p95Ms - then.p95Ms;
    return {
      worse: slower > then.p95Ms * slowdown && slower > noticedMs,
      message: `95 of 100 ${operation === 'search' ? 'searches' : 'queries'} took at most ${Math.round(now.p95Ms)} ms, ${Math.round(then.p95Ms)} ms before.`,
    };
  });
}

function compareCanary(before: Figures, after: Figures): Finding | undefined {
  if (before.canary !== true || after.canary === null) return undefined;
  return after.canary
    ? { worse: false, message: 'The known question was answered, as before.' }
    : { worse: true, message: 'The known question was answered before and is not any more.' };
}
