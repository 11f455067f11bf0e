import { expect, test } from 'vitest';
import type { Snapshot } from '../repository/index.ts';
import { planLeftovers } from './leftovers.ts';

const hour = 3_600_000;
const nowMs = 1_000 * 24 * hour;
const id = (tail: string) => `backup_20260101_000000_${tail}`;
let number = 0;
const snapshot = (ageHours: number, ...tags: string[]): Snapshot => {
  number += 1;
  return {
    id: number.toString(16).padStart(64, '0'),
    createdAtMs: nowMs - ageHours * hour,
    tree: '',
    tags: ['target:t', ...tags],
    paths: [],
    host: '',
  };
};
const plan = (snapshots: Snapshot[], running: string[] = []) =>
  planLeftovers(snapshots, { targetId: 't', nowMs, running: new Set(running), retentionDays: 7 }).map(
    (one) => one.pointId,
  );

test('streams without a manifest are leftovers after a day, and not while their run is under way', () => {
  const streams = [
    snapshot(23, `rp:${id('aaaa')}`),
    snapshot(25, `rp:${id('bbbb')}`),
    snapshot(25, `rp:${id('cccc')}`),
  ];
  expect(plan(streams)).toEqual([id('bbbb'), id('cccc')]);
  expect(plan(streams, [id('cccc')])).toEqual([id('bbbb')]);
  expect(plan([...streams, snapshot(25, `rp:${id('bbbb')}`, 'manifest')])).toEqual([id('cccc')]);
});

test('a rejected point stays as long as a point would, then its streams go with it', () => {
  const tags = [`rp:${id('aaaa')}`];
  expect(plan([snapshot(6 * 24, ...tags, 'manifest', 'rejected')])).toEqual([]);
  expect(plan([snapshot(8 * 24, ...tags, 'manifest', 'rejected'), snapshot(8 * 24, ...tags)])).toHaveLength(2);
});

test('what is not of this target, or names no point, is never touched', () => {
  const foreign = { ...snapshot(99, `rp:${id('aaaa')}`), tags: ['target:other', `rp:${id('aaaa')}`] };
  const untargeted = { ...foreign, tags: [`rp:${id('aaaa')}`] };
  expect(
    plan([foreign, untargeted, snapshot(99), snapshot(99, 'rp:x'), snapshot(99, `rp:${id('aaaa')}`, 'rp:y')]),
  ).toEqual([]);
});
