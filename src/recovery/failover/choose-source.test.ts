import { expect, test } from 'vitest';
import type { RecoveryPoint, Repository } from '../../backup/index.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { chooseSource } from './choose-source.ts';
import type { FailoverDeps, FailoverSource } from './failover-deps.ts';

test('places that do not answer are waited for at the same time, and no longer than their limit', async () => {
  const point = { id: 'p', targetId: 't', scope: 'target', takenMs: 1, verifiedMs: 2, manifest: { format: 1 } };
  // Of points and repositories, what choosing uses.
  const points = { find: async () => point as unknown as RecoveryPoint } as unknown as FailoverDeps['points'];
  let waiting = 0;
  let most = 0;
  const silent = (title: string): FailoverSource => ({
    ...{ kind: 'repository', id: title, title },
    open: async () =>
      ({
        open: ({ signal }: { signal: AbortSignal }) => {
          waiting += 1;
          most = Math.max(most, waiting);
          return new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              waiting -= 1;
              reject(signal.reason);
            });
          });
        },
      }) as unknown as Repository,
  });
  const packed: FailoverSource = {
    ...{ kind: 'packed', id: 'other', title: 'the other ragwarden' },
    list: async () => new Set(['p']),
    bring: () => Promise.reject(new Error('not asked for')),
  };
  const sources = async () => [silent('cellar'), silent('cloud'), packed];
  const { found, notes } = await chooseSource(
    { points, sources, openLimitMs: 50, clock: createFakeClock() },
    { targetId: 't', pointId: 'p' },
    new AbortController().signal,
  );
  expect(found.map(({ source }) => source.id)).toEqual(['other']);
  expect(most).toBe(2);
  expect([...notes].sort()).toEqual(['cellar: did not answer within 0.05 s', 'cloud: did not answer within 0.05 s']);
});

test('a point that is dated in the future is passed over for what was taken since, and both are told', async () => {
  const clock = createFakeClock();
  const verified = { targetId: 't', scope: 'target', verifiedMs: 2, forgottenMs: null, manifest: { format: 1 } };
  const wrongClock = { ...verified, id: 'wrong-clock', takenMs: clock.now() + 86_400_000 } as unknown as RecoveryPoint;
  const rows = [
    wrongClock,
    { ...verified, id: 'newest', takenMs: clock.now() - 60_000 },
    { ...verified, id: 'older', takenMs: clock.now() - 3_600_000 },
  ] as unknown as RecoveryPoint[];
  const points = { list: async () => rows, find: async (id: string) => rows.find((one) => one.id === id) };
  const other: FailoverSource = {
    ...{ kind: 'packed', id: 'other', title: 'the other ragwarden' },
    list: async () => new Set(rows.map(({ id }) => id)),
    bring: () => Promise.reject(new Error('not asked for')),
  };
  const choose = (pointId: string | null) =>
    chooseSource(
      { points: points as unknown as FailoverDeps['points'], sources: async () => [other], clock },
      { targetId: 't', pointId },
      new AbortController().signal,
    );
  const { found, notes } = await choose(null);
  expect(found.map(({ point }) => point.id)).toEqual(['newest']);
  expect(notes).toEqual([expect.stringMatching(/^wrong-clock was dated in the future.*Name it/)]);
  expect((await choose('wrong-clock')).found.map(({ point }) => point.id)).toEqual(['wrong-clock']);
  // A good one that was noted while the clock was behind keeps its place, and is no such point.
  const good = { ...verified, id: 'good', takenMs: clock.now() - 1, misdated: true, inOrder: true };
  rows.splice(0, 1, good as unknown as RecoveryPoint);
  expect(await choose(null)).toMatchObject({ found: [{ point: { id: 'good' } }], notes: [] });
  rows.splice(0, rows.length, wrongClock);
  expect((await choose(null)).found.map(({ point }) => point.id)).toEqual(['wrong-clock']);
});
