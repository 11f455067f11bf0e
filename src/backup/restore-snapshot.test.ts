import { expect, test } from 'vitest';
import { AppError } from '../platform/errors.ts';
import type { Repository } from './repository/index.ts';
import { restoreSnapshot } from './restore-snapshot.ts';

const gone = (): never => {
  throw new AppError('backup/unknown-point', 'It has no such snapshot.');
};

/** A repository that holds one snapshot of the point, or none. */
const holding = (id: string | undefined, restored: string[]): Pick<Repository, 'restore' | 'snapshots'> => ({
  async snapshots({ tags = [] } = {}) {
    expect(tags).toEqual(['rp:p', 'manifest']);
    return id === undefined ? [] : [{ id, createdAtMs: 1, tree: 't', tags: [], paths: [], host: 'h' }];
  },
  async restore({ snapshotId }) {
    if (snapshotId !== id) gone();
    restored.push(snapshotId);
  },
});

test('a point whose snapshot got another id since it was looked up is restored all the same', async () => {
  const restored: string[] = [];
  await restoreSnapshot(holding('after the pin', restored), 'p', { snapshotId: 'before it', target: '/t' });
  expect(restored).toEqual(['after the pin']);
});

test('one that is gone is told so, and what fails otherwise is not asked for again', async () => {
  const request = { snapshotId: 'before it', target: '/t' };
  const unknown = { code: 'backup/unknown-point' };
  await expect(restoreSnapshot(holding(undefined, []), 'p', request)).rejects.toMatchObject(unknown);
  const locked = { ...holding('x', []), restore: () => Promise.reject(new AppError('repository/locked', 'Held.')) };
  await expect(restoreSnapshot(locked, 'p', request)).rejects.toMatchObject({ code: 'repository/locked' });
});
