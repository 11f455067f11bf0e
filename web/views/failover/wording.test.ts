import { expect, test } from 'vitest';
import type { Failover, FailoverPlan } from '../../api/failover-wire.ts';
import { consequencesOf, lostOf, mayForce, stepsOf, timesOf, whereItIs } from './wording.ts';

const atMs = Date.parse('2026-01-01T12:00:00Z');
const one: Failover = {
  ...{ failover_id: 'f', kind: 'failover', target_id: 'a', from: 'home', to: 'standby', state: 'running' },
  ...{ phase: 'restoring', outcome: null, backup_id: 'b', checkpoint_id: null, source: 'own', taken_at: null },
  ...{ lost_seconds: null, size_bytes: null, canary: null, documents: null, answered_after_seconds: null, lives: 1 },
  ...{ notes: [], forced: false, operation_id: 'op', requested_by: 'x', finished_at: null },
  created_at: '2026-01-01T11:59:00Z',
  phases: [
    { name: 'choosing', started_at: '2026-01-01T11:59:00Z', seconds: 1.5 },
    { name: 'fencing', started_at: '2026-01-01T11:59:02Z', seconds: 3 },
    { name: 'restoring', started_at: '2026-01-01T11:59:50Z', seconds: null },
  ],
};

test('each phase is done, under way, ahead, or where it stopped', () => {
  const states = stepsOf(one, atMs).map(({ name, state, seconds }) => [name, state, seconds]);
  expect(states).toEqual([
    ['choosing', 'done', 1.5],
    ['fencing', 'done', 3],
    ['restoring', 'now', 10],
    ['starting', 'ahead', undefined],
    ['checking', 'ahead', undefined],
    ['switching', 'ahead', undefined],
    ['verifying', 'ahead', undefined],
  ]);
  expect(whereItIs(one)).toBe('Phase 3 of 7: restoring');
  expect(stepsOf({ ...one, state: 'failed' }, atMs)[2]).toMatchObject({ name: 'restoring', state: 'stopped' });
  expect(timesOf(one)).toBe('choosing 1.5 s · fencing 3.0 s · restoring not ended');
  expect(stepsOf({ ...one, kind: 'reseed', phases: [] }, atMs).map(({ name }) => name)).toEqual([
    ...['taking', 'choosing', 'restoring'],
  ]);
});

test.each([
  [{ in_point: 90, now: 100 }, '10 documents of 100, as they are counted now.'],
  [
    { in_point: 100, now: 100 },
    'No document by number: 100 documents then and now. What was changed in them since is lost.',
  ],
  [
    { in_point: 100, now: 90 },
    'The point has 100 documents, which are 10 more than there are now: what was deleted since comes back.',
  ],
  [{ in_point: 100, now: null }, 'The point has 100 documents; how many there are now cannot be asked.'],
  [{ in_point: null, now: 100 }, 'How many documents the point has is not known.'],
])('what is lost is told in minutes and in documents, and what is not known is no zero: %o', (documents, sentence) => {
  expect(lostOf({ taken_at: '2026-01-01T11:47:30Z', documents }, atMs)).toEqual([
    ...['What was written in the 13 minutes since the point was taken.', sentence],
  ]);
});

test('without a point nothing is said to be lost', () => {
  expect(lostOf({ taken_at: null, documents: { in_point: null, now: 3 } }, atMs)).toEqual([]);
});

test('force is offered after a refusal that force can overcome, and never before', () => {
  const failed = { ...one, state: 'failed' as const };
  expect(mayForce(null, undefined)).toBe(false);
  expect(mayForce({ ...failed, phase: 'fencing' }, undefined)).toBe(true);
  expect(mayForce({ ...failed, phase: 'restoring' }, undefined)).toBe(false);
  expect(mayForce({ ...failed, phase: 'fencing', kind: 'reseed' }, undefined)).toBe(false);
  expect(mayForce({ ...failed, phase: 'verifying', state: 'succeeded' }, undefined)).toBe(false);
  expect(mayForce(null, 'Nobody validated it.')).toBe(true);
});

test('what is agreed to names the target, both places, and that it stands still meanwhile', () => {
  const plan = {
    ...{ target_id: 'a', from: { place: 'home', url: 'http://h', answers: 'it answers' } },
    to: { place: 'standby', url: 'http://s', zone: null },
  } as FailoverPlan;
  const [stands, , leads] = consequencesOf(plan, 4);
  expect(stands).toBe(
    'a is stopped at home, where it is alive now. Nobody is answered until it runs at standby; the last drill restored it in 4.0 s.',
  );
  expect(leads).toContain('Whoever asks http://h without the gateway reaches nothing.');
  const gone = { ...plan, from: { ...plan.from, answers: null } };
  expect(consequencesOf(gone, null)[0]).toBe('a does not answer at home. Should it come back there, it is stopped.');
});
