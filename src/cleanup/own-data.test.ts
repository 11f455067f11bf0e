import { afterEach, expect, test } from 'vitest';
import { createOldEvents } from '../events/index.ts';
import { createOldSamples } from '../metrics/index.ts';
import { openTestMetrics } from '../migrations/test-state.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createOldDataCleanup, createRepositoryCleanup, type RepositoryUpkeep } from './strategies/own-data.ts';
import { openTestCleanup, type TestCleanup } from './test-cleanup.ts';

const day = 86_400_000;
let ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends) await end();
  ends = [];
});
const kept = (opened: TestCleanup): TestCleanup => {
  ends.push(() => opened.remove());
  return opened;
};

test('old events go, young ones and the audit trail stay, and numbering goes on', async () => {
  const clock = createFakeClock();
  const strategies: ReturnType<typeof createOldDataCleanup>[] = [];
  const opened = kept(await openTestCleanup(() => ({ strategies }), { clock }));
  const { events, state, run } = opened;
  opened.cleanup.strategies.add(
    createOldDataCleanup({ name: 'events', about: '', unit: 'events', data: createOldEvents(state.db), clock }),
  );
  const tell = (message: string) =>
    state.db.unit(async (tx) => {
      await events.record(tx, { type: 'warden.started', severity: 'info', message, data: {} });
      await events.audit(tx, { actor: 'tester', action: 'test.done', object: message, outcome: 'done' });
    });
  for (let n = 0; n < 210; n += 1) await tell(`old ${n}`);
  await clock.advance(8 * day);
  await tell('young');
  const lastSeq = await events.lastSeq();
  const ended = await run('events');
  expect(ended.result).toMatchObject({ cleaned: 1, outcome: 'success' });
  const left = await events.list({ limit: 500, order: 'oldest-first' });
  expect(left.map(({ message }) => message)).toEqual(['young', expect.stringContaining('Cleanup events')]);
  expect(left[1]?.seq).toBe(lastSeq + 1);
  expect((await events.listAudit({ action: 'test.done', limit: 500 })).length).toBe(211);
  // What is gone does not come back, and the plan said so.
  expect(opened.cleanup.strategies.facts().find(({ name }) => name === 'events')).toMatchObject({
    ...{ undo: 'none', noUndo: expect.any(String) },
  });
  expect((await run('events')).result).toMatchObject({ cleaned: 0, message: 'There was nothing to clean up.' });
});

test('old samples in full resolution go, in bounded batches, and their coarser tiers stay', async () => {
  const clock = createFakeClock();
  const metrics = await openTestMetrics();
  ends.push(() => metrics.remove());
  const nowMs = clock.now();
  type Block = { instance: string; tier: string; start_ms: number; first_ms: number; last_ms: number; items: number };
  type Tables = { metric_block: Block & { payload: Uint8Array } };
  const put = (tier: 'values' | 'raw' | '5m', start_ms: number) =>
    metrics.db.unit((tx) =>
      tx
        .as<Tables>()
        .insertInto('metric_block')
        .values({
          ...{ instance: 'here', tier, start_ms, first_ms: start_ms, last_ms: start_ms + 1_000, items: 1 },
          payload: new Uint8Array(100),
        })
        .execute(),
    );
  const blocks = async (): Promise<Record<string, number>> => {
    const rows = await metrics.db.reader<Tables>().selectFrom('metric_block').select('tier').execute();
    const count: Record<string, number> = {};
    for (const { tier } of rows) count[tier] = (count[tier] ?? 0) + 1;
    return count;
  };
  for (let n = 0; n < 250; n += 1) await put('raw', nowMs - 9 * day + n * 10_000);
  await put('values', nowMs - 8 * day);
  await put('5m', nowMs - 9 * day);
  await put('raw', nowMs - day);
  const opened = kept(
    await openTestCleanup(
      () => ({
        strategies: [
          createOldDataCleanup({
            ...{ name: 'metrics', about: '', unit: 'blocks of samples', clock },
            data: createOldSamples(metrics.db),
          }),
        ],
      }),
      { clock },
    ),
  );
  const plan = await opened.cleanup.plan({ strategy: 'metrics', params: {}, requestedBy: 'tester' });
  expect(plan.items).toMatchObject([{ what: '251 blocks of samples', bytes: 25_100 }]);
  expect(await blocks()).toEqual({ raw: 251, values: 1, '5m': 1 });
  expect((await opened.run('metrics')).result).toMatchObject({ cleaned: 1, bytes_freed: 25_100 });
  expect(await blocks()).toEqual({ raw: 1, '5m': 1 });
});

test('the repository is kept in order through its own operations, and one that fails is told while the other goes on', async () => {
  const done: string[] = [];
  let breaks = false;
  let away: string | undefined;
  const upkeep: RepositoryUpkeep = {
    targetIds: ['default', 'other'],
    missing: () => away,
    planForget: async (targetId) =>
      targetId === 'default' ? [{ id: 'rp_1', reason: 'older than 30 days', bytes: null }] : [],
    async forget(targetId) {
      if (breaks) throw new Error('the repository is locked');
      done.push(`forget ${targetId}`);
    },
    async prune() {
      done.push('prune');
    },
  };
  const opened = kept(await openTestCleanup(() => ({ strategies: [createRepositoryCleanup(upkeep)] })));
  const plan = await opened.cleanup.plan({ strategy: 'repository', params: {}, requestedBy: 'tester' });
  expect(plan.items.map(({ what, why }) => `${what}: ${why}`)).toEqual([
    '1 recovery points of default: older than 30 days',
    'what nothing in the repository needs: freed by restic',
  ]);
  expect((await opened.run('repository')).result).toMatchObject({ cleaned: 2, outcome: 'success' });
  expect(done).toEqual(['forget default', 'prune']);
  breaks = true;
  expect(await opened.run('repository')).toMatchObject({ state: 'partial', result: { cleaned: 1, failed: 1 } });
  expect((await opened.run('repository', { forget: false })).result).toMatchObject({ cleaned: 1, failed: 0 });
  away = 'Backups are switched off.';
  await expect(opened.run('repository')).rejects.toMatchObject({ code: 'feature/disabled' });
});
