import { isIdle, type Observation, unfinishedDocuments } from './observation.ts';

/** Work that does not go on by itself. */
export type StuckWork = {
  /** `pipeline-idle`: unfinished documents that nothing works on. `no-progress`: it says that it works, and nothing moves. */
  readonly cause: 'pipeline-idle' | 'no-progress';
  readonly sinceMs: number;
  readonly documents: number;
};

/** What several probes together tell about the work of a backend. */
export type Standstill = {
  /** Since when unfinished documents lie there while the pipeline is idle. */
  readonly idleSinceMs: number | undefined;
  /** Since when it is busy without that anything it tells has changed. */
  readonly busySinceMs: number | undefined;
  readonly told: string | undefined;
};

export const nothingStands: Standstill = { idleSinceMs: undefined, busySinceMs: undefined, told: undefined };

/** Only what was seen begins or ends a standstill: a probe that could not look changes nothing. */
export function noteStandstill(before: Standstill, seen: Observation): Standstill {
  const idle = isIdle(seen);
  if (idle === undefined || (idle && seen.documents === undefined)) return before;
  if (idle) {
    const unfinished = unfinishedDocuments(seen.documents ?? {});
    return { ...nothingStands, idleSinceMs: unfinished > 0 ? (before.idleSinceMs ?? seen.atMs) : undefined };
  }
  // Without counts and pipeline it cannot be told whether anything moves.
  if (seen.documents === undefined || seen.pipeline === undefined) return { ...before, idleSinceMs: undefined };
  const told = JSON.stringify([seen.documents, seen.pipeline.jobName, seen.pipeline.latestMessage]);
  const same = told === before.told && before.busySinceMs !== undefined;
  return { idleSinceMs: undefined, busySinceMs: same ? before.busySinceMs : seen.atMs, told };
}

export type StuckLimits = { readonly idleMs: number; readonly noProgressMs: number };

export function findStuckWork(
  { idleSinceMs, busySinceMs }: Standstill,
  seen: Observation | undefined,
  nowMs: number,
  limits: StuckLimits,
): StuckWork | undefined {
  if (seen?.documents === undefined) return undefined;
  const documents = unfinishedDocuments(seen.documents);
  if (idleSinceMs !== undefined && nowMs - idleSinceMs >= limits.idleMs)
    return { cause: 'pipeline-idle', sinceMs: idleSinceMs, documents };
  if (busySinceMs !== undefined && seen.pipeline !== undefined && nowMs - busySinceMs >= limits.noProgressMs)
    return { cause: 'no-progress', sinceMs: busySinceMs, documents };
  return undefined;
}

/** For people, with what it means. */
export function describeStuckWork({ cause, sinceMs, documents }: StuckWork, nowMs: number): string {
  const seconds = Math.round((nowMs - sinceMs) / 1000);
  const plural = documents === 1 ? '' : 's';
  return cause === 'pipeline-idle'
    ? `${documents} document${plural} unfinished while the pipeline is idle for ${seconds} s; the backend will not resume by itself.`
    : `The pipeline says that it works, and nothing has moved for ${seconds} s (${documents} document${plural} unfinished).`;
}
