import type { ReconcilerState } from './reconciler.ts';

/** A part that does background work of one or of several kinds. */
type Worker = { jobs?(): readonly ReconcilerState[]; state?(): ReconcilerState };

export type JobState = ReconcilerState & {
  /** Why it counts as stuck or overdue; null while it keeps its time. */
  readonly late: string | null;
};

export type Jobs = {
  /** Parts without background work are welcome and tell nothing. */
  add(part: object): void;
  /** Every job of every part, in the order in which they were added. */
  states(nowMs: number): readonly JobState[];
};

/** Timers are late on a busy machine; this much is no finding. */
const graceMs = 60_000;

/**
 * Whether a job has stopped working without saying so. A run that failed is a run: its error stands in the state.
 * @returns why, undefined while it keeps its time
 */
export function findLateness(state: ReconcilerState, nowMs: number): string | undefined {
  if (!state.active || state.startedAt === null) return undefined;
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
  if (state.running) {
    const tookMs = nowMs - (state.lastStartedAt ?? nowMs);
    return tookMs > state.runLimitMs ? `one run has lasted ${seconds(tookMs)}` : undefined;
  }
  const idleMs = nowMs - Math.max(state.lastFinishedAt ?? 0, state.startedAt);
  return idleMs > state.intervalMs + graceMs
    ? `it runs every ${seconds(state.intervalMs)} and has not for ${seconds(idleMs)}`
    : undefined;
}

/** What works in the background of one process, so that it can be looked at in one place. */
export function createJobs(): Jobs {
  const workers: Worker[] = [];
  return {
    add(part) {
      // Whatever has a life is added; those that work in the background say so by having one of the two.
      workers.push(part as Worker);
    },
    states: (nowMs) =>
      workers
        .flatMap((worker) => worker.jobs?.() ?? (worker.state ? [worker.state()] : []))
        .map((state) => ({ ...state, late: findLateness(state, nowMs) ?? null })),
  };
}
