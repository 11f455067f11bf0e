import { type LeakSeverity, leakSeverities } from '../leak.ts';
import { type Assessment, floorHours, type LeakLevel } from './growth.ts';
import { type MeasureName, measures } from './measure.ts';

/** A leak that was seen from outside: nobody told it. */
export type Finding = {
  readonly level: LeakLevel;
  /** When it was first suspected, and when it was sure. */
  readonly suspectedAtMs: number;
  readonly confirmedAtMs: number | null;
  readonly assessment: Assessment;
  /** Looks in a row that saw nothing of it. */
  readonly calm: number;
};

/** A suspicion goes after two hours without a sign of it, what was sure after six: a leak pauses when the load does. Looks. */
const forgottenAfter: Readonly<Record<LeakLevel, number>> = { suspected: 2 / floorHours, confirmed: 6 / floorHours };

export type FindingChange = 'suspected' | 'confirmed' | 'retracted';

/**
 * What one more look means for a finding. none → suspected → confirmed → none; a confirmed one is never only suspected again.
 * @param looks how many floors this look stands for
 */
export function decideFinding(
  before: Finding | undefined,
  assessment: Assessment,
  nowMs: number,
  looks: number,
): { readonly finding: Finding | undefined; readonly change: FindingChange | undefined } {
  if (assessment.level === 'none') {
    if (!before) return { finding: undefined, change: undefined };
    const calm = before.calm + looks;
    if (calm >= forgottenAfter[before.level]) return { finding: undefined, change: 'retracted' };
    return { finding: { ...before, calm }, change: undefined };
  }
  const { level } = assessment;
  if (!before)
    return {
      finding: {
        level,
        suspectedAtMs: nowMs,
        confirmedAtMs: level === 'confirmed' ? nowMs : null,
        assessment,
        calm: 0,
      },
      change: level,
    };
  if (level === 'confirmed')
    return {
      finding: { ...before, level, confirmedAtMs: before.confirmedAtMs ?? nowMs, assessment, calm: 0 },
      change: before.level === 'confirmed' ? undefined : 'confirmed',
    };
  // What was sure keeps the evidence that made it so.
  return {
    finding: before.level === 'confirmed' ? { ...before, calm: 0 } : { ...before, assessment, calm: 0 },
    change: undefined,
  };
}

/** By how fast it grows, in shares of what is held: a doubling within two hours, ten hours, two days. */
export function severityOf({ level, assessment }: Finding): LeakSeverity {
  if (level === 'suspected') return leakSeverities[0];
  const share = assessment.grown / Math.max(assessment.hours, floorHours);
  return share > 0.5 ? 'critical' : share > 0.1 ? 'high' : share > 0.02 ? 'medium' : 'low';
}

const rejectedWords: Readonly<Record<string, string>> = {
  stories: 'Load, warm-up, a cache that fills, slow collection and steps explain it worse.',
  runaway: 'It is beyond what a cache that fills, a warm-up or a day reaches, and does not slow down.',
  restarts: 'It began anew after each restart and never flattened.',
};

/** One sentence on what is seen and one on why it is believed. */
export function describeFinding(subject: string, measure: MeasureName, finding: Finding): string {
  const { words, unit } = measures[measure];
  const { perHour, grown, hours, runs, by } = finding.assessment;
  const amount = unit === 'bytes' ? `${(perHour / 1_048_576).toFixed(1)} MiB` : perHour.toFixed(1);
  const what = `The ${words} of ${subject} grow${measure === 'memory' ? 's' : ''} by ${amount} an hour, by ${Math.round(100 * grown)} % in ${hours.toFixed(1)} h${runs > 1 ? ` over ${runs} runs` : ''}.`;
  return finding.level === 'confirmed'
    ? `${what} ${rejectedWords[by ?? ''] ?? ''}`.trim()
    : `${what} It may still be a cache that fills or a slow collection.`;
}
