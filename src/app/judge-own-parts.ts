import type { CheckResult } from '../health/index.ts';
import { isoInstant } from '../platform/clock.ts';

/** What one look at ragwarden's own parts saw. */
export type SchedulerFacts = {
  readonly ends: readonly { readonly kind: string; readonly state: string; readonly atMs: number }[];
};

/** What runs by itself again and again; of what people begin by hand a failure is theirs to see. */
const repeated = /^(backup\.create|recovery\.drill|repository\.(forget|prune|check)|cleanup\.run)$/;
const dayMs = 86_400_000;

/** Degraded: something that runs by itself failed lately, and has not succeeded for a day. */
export function judgeScheduler({ ends }: SchedulerFacts, atMs: number): CheckResult {
  const kinds = [...new Set(ends.map(({ kind }) => kind))].filter((kind) => repeated.test(kind)).sort();
  const last = (kind: string, state: string): number | undefined =>
    ends.find((end) => end.kind === kind && end.state === state)?.atMs;
  const bad = kinds.flatMap((kind) => {
    const failedMs = last(kind, 'failed');
    const succeededMs = last(kind, 'succeeded');
    if (failedMs === undefined || atMs - failedMs >= dayMs) return [];
    if (succeededMs !== undefined && (succeededMs > failedMs || atMs - succeededMs < dayMs)) return [];
    const since = succeededMs === undefined ? 'never' : `last at ${isoInstant(succeededMs)}`;
    return [`${kind} failed at ${isoInstant(failedMs)} and succeeded ${since}.`];
  });
  return {
    status: bad.length > 0 ? 'degraded' : 'healthy',
    message: bad.join(' ') || 'What runs by itself succeeds.',
    atMs,
    details: Object.fromEntries(
      kinds.map((kind) => {
        const succeededMs = last(kind, 'succeeded');
        return [`${kind} succeeded`, succeededMs === undefined ? null : isoInstant(succeededMs)];
      }),
    ),
  };
}

export type OutboxFacts = {
  readonly pending: number;
  readonly oldestMs: number | null;
  /** When what nobody took was given up, trials by hand left out. */
  readonly deadMs: readonly number[];
};

/** A receiver that is away for a moment is no finding. */
const backlogMs = 15 * 60_000;

export function judgeOutbox({ pending, oldestMs, deadMs }: OutboxFacts, atMs: number): CheckResult {
  const waitsMs = oldestMs === null ? 0 : Math.max(0, atMs - oldestMs);
  const dead = deadMs.filter((ms) => atMs - ms < dayMs).length;
  const bad = [
    ...(waitsMs > backlogMs
      ? [`${pending} notification(s) wait to be sent, the oldest for ${Math.round(waitsMs / 60_000)} minutes.`]
      : []),
    ...(dead > 0 ? [`${dead} notification(s) were given up within a day: \`ragwarden alerts deliveries\`.`] : []),
  ];
  return {
    status: bad.length > 0 ? 'degraded' : 'healthy',
    message:
      bad.join(' ') || (pending === 0 ? 'Nothing waits to be sent.' : `${pending} notification(s) are under way.`),
    atMs,
    details: { pending, oldest_pending_seconds: Math.round(waitsMs / 1_000), dead_letters_day: dead },
  };
}

export type EvaluationState = {
  /** The instance that does it; undefined: nobody. */
  readonly evaluator: string | undefined;
  readonly instance: string;
  /** Of the last one here. */
  readonly last: { readonly atMs: number; readonly rules: number; readonly failed: number } | undefined;
  readonly intervalMs: number;
  readonly startedMs: number;
};

/** After so many intervals without one, and a minute, alerts are blind. */
const missedIntervals = 3;
const graceMs = 60_000;

export function judgeEvaluation(state: EvaluationState, atMs: number): CheckResult {
  const { evaluator, instance, last, intervalMs, startedMs } = state;
  const details = { evaluator: evaluator ?? null, rules: last?.rules ?? null, failed_rules: last?.failed ?? null };
  const allowedMs = missedIntervals * intervalMs + graceMs;
  const degraded = (message: string): CheckResult => ({ status: 'degraded', message, atMs, details });
  const healthy = (message: string): CheckResult => ({ status: 'healthy', message, atMs, details });
  if (evaluator !== undefined && evaluator !== instance) return healthy(`${evaluator} evaluates the alert rules.`);
  const sinceMs = Math.max(last?.atMs ?? 0, startedMs);
  if (atMs - sinceMs > allowedMs)
    return degraded(
      evaluator === undefined
        ? `No instance has evaluated the alert rules for ${Math.round((atMs - sinceMs) / 1_000)} s.`
        : `The alert rules were not evaluated for ${Math.round((atMs - sinceMs) / 1_000)} s.`,
    );
  if (last === undefined) return healthy('The first evaluation is not over yet.');
  if (last.failed > 0)
    return degraded(`${last.failed} of ${last.rules} alert rules cannot be evaluated: \`ragwarden alerts rules\`.`);
  return healthy(`${last.rules} alert rules are evaluated here.`);
}

export type StateFileFacts = {
  readonly error: string | null;
  /** Undefined: it did not come to that. */
  readonly readMs: number | undefined;
  readonly writeMs: number | undefined;
  readonly bytes: number;
  /** Of its file system. */
  readonly freeBytes: number | undefined;
};

/** Longer than this for one row is too long, as it is for the database of a backend. */
const slowMs = 1_000;

/** The file that the state lies in, with what waits beside it to be written into it; with the fields of document 002. */
export function judgeStateFile(seen: StateFileFacts, atMs: number): CheckResult {
  const { error, readMs, writeMs, bytes, freeBytes } = seen;
  const mib = (size: number): number => Math.round((size / 2 ** 20) * 10) / 10;
  const single = (tookMs: number | undefined, limitMs: number) => ({
    status: tookMs === undefined ? 'unhealthy' : tookMs >= limitMs ? 'degraded' : 'healthy',
    response_time: tookMs === undefined ? null : Math.round(tookMs * 10) / 10_000,
  });
  const figures = {
    checks: { connection: single(readMs, Infinity), query_performance: single(writeMs, slowMs) },
    metrics: {
      storage: { database_size_mb: mib(bytes), free_space_mb: freeBytes === undefined ? null : mib(freeBytes) },
    },
  };
  // Not worse: much can still be read here, and readiness would take that away.
  if (error !== null)
    return { status: 'degraded', message: `${error} Reads from memory go on; changes are refused.`, atMs, ...figures };
  const latency = { observedValue: Math.round(((readMs ?? 0) + (writeMs ?? 0)) * 10) / 10, observedUnit: 'ms' };
  return { status: 'healthy', message: 'It answers and takes writes.', atMs, ...latency, ...figures };
}
