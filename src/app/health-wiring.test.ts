import { afterEach, expect, test } from 'vitest';
import { createDefaultRules } from '../alerts/index.ts';
import { openTestAlerts, type TestAlerts } from '../alerts/test-alerts.ts';
import type { CheckResult, HealthCheck, LookingCheck } from '../health/index.ts';
import { createDocumentMetrics } from '../metrics/index.ts';
import { createTestNotify, createTestReceiver, route, type TestNotify, webhook } from '../notify/test-notify.ts';
import { AppError } from '../platform/errors.ts';
import { createLogger, silentLogger } from '../platform/logging.ts';
import { externalChecks } from './external-checks.ts';
import type { Ground } from './ground.ts';
import { createHealthWiring } from './health-wiring.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

type Word = 'healthy' | 'unhealthy';

/** One part that is read from memory and one that is looked at, both as `word` says, with all that comes of them. */
async function open(made: TestAlerts) {
  const { clock, metrics, state, events } = made;
  const word: { now: Word; isStateAway: boolean } = { now: 'healthy', isStateAway: false };
  const away = new AppError('storage/unavailable', 'It is away.');
  const result = (): CheckResult => ({ status: word.now, message: `It is ${word.now}.`, atMs: clock.now() });
  const read: HealthCheck = { name: 'folder', kind: 'application', about: 'watched', targetId: 'a', read: result };
  const looking: LookingCheck = {
    ...{ name: 'redis a', kind: 'cache', about: 'watched', targetId: 'a', neededFor: ['answer'] },
    ...{ intervalMs: 30_000, timeoutMs: 5_000, look: async () => result() },
  };
  const { registry } = metrics;
  const written: string[] = [];
  const log = createLogger({ level: 'info', destination: { write: (line: string) => void written.push(line) } });
  const documentMetrics = createDocumentMetrics(registry);
  const ground = {
    ...{
      config: { healthCheckEnabled: true },
      live: { onChange: () => undefined },
      clock,
      // As much of it as is asked for.
      db: { unit: async (work: never) => (word.isStateAway ? Promise.reject(away) : state.db.unit(work)) },
      events,
      registry,
      documentMetrics,
    },
    logOf: () => log,
    // Only these parts of it are used.
  } as unknown as Ground;
  const { parts } = createHealthWiring(ground, [read, looking]);
  const { signal } = new AbortController();
  for (const part of parts) {
    part.start?.(signal);
    cleanUps.push(() => part.stop?.());
  }
  const stored = async () =>
    (await events.list({ types: ['health.status-changed'], limit: 500, order: 'oldest-first' })).map(
      ({ severity, targetId, data }) => [data?.check, data?.before, data?.status, severity, targetId],
    );
  const value = async (name: string, label: string): Promise<number | undefined> => {
    await registry.collect();
    const family = registry.families().find(({ definition }) => definition.name === name);
    const slot = family?.slotsInOrder().find((one) => family.labelValuesOf(one)?.includes(label));
    return slot === undefined ? undefined : family?.values[slot];
  };
  /** What the log says of one check, in order. */
  const logged = (name: string) =>
    written
      .map((line) => JSON.parse(line))
      .flatMap(({ level, check, msg }) => (check === name ? [`${level} ${msg}`] : []));
  return { word, stored, value, logged };
}

test('a change of a check is an event that is stored, its failures are counted, and the gauges follow', async () => {
  const made = await openTestAlerts();
  cleanUps.push(() => made.remove());
  const { word, stored, value, logged } = await open(made);
  await made.clock.advance(60_000);
  expect(await stored()).toEqual([]);
  expect(await value('health_check_failures_total', 'redis a')).toBe(0);
  expect(await value('ragwarden_health_state', 'redis a')).toBe(0);
  word.now = 'unhealthy';
  for (let i = 0; i < 8; i += 1) await made.clock.advance(15_000);
  expect((await stored()).toSorted()).toEqual(
    [
      ['can answer', 'healthy', 'unhealthy', 'error', null],
      ['folder', 'healthy', 'unhealthy', 'error', 'a'],
      ['redis a', 'healthy', 'unhealthy', 'error', 'a'],
    ].toSorted(),
  );
  expect(await value('health_check_failures_total', 'redis a')).toBeGreaterThanOrEqual(2);
  expect(await value('ragwarden_health_state', 'redis a')).toBe(3);
  expect(await value('ragwarden_health_state', 'can answer')).toBe(3);
  expect(await value('ragwarden_component_health_status', 'folder')).toBe(0);
  word.now = 'healthy';
  for (let i = 0; i < 12; i += 1) await made.clock.advance(15_000);
  expect((await stored()).slice(3).toSorted()).toEqual(
    [
      ['can answer', 'unhealthy', 'healthy', 'info', null],
      ['folder', 'unhealthy', 'healthy', 'info', 'a'],
      ['redis a', 'unhealthy', 'healthy', 'info', 'a'],
    ].toSorted(),
  );
  expect(logged('redis a')).toEqual(['warn It is unhealthy.', 'info It is healthy.']);
});

test('what comes and goes while nothing can be stored is in the log each time, with the check that was not told', async () => {
  const made = await openTestAlerts();
  cleanUps.push(() => made.remove());
  const { word, stored, logged } = await open(made);
  await made.clock.advance(60_000);
  word.isStateAway = true;
  for (let time = 0; time < 2; time += 1)
    for (const now of ['unhealthy', 'healthy'] as const) {
      word.now = now;
      await made.clock.advance(180_000);
    }
  const once = [
    'warn It is unhealthy.',
    'warn telling a change of health failed: It is away.',
    'info It is healthy.',
    'info telling a change of health succeeds again',
  ];
  for (const name of ['redis a', 'folder']) expect(logged(name)).toEqual([...once, ...once]);
  word.isStateAway = false;
  await made.clock.advance(180_000);
  expect(await stored()).toEqual([]);
});

test('another interval is gone by at once, where a check has none of its own', async () => {
  const made = await openTestAlerts();
  cleanUps.push(() => made.remove());
  const { clock, metrics, state, events } = made;
  const { registry } = metrics;
  let tell: (now: unknown, before: unknown) => void = () => undefined;
  const configOf = (seconds: number) => {
    const tcp = (id: string, intervalMs: number) => ({
      ...{ id, intervalMs, neededFor: [], host: 'no-such-host.invalid', port: 9, timeoutMs: 1_000 },
    });
    const health = {
      tcp: [tcp('usual', seconds * 1_000), tcp('own', 900_000)],
      http: [],
      models: [],
      vectorStores: [],
    };
    return { healthCheckEnabled: true, health: { ...health, intervalMs: seconds * 1_000 } };
  };
  const ground = {
    ...{ config: configOf(600), clock, db: state.db, events, registry },
    live: { onChange: (listener: typeof tell) => (tell = listener) },
    documentMetrics: createDocumentMetrics(registry),
    logOf: () => silentLogger,
    // Only these parts of it are used.
  };
  const checks = externalChecks(ground as unknown as Ground, () => undefined).map((check): LookingCheck => {
    // What the checks look at is not asked here, only when.
    const look = async () => ({ status: 'healthy', message: 'It answers.' }) as const;
    return Object.defineProperty(check, 'look', { value: look });
  });
  const { health, parts } = createHealthWiring(ground as unknown as Ground, checks);
  const looks = () => health.report().checks.map((view) => [view.name, view.looks, view.intervalMs]);
  for (const part of parts) {
    part.start?.(new AbortController().signal);
    cleanUps.push(() => part.stop?.());
  }
  await clock.advance(10_000);
  const [before, now] = [ground.config, configOf(30)];
  ground.config = now;
  tell(now, before);
  await clock.advance(30_000);
  expect(looks()).toEqual([
    ['tcp usual', 2, 30_000],
    ['tcp own', 1, 900_000],
  ]);
});

test.each([
  // Two minutes ill, one well.
  ['all the time', 3, 2, ['firing part_unhealthy']],
  // Four minutes ill, three well: the first time it is over; from the third on it is flapping.
  ['slowly', 7, 4, ['firing part_unhealthy', 'firing part_unhealthy', 'resolved part_unhealthy']],
])(
  'a pager-free night of a part that comes and goes is a few notifications, not hundreds: %s',
  async (_, cycle, ill, told) => {
    const limits = { cpuPercent: 80, memoryPercent: 85, diskPercent: 80 };
    const made = await openTestAlerts({
      defaultRules: createDefaultRules({ warning: limits, critical: limits }).filter(({ name }) =>
        name.startsWith('part_'),
      ),
    });
    cleanUps.push(() => made.remove());
    const receiver = await createTestReceiver();
    cleanUps.push(() => receiver.close());
    const notify: TestNotify = await createTestNotify(
      {
        receivers: [webhook('pager', receiver.url)],
        fallback: route({ groupBy: ['alertname', 'service'], repeatIntervalMs: 86_400_000 }),
        allowPrivate: true,
      },
      { clock: made.clock },
    );
    cleanUps.push(() => notify.remove());
    const { word } = await open(made);
    await made.clock.advance(60_000);
    for (let minute = 0; minute < 300; minute += 1) {
      word.now = minute % cycle < ill ? 'unhealthy' : 'healthy';
      const from = made.told.length;
      await made.tick(2, { sampled: false });
      await notify.tell(...made.told.slice(from));
      await notify.turn();
    }
    const of = (service: string): string[] =>
      receiver.received.flatMap(({ body }) => {
        const { data } = JSON.parse(body) as { data: { status: string; group_labels: Record<string, string> } };
        return data.group_labels.service === service ? [`${data.status} ${data.group_labels.alertname}`] : [];
      });
    expect(of('redis a').toSorted()).toEqual(told);
  },
);
