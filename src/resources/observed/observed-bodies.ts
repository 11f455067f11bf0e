import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import { leakSeverities } from '../leak.ts';
import { resourceTypes } from '../resource.ts';
import { describeFinding, severityOf } from './finding.ts';
import type { Floor } from './growth.ts';
import { type MeasureName, measureNames, measures } from './measure.ts';
import type { ObservedSeries } from './observer.ts';

const count = z.number().int();

export const observedLeakSchema = z
  .object({
    subject: z.string().describe('A process or a server, by the name it has here.'),
    measure: z.enum(measureNames as [MeasureName, ...MeasureName[]]),
    resource_type: z.enum(resourceTypes),
    level: z
      .enum(['suspected', 'confirmed'])
      .describe('Confirmed: no harmless story explains it as well, and it went on for longer than these take.'),
    severity: z.enum(leakSeverities),
    confidence: z.number().min(0).max(1),
    suspected_at: z.iso.datetime(),
    confirmed_at: z.iso.datetime().nullable(),
    last_seen: z.iso.datetime(),
    value: z.number().nullable().describe('As it was last seen; null where that was before a restart.'),
    unit: z.enum(['bytes', 'count']),
    growth_per_hour: z.number(),
    growth_percent: z.number().describe('Since it began, of what was held then.'),
    hours: z.number().describe('For how long it was seen.'),
    runs: count.describe('Over how many runs of the service.'),
    found_by: z
      .enum(['stories', 'runaway', 'restarts'])
      .nullable()
      .describe('`runaway`: beyond what is harmless; `restarts`: it began anew after each restart.'),
    story: z.string().nullable().describe('What explains it best.'),
    closest_harmless_story: z.string().nullable().describe('The best of those that were rejected.'),
    description: z.string(),
    suggested_action: z.string(),
  })
  .meta({ id: 'ObservedLeak' });
export type ObservedLeakBody = z.infer<typeof observedLeakSchema>;

/** Undefined for a series that shows none. */
export function observedLeakBody(series: ObservedSeries): ObservedLeakBody | undefined {
  const { subject, measure, finding, value, seenAtMs } = series;
  if (!finding) return undefined;
  const { assessment } = finding;
  const { unit, type, action } = measures[measure];
  return {
    ...{ subject, measure, resource_type: type, level: finding.level, severity: severityOf(finding) },
    confidence: assessment.confidence,
    suspected_at: isoInstant(finding.suspectedAtMs),
    confirmed_at: isoInstantOrNull(finding.confirmedAtMs),
    last_seen: isoInstant(seenAtMs),
    value: value ?? null,
    unit,
    growth_per_hour: assessment.perHour,
    growth_percent: 100 * assessment.grown,
    hours: assessment.hours,
    runs: assessment.runs,
    found_by: assessment.by,
    story: assessment.story,
    closest_harmless_story: assessment.closest,
    description: describeFinding(subject, measure, finding),
    suggested_action: action,
  };
}

export const observedSeriesSchema = z
  .object({
    subject: z.string(),
    measure: z.enum(measureNames as [MeasureName, ...MeasureName[]]),
    unit: z.enum(['bytes', 'count']),
    value: z.number().nullable(),
    last_seen: z.iso.datetime(),
    floors: count.describe('Quarters of an hour that are kept of it, at most three days.'),
    level: z.enum(['none', 'suspected', 'confirmed']),
  })
  .meta({ id: 'ObservedSeries' });
export type ObservedSeriesBody = z.infer<typeof observedSeriesSchema>;

export const observedSeriesBody = ({
  subject,
  measure,
  value,
  seenAtMs,
  floors,
  finding,
}: ObservedSeries): ObservedSeriesBody => ({
  ...{ subject, measure, unit: measures[measure].unit, value: value ?? null },
  last_seen: isoInstant(seenAtMs),
  floors: floors.length,
  level: finding?.level ?? 'none',
});

export const evidenceSchema = z
  .object({
    ...observedSeriesSchema.shape,
    leak: observedLeakSchema.nullable(),
    points: z
      .array(
        z.object({
          at: z.iso.datetime(),
          value: z.number().describe('The lowest of a quarter of an hour; of counts the lower third.'),
          up_seconds: z.number().describe('Age of the process; where it falls, the service was restarted.'),
        }),
      )
      .describe('In the order of time.'),
  })
  .meta({ id: 'LeakEvidence' });
export type LeakEvidenceBody = z.infer<typeof evidenceSchema>;

export const evidenceBody = (series: ObservedSeries): LeakEvidenceBody => ({
  ...observedSeriesBody(series),
  leak: observedLeakBody(series) ?? null,
  points: series.floors.map(({ atMs, value, upSeconds }: Floor) => ({
    ...{ at: isoInstant(atMs), value, up_seconds: upSeconds },
  })),
});
