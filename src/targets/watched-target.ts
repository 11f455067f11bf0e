import type { Clock } from '../platform/clock.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type ReconcilerState } from '../platform/reconciler.ts';
import { findFolderMismatches } from './folder-match.ts';
import type { LightragAdapter } from './lightrag/lightrag-adapter.ts';
import { isIdle, type Observation, unfinishedDocuments } from './observation.ts';
import type { Target } from './target.ts';
import {
  decideTargetStatus,
  type FileFindings,
  type Reason,
  type StatusWord,
  type TargetStatus,
} from './target-status.ts';

/** An idle pipeline with unfinished documents counts as stuck after this; a backend needs moments between two jobs. */
const stuckAfterMs = 60_000;

export type TargetChange = {
  readonly target: Target;
  readonly before: StatusWord;
  readonly status: TargetStatus;
};

/** One target under watch: probed in the background; everything is answered from what was last seen, with its age. */
export type WatchedTarget = Part & {
  readonly target: Target;
  status(): TargetStatus;
  observation(): Observation | undefined;
  /** Observes now, joining a probe that is under way. */
  probe(): Promise<Observation | undefined>;
  /** What the inspector found in the files, as far as it bears on the status. */
  noteFiles(findings: FileFindings): void;
  jobs(): readonly ReconcilerState[];
  setIntervalMs(ms: number): void;
};

export function createWatchedTarget(options: {
  target: Target;
  adapter: LightragAdapter;
  clock: Clock;
  log: Logger;
  onChange(change: TargetChange): Promise<void>;
  onObservation?(observation: Observation): void;
}): WatchedTarget {
  const { target, adapter, clock, log } = options;
  let last: Observation | undefined;
  let files: FileFindings | undefined;
  let folders: readonly Reason[] = [];
  let idleUnfinishedSinceMs: number | undefined;
  let saidWord: StatusWord = 'UNKNOWN';

  const status = (): TargetStatus =>
    decideTargetStatus({
      observation: last,
      files,
      folders,
      idleUnfinishedSinceMs,
      nowMs: clock.now(),
      staleAfterMs: 3 * target.probeIntervalMs + target.probeTimeoutMs,
      stuckAfterMs,
    });

  const reconciler = createReconciler({
    name: `probe ${target.id}`,
    intervalMs: target.probeIntervalMs,
    clock,
    log,
    async run(signal) {
      const seen = await adapter.probe(signal);
      if (signal.aborted) return;
      folders = await findFolderMismatches(target, seen);
      last = seen;
      idleUnfinishedSinceMs = standsStillSince(seen, idleUnfinishedSinceMs);
      options.onObservation?.(seen);
      const now = status();
      if (now.word !== saidWord) {
        const before = saidWord;
        saidWord = now.word;
        await options.onChange({ target, before, status: now });
      }
    },
  });

  return {
    name: `target ${target.id}`,
    target,
    start: (signal) => reconciler.start?.(signal),
    stop: () => reconciler.stop?.(),
    status,
    observation: () => last,
    async probe() {
      await reconciler.runOnce();
      return last;
    },
    noteFiles(findings) {
      files = findings;
      reconciler.wake();
    },
    jobs: () => [reconciler.state()],
    setIntervalMs: (ms) => reconciler.setIntervalMs(ms),
  };
}

/** Since when unfinished documents stand still. Only what was seen ends it: a probe that could not look changes nothing. */
function standsStillSince(seen: Observation, since: number | undefined): number | undefined {
  const idle = isIdle(seen);
  if (idle === false) return undefined;
  if (idle === undefined || seen.documents === undefined) return since;
  return unfinishedDocuments(seen.documents) > 0 ? (since ?? seen.atMs) : undefined;
}
