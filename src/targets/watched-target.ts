import type { Clock } from '../platform/clock.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type ReconcilerState } from '../platform/reconciler.ts';
import type { TargetAdapter } from './adapter.ts';
import { findFolderMismatches, findLostFiles } from './folder-match.ts';
import type { Observation } from './observation.ts';
import { findStuckWork, noteStandstill, nothingStands, type StuckLimits, type StuckWork } from './stuck-work.ts';
import type { Target } from './target.ts';
import {
  decideTargetStatus,
  type FileFindings,
  type Reason,
  type StatusWord,
  type TargetStatus,
} from './target-status.ts';

/** A backend needs moments between two jobs, and a slow model minutes for one piece of a document. */
const usualStuckLimits: StuckLimits = { idleMs: 60_000, noProgressMs: 900_000 };

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
  /** What somebody else found who looks at the target in another way; undefined takes back what they said. */
  noteFinding(by: string, finding: Reason | undefined): void;
  /** Work that does not go on by itself, once it has lasted for as long as the limits say. */
  stuck(): StuckWork | undefined;
  jobs(): readonly ReconcilerState[];
  setIntervalMs(ms: number): void;
};

export function createWatchedTarget(options: {
  target: Target;
  adapter: TargetAdapter;
  clock: Clock;
  log: Logger;
  onChange(change: TargetChange): Promise<void>;
  onObservation?(observation: Observation): void;
  /** As they are when it is called. */
  stuckLimits?(): StuckLimits;
}): WatchedTarget {
  const { target, adapter, clock, log } = options;
  let last: Observation | undefined;
  let files: FileFindings | undefined;
  let folders: readonly Reason[] = [];
  let standstill = nothingStands;
  const findings = new Map<string, Reason>();
  let saidWord: StatusWord = 'UNKNOWN';

  const stuck = (): StuckWork | undefined =>
    findStuckWork(standstill, last, clock.now(), options.stuckLimits?.() ?? usualStuckLimits);

  const status = (): TargetStatus =>
    decideTargetStatus({
      kind: target.kind,
      observation: last,
      files,
      folders,
      stuck: stuck(),
      findings: [...findings.values()],
      nowMs: clock.now(),
      staleAfterMs: 3 * target.probeIntervalMs + target.probeTimeoutMs,
    });

  const reconciler = createReconciler({
    name: `probe ${target.id}`,
    intervalMs: target.probeIntervalMs,
    clock,
    log,
    async run(signal) {
      const seen = await adapter.probe(signal);
      if (signal.aborted) return;
      const mismatches = await findFolderMismatches(target, seen);
      // Of a folder that is not the backend's own it would be said twice.
      folders = mismatches.length > 0 ? mismatches : await findLostFiles(target, seen);
      last = seen;
      standstill = noteStandstill(standstill, seen);
      options.onObservation?.(seen);
      const now = status();
      if (now.word !== saidWord) {
        await options.onChange({ target, before: saidWord, status: now });
        // What could not be told (a full disk) is told by the next look.
        saidWord = now.word;
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
    noteFinding(by, finding) {
      const before = findings.get(by);
      if (finding === undefined) findings.delete(by);
      else findings.set(by, finding);
      if (before?.code !== finding?.code) reconciler.wake();
    },
    stuck,
    jobs: () => [reconciler.state()],
    setIntervalMs: (ms) => reconciler.setIntervalMs(ms),
  };
}
