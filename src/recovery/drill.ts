import type { PointRehearsal, RehearsalPhase } from '../backup/index.ts';

export const drillKinds = ['restore', 'chaos'] as const;
/** `restore` brings a point back and looks at it; `chaos` damages the copy on purpose and asks whether the checks saw it. */
export type DrillKind = (typeof drillKinds)[number];

export const drillChoices = ['newest', 'oldest', 'random', 'risk'] as const;
export type DrillChoice = (typeof drillChoices)[number];

/**
 * `passed`: everything was as the manifest says. `failed`: something was not, so the point (or, in a chaos drill, a check) cannot be
 * relied upon. `error`: it could not be done, so nothing is known.
 */
export type DrillVerdict = 'passed' | 'failed' | 'error';

/** One row of the table `recovery_drill`. Times are epoch milliseconds. */
export type Drill = {
  /** That of its operation. */
  readonly id: string;
  readonly targetId: string;
  readonly pointId: string;
  readonly kind: DrillKind;
  /** How the point was chosen; null when it was named. */
  readonly choice: DrillChoice | null;
  readonly requestedBy: string;
  readonly startedMs: number;
  readonly finishedMs: number | null;
  /** Null while it runs. */
  readonly verdict: DrillVerdict | null;
  readonly reasons: readonly string[];
  readonly phases: readonly RehearsalPhase[];
  /** What a real restore would take of it; null where it did not come that far. */
  readonly rtoMs: number | null;
  readonly bytes: number | null;
  readonly files: number | null;
  readonly evidenceSha256: string | null;
};

/** What is part of a real restore and of no drill; stands in the evidence beside the measured time. */
export const rtoLeavesOut: readonly string[] = [
  'the safety point of the present state',
  'stopping and starting the backend',
  'moving the old files aside and the new ones in (renames)',
];

/**
 * How long a restore of the point would take: each phase as often as a restore goes through it. Phases that only look are left out, and
 * so is what `rtoLeavesOut` names. A drill runs at low priority where it can, so a restore is rather faster.
 */
export const measuredRtoMs = (phases: readonly RehearsalPhase[]): number =>
  phases.reduce((sum, phase) => sum + phase.ms * phase.inRestore, 0);

/** The same for another number of bytes: what grows with them grows in proportion, the rest stays. */
export function forecastRtoMs(drill: Pick<Drill, 'phases' | 'bytes'>, bytes: number): number | null {
  if (drill.bytes === null || drill.bytes === 0) return null;
  const ratio = bytes / drill.bytes;
  return drill.phases.reduce((sum, phase) => sum + phase.ms * phase.inRestore * (phase.growsWithBytes ? ratio : 1), 0);
}

/** A part that could not be rehearsed is never passed over: nothing is known about it. */
export function decideVerdict(
  rehearsal: Pick<PointRehearsal, 'components'>,
  checkProblems: readonly string[],
): { readonly verdict: DrillVerdict; readonly reasons: readonly string[] } {
  const problems = [...rehearsal.components.flatMap((one) => one.problems), ...checkProblems];
  const notRehearsed = rehearsal.components.flatMap((one) => (one.notRehearsed === null ? [] : [one.notRehearsed]));
  const verdict = problems.length > 0 ? 'failed' : notRehearsed.length > 0 ? 'error' : 'passed';
  return { verdict, reasons: [...problems, ...notRehearsed] };
}
