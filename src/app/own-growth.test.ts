import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPointStore, type RecoveryPoint } from '../backup/index.ts';
import { boundedCleanupHistory } from '../cleanup/index.ts';
import { createEventLog, type EventLog } from '../events/index.ts';
import { metricsMigrations } from '../migrations/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createOperations, type Operations } from '../operations/index.ts';
import { type Database, migrate, openSqlite } from '../platform/database/index.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createDrillStore, createFailoverStore } from '../recovery/index.ts';
import { type Growth, type GrowthCaps, measureGrowth } from '../system/index.ts';
import { createOwnGrowth } from './own-growth.ts';

const uncapped: GrowthCaps = {
  events: 0,
  audit: 0,
  operations: 0,
  'idempotency-keys': 0,
  logins: 0,
  agents: 0,
  'point-history': 0,
  drills: 0,
  'replication-log': 0,
  deliveries: 0,
  silences: 0,
  'quota-usage': 0,
  'quota-violations': 0,
  'quota-reservations': 0,
  samples: 0,
  'state-copies': 0,
  'restic-cache': 0,
  staging: 0,
  analytics: 0,
  'alert-history': 0,
  undo: 0,
  'cleanup-history': 0,
  quarantine: 0,
};

let state: TestState;
let dataDir: string;
let metricsDb: Database;
let clock: FakeClock;
let events: EventLog;
let operations: Operations;
let caps: GrowthCaps;
let growth: Growth;
let root: string;

beforeEach(async () => {
  state = await openTestState();
  dataDir = mkdtempSync(join(tmpdir(), 'ragwarden-growth-'));
  root = join(dataDir, 'target');
  mkdirSync(root);
  const opened = openSqlite({
    name: 'metrics',
    path: join(dataDir, 'metrics.sqlite'),
    synchronous: 'NORMAL',
    log: silentLogger,
  });
  await migrate(opened, metricsMigrations);
  metricsDb = opened;
  clock = createFakeClock();
  events = createEventLog({ db: state.db, clock, instance: 'main' });
  operations = createOperations({ db: state.db, clock, log: silentLogger, events, instance: 'main' });
  caps = uncapped;
  growth = createOwnGrowth({
    caps: () => caps,
    db: state.db,
    metricsDb,
    events,
    operations,
    points: createPointStore(state.db),
    drills: createDrillStore(state.db),
    failovers: createFailoverStore(state.db),
    dataDir,
    roots: () => [root],
    cleanup: {
      'cleanup-history': boundedCleanupHistory(state.db),
      quarantine: { measure: async () => 0, trim: async () => 0 },
    },
    clock,
    log: silentLogger,
  });
});
afterEach(async () => {
  await operations.stop();
  await metricsDb.close();
  await state.remove();
  rmSync(dataDir, { recursive: true, force: true });
});

/** Fills above the cap, trims, and says what is left as measured by the table of growth itself. */
async function trimTo(kind: keyof GrowthCaps, cap: number): Promise<number | null | undefined> {
  caps = { ...uncapped, [kind]: cap };
  await growth.runOnce();
  const line = (await growth.lines()).find((one) => one.kind === kind);
  expect(line).toMatchObject({ cap, error: null });
  expect(line?.lastTrimmedAtMs).toBe(clock.now());
  return line?.used;
}

const record = (count: number): Promise<unknown> =>
  state.db.unit(async (tx) => {
    for (let i = 0; i < count; i += 1)
      await events.record(tx, { type: 'system.thing', severity: 'info', message: `${i}` });
  });
const audit = (count: number): Promise<unknown> =>
  state.db.unit(async (tx) => {
    for (let i = 0; i < count; i += 1)
      await events.audit(tx, { actor: 'a', action: 'thing.done', object: `${i}`, outcome: 'done' });
  });
const tables = <Row>(name: string): Promise<Row[]> =>
  state.db.reader<Record<string, Row>>().selectFrom(name).selectAll().execute() as Promise<Row[]>;

test('nothing is trimmed without a cap, and all is measured', async () => {
  await record(5);
  await growth.runOnce();
  const lines = await growth.lines();
  expect(lines.map((line) => [line.kind, line.used, line.lastTrimmed])).toEqual(
    Object.keys(uncapped).map((kind) => [kind, kind === 'events' ? 5 : 0, null]),
  );
});

test('events: the oldest go, in batches, and numbering goes on', async () => {
  await record(2_500);
  expect(await trimTo('events', 40)).toBe(40);
  const left = await events.list({ limit: 100, order: 'oldest-first' });
  expect([left[0]?.seq, left.at(-1)?.seq]).toEqual([2_461, 2_500]);
  await record(1);
  expect(await events.lastSeq()).toBe(2_501);
});

test('audit: whole segments go, the chain still verifies, and whoever removes more is found', async () => {
  await audit(3_300);
  const head = await events.auditHead();
  expect(await trimTo('audit', 1_500)).toBe(1_302);
  expect(await events.verifyAudit()).toMatchObject({ intact: true, entries: 1_302 });
  expect(await events.verifyAudit([{ ...head, where: 'a note' }])).toMatchObject({ intact: true });
  const [newest] = await events.listAudit({ limit: 1 });
  expect(newest).toMatchObject({ action: 'audit.remove-segment', object: '1001-2000', actor: 'ragwarden' });
  await audit(1_000);
  expect(await trimTo('audit', 1_500)).toBe(1_303);
  expect(await events.verifyAudit()).toMatchObject({ intact: true });

  // Somebody removes the next part and invents what would be left of it.
  const db = state.db;
  type Tables = { audit_entry: { seq: number; hash: string }; audit_segment: Record<string, unknown> };
  const [first] = await db.reader<Tables>().selectFrom('audit_entry').select(['seq', 'hash']).orderBy('seq').execute();
  await db.unit(async (tx) => {
    await tx
      .as<Tables>()
      .insertInto('audit_segment')
      .values({
        last_seq: first?.seq,
        first_seq: first?.seq,
        closing_hash: first?.hash,
        noted_seq: 4_000,
        removed_ms: 0,
      })
      .execute();
    await tx.as<Tables>().deleteFrom('audit_entry').where('seq', '=', Number(first?.seq)).execute();
  });
  expect(await events.verifyAudit()).toMatchObject({ intact: false, brokenAtSeq: first?.seq });
});

test('audit: fewer than a segment are never removed', async () => {
  await audit(900);
  caps = { ...uncapped, audit: 1 };
  await growth.runOnce();
  expect((await events.listAudit({ limit: 1_000 })).length).toBe(900);
});

test('operations and keys: what ended first goes, what runs stays', async () => {
  let finish: () => void = () => undefined;
  const running = await operations.start({
    kind: 'a.long',
    input: {},
    requestedBy: 'a',
    run: () => new Promise<void>((done) => (finish = done)),
  });
  const ids: string[] = [];
  for (let i = 0; i < 6; i += 1) {
    await clock.advance(1_000);
    const idempotency = { key: `k${i}`, route: 'POST /x', requestHash: 'h' };
    const one = await operations.start({ kind: 'a.b', input: {}, requestedBy: 'a', idempotency, run: async () => i });
    ids.push((await operations.wait(one.id)).id);
  }
  expect(await trimTo('operations', 2)).toBe(2);
  const left = await operations.list({ limit: 10 });
  expect(left.map((one) => one.id)).toEqual([...ids.slice(-2).reverse(), running.id]);
  expect(await trimTo('idempotency-keys', 2)).toBe(2);
  expect((await tables<{ key: string }>('idempotency_key')).map((row) => row.key).sort()).toEqual(['k4', 'k5']);
  finish();
  await operations.wait(running.id);
});

test('logins: those that are over go, whoever is logged in stays', async () => {
  const row = (hash: string, expires: number, ended: number | null) => ({
    hash,
    csrf_hash: 'c',
    subject: 's',
    role: 'admin',
    created_ms: 0,
    expires_ms: clock.now() + expires,
    ended_ms: ended,
  });
  await state.db.unit(async (tx) => {
    await tx
      .as<{ session: Record<string, unknown> }>()
      .insertInto('session')
      .values([
        row('living', 5, null),
        row('living too', 9, null),
        row('over', -5, null),
        row('older', -9, null),
        row('ended', 99, 1),
      ])
      .execute();
  });
  expect(await trimTo('logins', 4)).toBe(4);
  const hashes = async () => (await tables<{ hash: string }>('session')).map((one) => one.hash).sort();
  expect(await hashes()).toEqual(['ended', 'living', 'living too', 'over']);
  expect(await trimTo('logins', 1)).toBe(2);
  expect(await hashes()).toEqual(['living', 'living too']);
});

test('history of points: rows of failed and forgotten ones go, points that exist or are lost stay', async () => {
  const points = createPointStore(state.db);
  const point = (id: string, startedMs: number, change: Partial<RecoveryPoint>): RecoveryPoint => ({
    id,
    targetId: 't',
    scope: 'target',
    workspace: null,
    cause: 'manual',
    status: 'success',
    grade: 'consistent',
    takenMs: 1,
    startedMs,
    finishedMs: 1,
    verifiedMs: 1,
    forgottenMs: null,
    repositoryId: 'r',
    treeId: 't',
    logicalBytes: 1,
    storedBytes: 1,
    manifest: null,
    error: null,
    pinned: false,
    operationId: null,
    ...change,
  });
  await state.db.unit(async (tx) => {
    await points.insert(tx, point('exists', 1, {}));
    await points.insert(tx, point('lost', 2, { status: 'lost' }));
    await points.insert(tx, point('failed', 3, { status: 'error' }));
    await points.insert(tx, point('forgotten', 4, { forgottenMs: 5 }));
    await points.insert(tx, point('failed again', 6, { status: 'error' }));
  });
  expect(await trimTo('point-history', 1)).toBe(1);
  const left = await points.list({ withForgotten: true, limit: 10 });
  expect(left.map((one) => one.id).sort()).toEqual(['exists', 'failed again', 'lost']);
});

test('samples: the oldest blocks go, and the file gives the space back', async () => {
  type Blocks = { metric_block: { instance: string; tier: string; start_ms: number; payload: Uint8Array } };
  await metricsDb.unit(async (tx) => {
    for (let i = 0; i < 40; i += 1)
      await tx
        .as<Blocks>()
        .insertInto('metric_block')
        .values({ instance: 'main', tier: 'raw', start_ms: i, payload: Buffer.alloc(50_000, i) })
        .execute();
  });
  const sizeOf = async () => (await measureGrowth(dataDir)).find((one) => one.what === 'samples')?.bytes ?? 0;
  const before = await sizeOf();
  expect(await trimTo('samples', 210_000)).toBe(200_000);
  const rows = await metricsDb
    .reader<Blocks>()
    .selectFrom('metric_block')
    .select('start_ms')
    .orderBy('start_ms')
    .execute();
  expect(rows.map((row) => Number(row.start_ms))).toEqual([36, 37, 38, 39]);
  expect(await sizeOf()).toBeLessThan(before - 1_500_000);
});

test('copies of the databases: the oldest go, the databases stay', async () => {
  for (const stamp of ['20260101', '20260102', '20260103'])
    writeFileSync(join(dataDir, `state.sqlite.before-${stamp}`), 'x');
  expect(await trimTo('state-copies', 1)).toBe(1);
  expect(
    readdirSync(dataDir)
      .filter((name) => name.includes('.sqlite'))
      .sort()
      .filter((name) => !name.startsWith('metrics')),
  ).toEqual(['state.sqlite.before-20260103']);
});

test('cache and staging: what was not used longest and what is scratch goes first, and nothing while work is under way', async () => {
  const put = (path: string, bytes: number, usedS: number): string => {
    const file = join(dataDir, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, Buffer.alloc(bytes));
    utimesSync(file, usedS, usedS);
    return file;
  };
  const [old, young] = [put('cache/restic/data/aa/1', 1_000, 100), put('cache/restic/index/2', 1_000, 200)];
  const scratch = put('staging/verify-op_1/components/x', 10, 300);
  const tree = put('staging/default/tree/components/workspace/a', 5_000, 100);
  let finish: () => void = () => undefined;
  const running = await operations.start({
    kind: 'a.long',
    input: {},
    requestedBy: 'a',
    run: () => new Promise<void>((done) => (finish = done)),
  });
  caps = { ...uncapped, 'restic-cache': 1_500, staging: 5_005 };
  await growth.runOnce();
  expect([old, young, scratch, tree].map((file) => existsSync(file))).toEqual([true, true, true, true]);
  finish();
  await operations.wait(running.id);
  await growth.runOnce();
  expect([old, young, scratch, tree].map((file) => existsSync(file))).toEqual([false, true, false, true]);
  expect(await trimTo('staging', 1)).toBe(0);
  expect(existsSync(tree)).toBe(false);
});

test('former states of a target: the oldest go', async () => {
  for (const [operation, usedS] of [
    ['op_01jd0000000000000000000001', 100],
    ['op_01jd0000000000000000000002', 200],
  ] as const) {
    const folder = join(root, '.ragwarden', `undo-${operation}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'file'), Buffer.alloc(100));
    utimesSync(folder, usedS, usedS);
  }
  expect(await trimTo('undo', 150)).toBe(100);
  expect(readdirSync(join(root, '.ragwarden'))).toEqual(['undo-op_01jd0000000000000000000002']);
});

test('one kind that fails is told and skips none of the others', async () => {
  await record(20);
  await metricsDb.close();
  caps = { ...uncapped, events: 10 };
  await growth.runOnce();
  const lines = await growth.lines();
  expect(lines.find((line) => line.kind === 'events')?.used).toBe(10);
  expect(lines.find((line) => line.kind === 'samples')?.error).not.toBeNull();
});

test('agents: those not heard of for longest go', async () => {
  await metricsDb.unit(async (tx) => {
    for (const [agentId, updatedMs] of [
      ['old', 1],
      ['older', 0],
      ['new', 3],
      ['newer', 4],
    ] as const)
      await tx
        .as<{ metric_agent: Record<string, unknown> }>()
        .insertInto('metric_agent')
        .values({
          ...{
            agent_id: agentId,
            workspace_id: '',
            executions: 1,
            successes: 1,
            execution_ms: 5,
            tokens: 0,
            cost_usd: 0,
          },
          ...{ last_execution_ms: updatedMs, created_ms: 0, updated_ms: updatedMs },
        })
        .execute();
  });
  expect(await trimTo('agents', 3)).toBe(3);
  expect(await trimTo('agents', 2)).toBe(2);
  const left = await metricsDb
    .reader<{ metric_agent: { agent_id: string } }>()
    .selectFrom('metric_agent')
    .select('agent_id')
    .execute();
  expect(left.map((row) => row.agent_id).sort()).toEqual(['new', 'newer']);
});
