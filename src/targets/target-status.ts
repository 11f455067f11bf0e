import type { TargetKind } from '../config/index.ts';
import type { Observation } from './observation.ts';
import { describeStuckWork, type StuckWork } from './stuck-work.ts';

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
 */
export function decideTargetStatus(input: {
  kind: TargetKind;
  observation: Observation | undefined;
  files: FileFindings | undefined;
  /** Folders of the backend that are not the ones under watch. */
  folders: readonly Reason[];
  stuck: StuckWork | undefined;
  /** What others found, as a canary does. */
  findings: readonly Reason[];
  nowMs: number;
  staleAfterMs: number;
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
  if (observation.kind !== input.kind && reasons.length === 0)
    reasons.push({ code: 'not-understood', message: `Something answers there, but it is ${namesOfKind[input.kind]}.` });
  if (observation.latencyMs !== undefined && observation.latencyMs > slowHealthMs)
    reasons.push({ code: 'slow', message: `The health call took ${Math.round(observation.latencyMs)} ms.` });
  if (observation.pipeline?.recoveryRequired)
    reasons.push({
      code: 'recovery-required',
      message: 'The backend refuses writes until its recovery is dealt with.',
    });
  if (input.stuck !== undefined)
    reasons.push({
      code: input.stuck.cause === 'pipeline-idle' ? 'stuck-documents' : 'no-progress',
      message: describeStuckWork(input.stuck, nowMs),
    });
  reasons.push(...input.findings, ...input.folders, ...(input.files?.faults ?? []));
  return { word: reasons.length > 0 ? 'DEGRADED' : 'HEALTHY', reasons };
}

const namesOfKind: Readonly<Record<TargetKind, string>> = {
  lightrag: 'not a LightRAG server',
  graphrag: 'neither a GraphRAG project nor a service before one',
  custom: 'not the backend that was described',
};

const unknown = (code: string, message: string): TargetStatus => ({ word: 'UNKNOWN', reasons: [{ code, message }] });
