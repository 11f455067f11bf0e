import { AppError } from './errors.ts';
import type { ReconcilerState, RestartOutcome } from './reconciler.ts';

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
  /**
   * Begins jobs anew, all of them unless named, several at a time; none is left out because another hangs.
   * @throws AppError `request/not-found` for a name that no job has; nothing is begun anew then
   */
  restart(options: RestartOptions): Promise<readonly RestartedJob[]>;
};

export type RestartOptions = {
  readonly names?: readonly string[] | undefined;
  /** How long a run under way is awaited. */
  readonly waitMs: number;
  /** Tells a run under way to give up. */
  readonly force: boolean;
};
export type RestartedJob = { readonly name: string; readonly outcome: RestartOutcome };

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
  const present = (): readonly ReconcilerState[] =>
    workers.flatMap((worker) => worker.jobs?.() ?? (worker.state ? [worker.state()] : []));
  return {
    add(part) {
      // Whatever has a life is added; those that work in the background say so by having one of the two.
      workers.push(part as Worker);
    },
    states: (nowMs) => present().map((state) => ({ ...state, late: findLateness(state, nowMs) ?? null })),
    async restart({ names, waitMs, force }) {
      const all = present();
      const unknown = (names ?? []).find((name) => !all.some((one) => one.name === name));
      if (unknown !== undefined)
        throw new AppError('request/not-found', `No job is called "${unknown}". \`ragwarden jobs\` shows them.`);
      const wanted = all.filter((one) => (names === undefined ? one.restart !== undefined : names.includes(one.name)));
      return Promise.all(
        wanted.map(async ({ name, restart }) => ({
          name,
          outcome: (await restart?.({ waitMs, force })) ?? ('inactive' as const),
        })),
      );
    },
  };
}
