import { expect, test } from 'vitest';
import { silentLogger } from '../../platform/logging.ts';
import type { RecoveryPoint } from '../point.ts';
import { createCatalogue } from './catalogue.ts';

test('of a pin it is told who lasts: anybody’s own, also where a checkpoint had pinned the point, and no checkpoint’s', async () => {
  const own: string[] = [];
  const catalogue = createCatalogue({
    db: { unit: (work: (tx: null) => unknown) => work(null) },
    points: { update: async () => undefined },
    events: { audit: async () => 1 },
    repository: { snapshots: async () => [] },
    log: silentLogger,
    clock: { now: () => 0 },
    onPinned: async (_: unknown, pointId: string) => void own.push(pointId),
    // Of its parts, what a pin uses.
  } as unknown as Parameters<typeof createCatalogue>[0]);
  const pin = (id: string, pinned: boolean, forCheckpoint?: boolean) => {
    const point = {
      id,
      status: 'success',
      forgottenMs: null,
      pinned: true,
      manifest: null,
    } as unknown as RecoveryPoint;
    return catalogue.pin({ point, pinned, requestedBy: 'eva', forCheckpoint });
  };
  await pin('of-checkpoint', true, true);
  await pin('taken-away', false);
  expect((await pin('own', true)).pinned).toBe(true);
  expect(own).toEqual(['own']);
});
