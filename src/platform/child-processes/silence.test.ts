import { expect, test } from 'vitest';
import { createFakeClock } from '../fake-clock.ts';
import { bytesMoved } from './proc.ts';
import { untilSilent } from './silence.ts';

test('silence is when nothing moved for the whole of the limit, and not before', async () => {
  const clock = createFakeClock();
  let bytes = 5;
  let ended: boolean | undefined;
  const { signal } = new AbortController();
  void untilSilent({ limitMs: 1_000, moved: () => bytes, clock, signal }).then((silent) => {
    ended = silent;
  });
  const wait = async (steps: number): Promise<void> => {
    for (let step = 0; step < steps; step += 1) await clock.advance(100);
  };
  await wait(9);
  bytes += 100_000;
  await wait(10);
  expect(ended).toBeUndefined();
  // A line that was written and not read yet.
  bytes += 300;
  await wait(1);
  expect(ended).toBe(true);
});

test('where it cannot be seen nobody is silent, and whoever is not awaited any more is not looked at', async () => {
  const clock = createFakeClock();
  const abort = new AbortController();
  const { signal } = abort;
  expect(await untilSilent({ limitMs: 1_000, moved: () => undefined, clock, signal })).toBe(false);
  const watched = untilSilent({ limitMs: 1_000, moved: () => 1, clock, signal });
  abort.abort(new Error('over'));
  await expect(watched).rejects.toThrow('over');
  expect(bytesMoved(-1)).toBeUndefined();
});

test.runIf(process.platform === 'linux')('what a process reads and writes is seen', () => {
  const before = bytesMoved(process.pid);
  expect(bytesMoved(process.pid)).toBeGreaterThan(before ?? 0);
});
