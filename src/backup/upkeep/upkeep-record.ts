import { z } from 'zod';

/** What a repository needs beside new points. Each is its own operation with its own last success: one may fail for weeks while the others go on. */
export const upkeepKinds = ['forget', 'prune', 'check'] as const;
export type UpkeepKind = (typeof upkeepKinds)[number];

/** Times are epoch milliseconds. */
export const upkeepRecord = z.object({
  /** When it was first looked at: before the first success its age counts from here. */
  sinceMs: z.number(),
  lastSuccessMs: z.number().nullable(),
  lastFailureMs: z.number().nullable(),
  lastError: z.string().nullable(),
  /** Of the success that was last told to be too old, so that it is told once. */
  toldLateMs: z.number().nullable(),
  /** Of a check: which part of the data is read next, from 1. */
  nextPart: z.number(),
});
export type UpkeepRecord = z.infer<typeof upkeepRecord>;

export const freshRecord = (nowMs: number): UpkeepRecord => ({
  sinceMs: nowMs,
  lastSuccessMs: null,
  lastFailureMs: null,
  lastError: null,
  toldLateMs: null,
  nextPart: 1,
});

export type UpkeepPolicy = {
  /** 0: not by itself. Forgetting is daily. */
  readonly pruneIntervalMs: number;
  readonly checkIntervalMs: number;
  /** Every check reads one of so many parts of the data, in turn; 1 reads all each time, 0 only the structure. */
  readonly checkParts: number;
};

export const dayMs = 86_400_000;
const retryMs = 3_600_000;

export type UpkeepState = UpkeepRecord & {
  readonly kind: UpkeepKind;
  /** Null: it does not run by itself. */
  readonly nextMs: number | null;
  /** The last success may be as old as this. */
  readonly allowedAgeMs: number | null;
  readonly late: boolean;
};

/**
 * When it is due, and whether its last success is too old: twice its interval and a day, so that one run that fails or is missed is
 * no alarm. A clock that was set back stops nothing.
 */
export function decideUpkeep(kind: UpkeepKind, record: UpkeepRecord, policy: UpkeepPolicy, nowMs: number): UpkeepState {
  const intervalMs = { forget: dayMs, prune: policy.pruneIntervalMs, check: policy.checkIntervalMs }[kind];
  if (intervalMs <= 0) return { ...record, kind, nextMs: null, allowedAgeMs: null, late: false };
  const fromMs = Math.min(record.lastSuccessMs ?? record.sinceMs, nowMs);
  const dueMs = kind === 'forget' && record.lastSuccessMs === null ? fromMs : fromMs + intervalMs;
  const failedLast = hasFailedLast(record);
  const allowedAgeMs = 2 * intervalMs + dayMs;
  return {
    ...record,
    kind,
    nextMs: failedLast ? Math.max(dueMs, Math.min(record.lastFailureMs ?? 0, nowMs) + retryMs) : dueMs,
    allowedAgeMs,
    late: nowMs - fromMs > allowedAgeMs,
  };
}

export const hasFailedLast = (record: UpkeepRecord): boolean =>
  record.lastFailureMs !== null && record.lastFailureMs > (record.lastSuccessMs ?? 0);

const words: Record<UpkeepKind, { readonly done: string; readonly noun: string; readonly risk: string }> = {
  forget: { done: 'forgotten old points', noun: 'Forgetting old points', risk: 'the repository grows' },
  prune: { done: 'freed the space of forgotten points', noun: 'Pruning the repository', risk: 'the repository grows' },
  check: { done: 'checked the repository', noun: 'Checking the repository', risk: 'damage would go unseen' },
};

/** What somebody should know: that it is too long ago, or why it failed the last time. */
export function upkeepWarnings(states: readonly UpkeepState[]): string[] {
  return states.flatMap((state) => {
    const { noun, risk } = words[state.kind];
    const why = hasFailedLast(state) && state.lastError !== null ? ` ${noun} failed: ${state.lastError}` : '';
    if (state.late) return [`${lateSentence(state)} Meanwhile ${risk}.${why}`];
    return why === '' ? [] : [why.trimStart()];
  });
}

export function lateSentence(state: UpkeepState): string {
  const { done } = words[state.kind];
  return state.lastSuccessMs === null
    ? `ragwarden has never ${done} since ${new Date(state.sinceMs).toISOString().slice(0, 10)}.`
    : `ragwarden has not ${done} since ${new Date(state.lastSuccessMs).toISOString().slice(0, 10)}.`;
}
