import { expect, test } from 'vitest';
import type { PointStore } from '../backup/index.ts';
import { createContainedInPoint } from './contained-in-point.ts';

test('a point that was dated in the future says nothing of what changed before its date', async () => {
  const hour = 3_600_000;
  const stateAt = async (takenMs: number, misdated: boolean) => {
    const point = { id: 'p', takenMs, misdated, manifest: { components: [{ kind: 'postgres', partial: false }] } };
    const contained = createContainedInPoint({
      // Of the catalogue and the targets, what is asked.
      points: { newest: async () => point } as unknown as PointStore,
      targets: [{ target: { id: 't' } }] as unknown as Parameters<typeof createContainedInPoint>[0]['targets'],
      ...{ stagingDir: '/nowhere', clock: { now: () => 10 * hour } },
    });
    return (await contained({ kind: 'database', targetId: 't', changedMs: hour })).state;
  };
  expect(await stateAt(2 * hour, false)).toBe('contained');
  expect(await stateAt(20 * hour, false)).toBe('unknown');
  expect(await stateAt(2 * hour, true)).toBe('unknown');
});
