import { type Observation, unfinishedDocuments } from './observation.ts';

export type StatusWord = 'HEALTHY' | 'DEGRADED' | 'OFFLINE' | 'UNKNOWN';

export type Reason = { readonly code: string; readonly message: string };

export type TargetStatus = { readonly word: StatusWord; readonly reasons: readonly Reason[] };

/** What the inspector last found in the files, as far as it bears on the status. */
export type FileFindings = { readonly atMs: number; readonly faults: readonly Reason[] };

/** Above this the backend answers, but so late that callers feel it. Milliseconds. */
const slowHealthMs = 2_000;

/**
 * The verdict over one target from what was seen, never from what was not: no probe or only old ones is UNKNOWN.
 * @param staleAfterMs age above which an observation no longer counts
 * @param idleUnfinishedSinceMs since when unfinished documents stand still while the pipeline is idle
 */
export function decideTargetStatus(input: {
  observation: Observation | undefined;
  files: FileFindings | undefined;
  /** Folders of the backend that are not the ones under watch. */
  folders: readonly Reason[];
  idleUnfinishedSinceMs: number | undefined;
  nowMs: number;
  staleAfterMs: number;
  stuckAfterMs: number;
}): TargetStatus {
  const { observation, nowMs } = input;
  if (!observation) return unknown('not-probed', 'The backend was not probed yet.');
  const ageMs = nowMs - observation.atMs;
  if (ageMs > input.staleAfterMs) return unknown('stale', `The last probe is ${Math.round(ageMs / 1000)} s old.`);
  if (ageMs < -input.staleAfterMs)
    return unknown('stale', 'The clock of this machine was set back; the next probe counts again.');
  if (!observation.reachable)
    return {
      word: 'OFFLINE',
      reasons: observation.faults.map((fault) => ({ code: fault.kind, message: fault.message })),
    };
  const reasons: Reason[] = observation.faults.map((fault) => ({ code: fault.kind, message: fault.message }));
  if (observation.kind !== 'lightrag' && reasons.length === 0)
    reasons.push({ code: 'not-understood', message: 'Something answers there, but it is not a LightRAG server.' });
  if (observation.latencyMs !== undefined && observation.latencyMs > slowHealthMs)
    reasons.push({ code: 'slow', message: `The health call took ${Math.round(observation.latencyMs)} ms.` });
  if (observation.pipeline?.recoveryRequired)
    reasons.push({
      code: 'recovery-required',
      message: 'The backend refuses writes until its recovery is dealt with.',
    });
  const since = input.idleUnfinishedSinceMs;
  if (since !== undefined && observation.documents && nowMs - since >= input.stuckAfterMs) {
    const stuck = unfinishedDocuments(observation.documents);
    reasons.push({
      code: 'stuck-documents',
      message: `${stuck} document${plural(stuck)} unfinished while the pipeline is idle for ${Math.round((nowMs - since) / 1000)} s; the backend will not resume by itself.`,
    });
  }
  reasons.push(...input.folders, ...(input.files?.faults ?? []));
  return { word: reasons.length > 0 ? 'DEGRADED' : 'HEALTHY', reasons };
}

const plural = (count: number): string => (count === 1 ? '' : 's');
const unknown = (code: string, message: string): TargetStatus => ({ word: 'UNKNOWN', reasons: [{ code, message }] });
