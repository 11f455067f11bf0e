import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import type { HealthReport } from './health.ts';
import { abilities, type CheckView, checkKinds, healthWords } from './health-check.ts';
import type { Verdict } from './verdict.ts';

const word = z.enum(healthWords);
const facts = z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()]));

const reason = z.object({ check: z.string(), status: word, message: z.string() });
const verdict = z.object({
  can: z.boolean().nullable().describe('Null: nobody knows.'),
  reasons: z
    .array(reason)
    .describe('What stands against it, or why nobody knows; where it can, what it does so in spite of.'),
});

const check = z.object({
  name: z.string(),
  kind: z.enum(checkKinds),
  about: z.enum(['watched', 'own']),
  needed_for: z.array(z.enum(abilities)),
  status: word.describe('One look alone does not change it.'),
  message: z.string(),
  time: z.string().nullable().describe('When it was last looked at.'),
  age_seconds: z.number().nullable(),
  last_look: word.describe('What the last look alone says.'),
  took_ms: z.number().nullable(),
  since: z.string().nullable().describe('When it came to this status.'),
  flapping: z.boolean().describe('It came and went so often that it stays at the worse status for a while.'),
  looks: z.number().describe('Since the start; of what looks by itself, how often it was asked in the background.'),
  failures: z.number().describe('Of these, how often it was not well.'),
  interval_seconds: z.number().nullable(),
  observed_value: z.union([z.number(), z.string()]).nullable(),
  observed_unit: z.string().nullable(),
  checks: z.record(z.string(), facts),
  metrics: z.record(z.string(), facts),
  details: facts,
});

export const healthStatusBody = z
  .object({
    status: word,
    timestamp: z.string(),
    fresh: z.boolean().describe('Everything was looked at for this answer.'),
    can_answer: verdict,
    can_ingest: verdict,
    reasons: z.array(reason).describe('Every check that is not healthy, the worst first.'),
    checks: z.array(check),
  })
  .meta({ id: 'HealthStatus' });
export type HealthStatusBody = z.infer<typeof healthStatusBody>;

const verdictBody = ({ can, reasons }: Verdict): z.input<typeof verdict> => ({
  can: can ?? null,
  reasons: reasons.map((one) => ({ ...one })),
});

function checkBody(view: CheckView, nowMs: number): z.input<typeof check> {
  const { result } = view;
  return {
    ...{ name: view.name, kind: view.kind, about: view.about, needed_for: [...view.neededFor] },
    ...{ status: result.status, message: result.message, time: isoInstantOrNull(result.atMs) },
    age_seconds: result.atMs === undefined ? null : Math.max(0, Math.round((nowMs - result.atMs) / 100) / 10),
    last_look: view.looked,
    took_ms: view.tookMs === undefined ? null : Math.round(view.tookMs * 10) / 10,
    since: isoInstantOrNull(view.sinceMs),
    ...{ flapping: view.flapping, looks: view.looks, failures: view.failures },
    interval_seconds: view.intervalMs === undefined ? null : view.intervalMs / 1_000,
    ...{ observed_value: result.observedValue ?? null, observed_unit: result.observedUnit ?? null },
    ...{ checks: { ...result.checks }, metrics: { ...result.metrics }, details: { ...result.details } },
  };
}

export const statusBody = (report: HealthReport, fresh: boolean): z.input<typeof healthStatusBody> => ({
  status: report.status,
  timestamp: isoInstant(report.atMs),
  fresh,
  can_answer: verdictBody(report.answer),
  can_ingest: verdictBody(report.ingest),
  reasons: report.reasons.map((one) => ({ ...one })),
  checks: report.checks.map((view) => checkBody(view, report.atMs)),
});
