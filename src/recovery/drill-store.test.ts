import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import type { Drill } from './drill.ts';
import { boundedDrills } from './drill-growth.ts';
import { createDrillStore, type DrillStore } from './drill-store.ts';
import { type Evidence, evidenceSchema, sealEvidence } from './evidence.ts';
import { createFailoverStore } from './failover/failover-store.ts';

let state: TestState;
let drills: DrillStore;

beforeEach(async () => {
  state = await openTestState();
  drills = createDrillStore(state.db);
});
afterEach(() => state.remove());

const drill = (id: string, change: Partial<Drill> = {}): Drill => ({
  id,
  targetId: 't',
  pointId: 'p',
  kind: 'restore',
  choice: 'newest',
  requestedBy: 'somebody',
  startedMs: Number(id),
  finishedMs: null,
  verdict: null,
  reasons: [],
  phases: [],
  rtoMs: null,
  bytes: null,
  files: null,
  evidenceSha256: null,
  ...change,
});
const ended = (id: string, verdict: Drill['verdict'], change: Partial<Drill> = {}): Drill =>
  drill(id, { verdict, finishedMs: Number(id) + 1, ...change });
const insert = (...rows: Drill[]): Promise<void> =>
  state.db.unit(async (tx) => {
    for (const row of rows) await drills.insert(tx, row);
  });

const evidence: Evidence = sealEvidence({
  format: 'ragwarden-drill-evidence',
  version: 1,
  drill_id: '1',
  kind: 'restore',
  target_id: 't',
  warden_version: '0',
  tools: {},
  requested_by: 'somebody',
  started_at: 'now',
  finished_at: 'then',
  point: {
    id: 'p',
    chosen: 'named',
    taken_at: null,
    grade: null,
    partial: null,
    manifest_sha256: null,
    core_version: null,
    embedding_model: null,
    embedding_dimension: null,
  },
  components: [],
  phases: [],
  rto: { measured_seconds: 1, objective_seconds: 300, met: true, leaves_out: [] },
  check_command: null,
  damages: null,
  verdict: 'passed',
  reasons: [],
  audit: { seq: 1, hash: 'h' },
  previous: null,
});

test('a drill and its evidence are read back as they were written, over a restart', async () => {
  const phases = [{ name: 'open', component: null, ms: 1.5, inRestore: 1, growsWithBytes: false }];
  await insert(drill('1'));
  const done = ended('1', 'passed', { phases, rtoMs: 2, bytes: 3, files: 4, reasons: ['x'], evidenceSha256: 'e' });
  await state.db.unit((tx) => drills.finish(tx, done, evidence));
  const again = createDrillStore(await state.reopen());
  expect(await again.find('1')).toEqual(done);
  expect(evidenceSchema.parse(await again.findEvidence('1'))).toEqual(evidence);
  expect(await again.lastEvidence()).toEqual({ drillId: '1', sha256: 'e' });
  expect(await again.find('2')).toBeUndefined();
});

test('history counts what failed since the last that passed, restore drills of this target only', async () => {
  expect(await drills.history('t')).toEqual({ lastPassedMs: null, lastFinishedMs: null, failuresInRow: 0 });
  await insert(ended('1', 'failed'), ended('2', 'passed'), ended('3', 'error'), ended('4', 'failed'), drill('5'));
  await insert(ended('6', 'failed', { kind: 'chaos' }), ended('7', 'failed', { targetId: 'other' }));
  expect(await drills.history('t')).toEqual({ lastPassedMs: 3, lastFinishedMs: 5, failuresInRow: 2 });
  await insert(ended('8', 'passed'));
  expect(await drills.history('t')).toEqual({ lastPassedMs: 9, lastFinishedMs: 9, failuresInRow: 0 });
});

test('pages follow each other without a gap, newest first', async () => {
  await insert(drill('1'), drill('2', { startedMs: 1 }), drill('3'), drill('4', { kind: 'chaos' }));
  const first = await drills.list({ targetId: 't', limit: 2 });
  expect(first.map((one) => one.id)).toEqual(['4', '3']);
  const before = { atMs: 3, id: '3' };
  expect((await drills.list({ targetId: 't', before, limit: 9 })).map((one) => one.id)).toEqual(['2', '1']);
  expect((await drills.list({ kind: 'chaos', limit: 9 })).map((one) => one.id)).toEqual(['4']);
});

test('above the cap the oldest go; what runs and the last that passed of each target stay', async () => {
  await insert(ended('1', 'passed'), ended('2', 'passed'), ended('3', 'failed'), ended('4', 'failed'), drill('5'));
  const bounded = boundedDrills({ db: state.db, drills, failovers: createFailoverStore(state.db) });
  expect(await bounded.measure()).toBe(4);
  expect(await bounded.trim(1, 100)).toBe(3);
  expect((await drills.list({ limit: 9 })).map((one) => one.id)).toEqual(['5', '2']);
});

test('what the schedule remembers is kept, changed and forgotten', async () => {
  const write = (value: string | null) => state.db.unit((tx) => drills.writeSetting(tx, 'overdue:t', value));
  expect(await drills.readSetting('overdue:t')).toBeUndefined();
  await write('1');
  await write('2');
  expect(await drills.readSetting('overdue:t')).toBe('2');
  await write(null);
  expect(await drills.readSetting('overdue:t')).toBeUndefined();
});
