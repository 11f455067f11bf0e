import { expect, test } from 'vitest';
import { type KnownRepository, openRepository } from './open-repository.ts';
import type { Repository } from './repository/index.ts';

type OpenResult = Awaited<ReturnType<Repository['open']>>;

/** Of the port, what opening needs; `made` counts the repositories that were begun. */
function place(state: () => OpenResult) {
  let made = 0;
  let known: Awaited<ReturnType<KnownRepository['read']>>;
  const repository = {
    location: { kind: 'folder', display: '/mnt/backups' },
    open: async () => state(),
    init: async () => {
      made += 1;
      return { id: `new-${made}`, formatVersion: 2 };
    },
    removeOwnStaleLocks: async () => ({ removed: [], remaining: [] }),
    // The other calls of the port are not made.
  } as unknown as Repository;
  const memory: KnownRepository = {
    read: async () => known,
    remember: async (next) => {
      known = next;
    },
  };
  return { open: () => openRepository(repository, memory, {}), made: () => made, forget: () => (known = undefined) };
}

test('the first time a missing repository is made, and remembered', async () => {
  const { open, made } = place(() => ({ state: 'missing' }));
  expect(await open()).toBe('new-1');
  expect(made()).toBe(1);
});

test('a repository that was used and is gone is not begun anew: its disk may not be mounted', async () => {
  let state: OpenResult = { state: 'ok', id: 'a', formatVersion: 2 };
  const { open, made, forget } = place(() => state);
  expect(await open()).toBe('a');
  state = { state: 'missing' };
  await expect(open()).rejects.toThrow('repository/missing');
  expect(made()).toBe(0);
  forget();
  expect(await open()).toBe('new-1');
});

test('another repository at the same place is not used unasked', async () => {
  let state: OpenResult = { state: 'ok', id: 'a', formatVersion: 2 };
  const { open, forget } = place(() => state);
  await open();
  state = { state: 'ok', id: 'b', formatVersion: 2 };
  await expect(open()).rejects.toThrow('repository/replaced');
  forget();
  expect(await open()).toBe('b');
});

test('a wrong password is told as what it is', async () => {
  await expect(place(() => ({ state: 'wrong-password' })).open()).rejects.toThrow('repository/wrong-password');
});
