import { expect, test } from 'vitest';
import type { RagwardenClient } from './client.ts';
import { RagwardenError } from './ragwarden-error.ts';
import { readSubsystems } from './subsystems.ts';

const nowMs = Date.parse('2026-11-30T12:00:00Z');
const at = (minutesAgo: number) => ({ last_time: new Date(nowMs - minutesAgo * 60_000).toISOString() });

type Figures = { leaks: number; alerts: number | null; recent: number; rate: number | null };
/** A client that tells these figures; of the answers, what is read of them. */
const clientOf = ({ leaks, alerts, recent, rate }: Figures) =>
  ({
    metrics: {
      global: async () => ({
        resource_summary: { total_resources: 100, total_leaks: leaks },
        enhanced_metrics: { total_metrics: 7, active_alerts: alerts },
        quota_status: { metrics: { total_checks: 5 } },
      }),
    },
    analytics: {
      patterns: async () => ({ total: 2 }),
      recommendations: async () => {
        throw new RagwardenError({ code: 'feature/disabled', detail: 'Analytics are off.' });
      },
    },
    quotas: { violations: async () => ({ items: [...Array(recent).fill(at(59)), at(61)] }) },
    cleanup: { history: async () => ({ totals: { total_tasks: 4, total_failed_runs: 1, success_rate: rate } }) },
  }) as unknown as RagwardenClient;

test.each([
  [{ leaks: 10, alerts: 5, recent: 10, rate: 0.8 }, 'healthy'],
  [{ leaks: 11, alerts: 6, recent: 11, rate: 0.79 }, 'degraded'],
  [{ leaks: 51, alerts: 21, recent: 51, rate: 0.49 }, 'unhealthy'],
] as const)('with %o the systems of document 003 are %s', async (figures, word) => {
  const { resource_analyzer: off, ...systems } = await readSubsystems(clientOf(figures), { nowMs });
  expect(Object.values(systems).map(({ status }) => status)).toEqual(Array(4).fill(word));
  expect(systems).toMatchObject({
    resource_manager: { resources_tracked: 100, active_leaks: figures.leaks },
    metrics_collector: { metrics_defined: 7, active_alerts: figures.alerts },
    quota_manager: { total_checks: 5, recent_violations: figures.recent },
    cleanup_scheduler: { tasks_configured: 4, success_rate: figures.rate },
  });
  expect(off).toEqual({ status: 'unknown', message: 'Analytics are off.' });
});

test('what never ran is not called well', async () => {
  const client = clientOf({ leaks: 0, alerts: null, recent: 0, rate: null });
  const { cleanup_scheduler: cleanup, metrics_collector: collector } = await readSubsystems(client, { nowMs });
  expect([cleanup?.status, collector?.active_alerts]).toEqual(['unknown', null]);
});

const well = clientOf({ leaks: 0, alerts: 0, recent: 0, rate: 1 });
/** The same, whose global metrics cannot be read. */
const without = (reason: Error, more: object = {}) =>
  ({ ...well, metrics: { global: () => Promise.reject(reason) }, ...more }) as unknown as RagwardenClient;

test('what cannot tell is unknown with the reason, and hides none of the others', async () => {
  const away = new RagwardenError({ code: 'storage/unavailable', status: 503, detail: 'The database is away.' });
  const gone = { status: 'unknown', message: 'The database is away.' };
  expect(
    await readSubsystems(without(away, { quotas: { violations: () => Promise.reject(away) } }), { nowMs }),
  ).toMatchObject({
    ...{ resource_manager: gone, metrics_collector: gone, quota_manager: gone },
    cleanup_scheduler: { status: 'healthy' },
  });
  const off = new RagwardenError({ code: 'feature/disabled', detail: 'Metrics are off.' });
  expect(await readSubsystems(without(off), { nowMs })).toMatchObject({
    metrics_collector: { status: 'unknown', message: 'Metrics are off.' },
    quota_manager: { status: 'healthy', total_checks: null, recent_violations: 0 },
  });
});

test('whoever ends the call gets no answer, but his own reason', async () => {
  await expect(readSubsystems(without(new Error('ended')), { nowMs })).rejects.toThrow('ended');
});
