import { expect, test } from 'vitest';
import type { Manifest } from '../manifest.ts';
import type { RecoveryPoint } from '../point.ts';
import { type FoundPoint, planCatalogue, refuseManifest } from './plan-catalogue.ts';

const id = 'backup_20261122_093000_x7k2';
const manifest: Manifest = {
  format: 'ragwarden-recovery-point',
  version: 1,
  id,
  target: {
    id: 'default',
    kind: 'lightrag',
    core_version: null,
    api_version: null,
    workspaces: [''],
    storage_classes: {},
    embedding_model: null,
    embedding_dimension: null,
  },
  scope: 'target',
  cause: 'manual',
  taken_at: '2026-11-22T09:30:01.500Z',
  grade: 'consistent',
  reasons: [],
  partial: false,
  total_size_mb: 0,
  components: [],
  missing: [],
  documents: null,
  counts: null,
  audit: { seq: 0, hash: '' },
  warden_version: '0.1.0',
};
const found = (more: Partial<FoundPoint> = {}): FoundPoint => ({
  id,
  snapshotIds: ['5'.repeat(64)],
  treeIds: ['7'.repeat(64)],
  tags: [`rp:${id}`, 'manifest', 'target:default'],
  manifest,
  refused: undefined,
  ...more,
});
const added = (point: FoundPoint): RecoveryPoint => {
  const row = planCatalogue([], [point], 'repository')[0]?.row;
  if (!row) throw new Error('nothing was planned');
  return row;
};

test('a point of an earlier version comes with what it says, the second of its id, and nulls for the rest', () => {
  const [item] = planCatalogue([], [found()], 'repository');
  expect(item).toMatchObject({
    action: 'add',
    reason:
      'the catalogue does not know it (nobody noted when it was finished, whether it was verified, how much it added)',
    row: {
      startedMs: Date.parse('2026-11-22T09:30:00Z'),
      takenMs: Date.parse('2026-11-22T09:30:01.500Z'),
      finishedMs: null,
      verifiedMs: null,
      storedBytes: null,
      operationId: null,
      pinned: false,
      status: 'success',
    },
  });
});

test('each side learns what only the other knows', () => {
  const row = { ...added(found()), verifiedMs: 5_000, treeId: null, pinned: true };
  const tags = [...found().tags, 'finished-at:1970-01-01T00:00:04.000Z', 'verified-at:1970-01-01T00:00:03.000Z'];
  const [item] = planCatalogue([row], [found({ tags })], 'repository');
  expect(item).toMatchObject({
    action: 'complete',
    change: { treeId: '7'.repeat(64), finishedMs: 4_000 },
    tags: {
      add: ['started-at:2026-11-22T09:30:00.000Z', 'verified-at:1970-01-01T00:00:05.000Z', 'pinned'],
      remove: ['verified-at:1970-01-01T00:00:03.000Z'],
    },
  });
});

test.each<[string, Partial<RecoveryPoint>, Partial<FoundPoint>, string, string]>([
  ['another tree', {}, { treeIds: ['8'], manifest: undefined }, 'mismatch', 'another tree'],
  ['two trees', {}, { treeIds: ['8', '9'] }, 'refuse', 'two different snapshots'],
  ['another grade', { treeId: null, grade: 'fuzzy' }, {}, 'mismatch', 'grade'],
  ['a manifest that was refused', {}, { refused: 'it is no JSON' }, 'refuse', 'no JSON'],
  ['a run that failed', { status: 'error' }, {}, 'keep', 'failed'],
  ['one that was forgotten', { forgottenMs: 1 }, {}, 'keep', 'forgotten'],
  ['one that is being taken', { status: 'running' }, {}, 'leave', 'being taken'],
])('%s: nothing is written', (_, row, point, action, reason) => {
  const [item] = planCatalogue([{ ...added(found()), ...row }], [found(point)], 'repository');
  expect(item).toMatchObject({ action, reason: expect.stringContaining(reason) });
  expect([item?.row, item?.change, item?.tags]).toEqual([undefined, undefined, undefined]);
});

test('what the repository does not hold is lost only where it should lie there', () => {
  const row = added(found());
  const actionFor = (change: Partial<RecoveryPoint>) =>
    planCatalogue([{ ...row, ...change }], [], 'repository')[0]?.action;
  expect(actionFor({})).toBe('lost');
  expect(actionFor({ repositoryId: 'another' })).toBe('leave');
  for (const change of [
    { forgottenMs: 1 },
    { status: 'error' as const },
    { status: 'running' as const },
    { status: 'lost' as const },
  ])
    expect(actionFor(change)).toBeUndefined();
});

test('a point that moved with its repository to another one is known there', () => {
  const [item] = planCatalogue([added(found())], [found()], 'another');
  expect(item).toMatchObject({ action: 'complete', change: { repositoryId: 'another' } });
});

test.each<[string, Partial<Manifest>, string]>([
  ['of another point', { id: 'backup_20261122_093000_x7k3' }, 'that of backup_20261122_093000_x7k3'],
  ['of another target', { target: { ...manifest.target, id: 'other' } }, 'target other'],
  ['without a time', { taken_at: 'once' }, 'when it was taken'],
])('a manifest %s is refused', (_, change, reason) => {
  expect(refuseManifest(id, found().tags, { ...manifest, ...change })).toContain(reason);
});

test('a manifest that names other components than its tags is refused', () => {
  expect(refuseManifest(id, found().tags, manifest)).toBeUndefined();
  expect(refuseManifest(id, [...found().tags, 'component:workspace'], manifest)).toContain('different components');
});
