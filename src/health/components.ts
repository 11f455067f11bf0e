import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import type { HealthReport } from './health.ts';
import { type CheckKind, type CheckView, healthWords } from './health-check.ts';
import { overallWord } from './verdict.ts';

const word = z.enum(healthWords);
const facts = z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()]));
const component = z.object({
  status: word.describe('The worst of its checks; unknown where there is none.'),
  timestamp: z.string(),
  error: z.string().optional(),
  checks: z.record(z.string(), facts),
  metrics: z.record(z.string(), facts),
  services: z.record(z.string(), z.object({ status: word, message: z.string() })).describe('Each check by its name.'),
});
const alert = z.object({
  type: z.string().describe('`cpu_high`, `memory_high`, `disk_full`.'),
  message: z.string(),
  severity: z.enum(['warning', 'critical']),
});

/** A full check with the fields of document 002: by what is looked at. */
export const componentsBody = z
  .object({
    status: word,
    timestamp: z.string(),
    components: z.object({
      database: component,
      cache: component,
      system_resources: component.extend({ alerts: z.array(alert) }),
      external_services: component,
      application_services: component,
    }),
  })
  .meta({ id: 'HealthComponents' });
export type ComponentsBody = z.infer<typeof componentsBody>;

export function bodyOfComponents(report: HealthReport): z.input<typeof componentsBody> {
  const timestamp = isoInstant(report.atMs);
  const of = (kind: CheckKind): z.input<typeof component> => {
    const checks = report.checks.filter((view) => view.kind === kind);
    // The fields are those of the one that was looked at most deeply: of the backend's before our own.
    const main = checks.find(({ about, result }) => about === 'watched' && result.checks !== undefined) ?? checks[0];
    const bad = checks.filter(({ result }) => result.status !== 'healthy');
    return {
      status: overallWord(checks.map(({ result }) => result.status)),
      timestamp,
      ...(bad.length === 0 ? {} : { error: bad.map(({ name, result }) => `${name}: ${result.message}`).join(' ') }),
      checks: { ...main?.result.checks },
      metrics: { ...main?.result.metrics },
      services: Object.fromEntries(
        checks.map(({ name, result }) => [name, { status: result.status, message: result.message }]),
      ),
    };
  };
  return {
    status: report.status,
    timestamp,
    components: {
      database: of('database'),
      cache: of('cache'),
      system_resources: { ...of('system'), alerts: alertsOf(report.checks) },
      external_services: of('external'),
      application_services: of('application'),
    },
  };
}

const types: Readonly<Record<string, string>> = { cpu: 'cpu_high', memory: 'memory_high', disk: 'disk_full' };

/** The single looks at the host that are not well; they tell their severity themselves. */
function alertsOf(checks: readonly CheckView[]): z.input<typeof alert>[] {
  const host = checks.find((view) => view.kind === 'system' && view.about === 'watched');
  return Object.entries(host?.result.checks ?? {}).flatMap(([name, { severity, percent }]) =>
    severity === 'warning' || severity === 'critical'
      ? [
          {
            type: types[name] ?? `${name}_high`,
            message: `${name === 'cpu' ? 'CPU' : name === 'memory' ? 'Memory' : 'Disk'} at ${typeof percent === 'number' ? percent.toFixed(1) : '?'} %.`,
            severity,
          },
        ]
      : [],
  );
}
