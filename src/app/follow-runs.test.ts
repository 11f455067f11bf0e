import { expect, test, vi } from 'vitest';
import type { NewEvent } from '../events/index.ts';
import { silentLogger } from '../platform/logging.ts';
import type { Observation } from '../targets/index.ts';
import { followRuns } from './follow-runs.ts';

test('a run that could not be written down is told by a later look, once', async () => {
  const told: string[] = [];
  const writes: PromiseWithResolvers<void>[] = [];
  let look: (seen: Observation) => void = () => {};
  const see = (state: string): void => look({ run: { state } } as unknown as Observation);
  // Of the two, what it asks for.
  followRuns(
    {
      db: {
        async unit(work: (tx: unknown) => Promise<void>) {
          const write = Promise.withResolvers<void>();
          writes.push(write);
          await write.promise;
          await work(undefined);
        },
      },
      events: { record: async (_tx: unknown, { type }: NewEvent) => told.push(type) },
      logOf: () => silentLogger,
    } as unknown as Parameters<typeof followRuns>[0],
    {
      watched: { target: { id: 't' } },
      onObservation: (then: typeof look) => {
        look = then;
      },
    } as unknown as Parameters<typeof followRuns>[1],
    () => {},
  );
  see('finished');
  see('running');
  // The next look comes before the disk says that it is full.
  see('running');
  writes[0]?.reject(new Error('the disk is full'));
  await vi.waitFor(() => {
    see('running');
    expect(writes).toHaveLength(2);
  });
  writes[1]?.resolve();
  await vi.waitFor(() => expect(told).toEqual(['target.index-run-began']));
  await new Promise(setImmediate);
  see('running');
  expect(writes).toHaveLength(2);
});
