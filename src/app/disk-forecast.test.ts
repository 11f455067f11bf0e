import { afterEach, expect, test } from 'vitest';
import type { HostHealth } from '../host/index.ts';
import { openMetrics, type TestMetrics } from '../metrics/test-metrics.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createDiskForecast, forecastFull } from './disk-forecast.ts';
import { hostCheck } from './health-checks.ts';

let metrics: TestMetrics | undefined;
afterEach(async () => {
  await metrics?.remove();
  metrics = undefined;
});

test.each([
  ['rises by ten in an hour', [50, 60, 70], 5],
  ['stays', [50, 50, 50], undefined],
  ['falls', [70, 60, 50], undefined],
  ['has two points only', [50, 60], undefined],
  ['has gaps', [50, null, 60, null, 70], 10],
])('a disk whose use %s', (_, values, fullAtHour) => {
  expect(forecastFull(values.map((value, hour) => ({ atMs: hour, value })))).toBe(fullAtHour);
});

test('a disk that was calm and fills degrades the host half an hour later, and not for what others measure', async () => {
  const clock = createFakeClock();
  metrics = await openMetrics({ clock });
  const { recorder, history } = metrics.metrics;
  const disk = recorder.gauge({ name: 'system_disk_usage_percent' }).labels();
  const forecast = createDiskForecast({ history, instance: 'i1', clock, log: silentLogger });
  const other = createDiskForecast({ history, instance: 'i2', clock, log: silentLogger });
  const calm = { status: 'healthy', severity: 'none', percent: 10 } as const;
  const well: HostHealth = { overall: 'healthy', checks: { cpu: calm, memory: calm, disk: calm }, reasons: [] };
  let overall: HostHealth['overall'] = 'healthy';
  const check = hostCheck(
    () => ({ ...well, overall }),
    () => undefined,
    forecast.read,
  );
  expect(check.read()).toMatchObject({ status: 'healthy' });
  const pass = async (minutes: number, perMinute: number): Promise<void> => {
    for (let minute = 0; minute < minutes; minute += 5) {
      percent += 5 * perMinute;
      disk.set(percent);
      await clock.advance(300_000);
      await history.sampleOnce();
      await forecast.job.runOnce();
      await other.job.runOnce();
    }
  };
  let percent = 20;
  await pass(120, 0);
  expect(forecast.read()).toEqual({ fullAtMs: undefined, fillsSoon: false });
  expect(check.read()).toMatchObject({ status: 'healthy', details: { disk_full_at: null } });
  // Six percent an hour.
  await pass(120, 0.1);
  const { fullAtMs = 0, fillsSoon } = forecast.read() ?? {};
  expect(fillsSoon).toBe(true);
  expect((fullAtMs - clock.now()) / 3_600_000).toBeGreaterThan(10);
  expect((fullAtMs - clock.now()) / 3_600_000).toBeLessThan(24);
  expect(check.read()).toMatchObject({
    status: 'degraded',
    message: `As it went over six hours, the file system with the data is full at ${new Date(fullAtMs).toISOString()}.`,
  });
  expect(other.read()).toEqual({ fullAtMs: undefined, fillsSoon: false });
  // What is worse stays worse; what nobody looks at any more is not known.
  overall = 'critical';
  expect(check.read().status).toBe('critical');
  await clock.advance(901_000);
  expect(forecast.read()).toBeUndefined();
});

test('a line that rises for a moment is no forecast yet', async () => {
  const clock = createFakeClock();
  metrics = await openMetrics({ clock });
  const { recorder, history } = metrics.metrics;
  const disk = recorder.gauge({ name: 'system_disk_usage_percent' }).labels();
  const forecast = createDiskForecast({ history, instance: 'i1', clock, log: silentLogger });
  for (const percent of [40, 50, 60, 70]) {
    disk.set(percent);
    await clock.advance(1_080_000);
    await history.sampleOnce();
  }
  await forecast.job.runOnce();
  expect(forecast.read()?.fullAtMs).toBeGreaterThan(clock.now());
  expect(forecast.read()?.fillsSoon).toBe(false);
});
