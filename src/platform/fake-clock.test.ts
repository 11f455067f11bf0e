import { expect, test } from 'vitest';
import { createFakeClock } from './fake-clock.ts';

test('sleepers wake in order of their time, those of a woken one included', async () => {
  const clock = createFakeClock(1_000);
  const woken: string[] = [];
  const sleep = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms);
    woken.push(`${name} ${clock.now()}`);
  };
  void sleep('late', 300);
  void sleep('early', 100).then(() => sleep('next', 100));
  await clock.advance(250);
  expect(woken).toEqual(['early 1100', 'next 1200']);
  expect([clock.now(), clock.monotonic(), clock.sleeping()]).toEqual([1_250, 250, 1]);
  await clock.advance(50);
  expect(woken.at(-1)).toBe('late 1300');
});

test('a sleep ends with the reason of its signal', async () => {
  const clock = createFakeClock();
  const abort = new AbortController();
  const slept = clock.sleep(10, abort.signal);
  abort.abort(new Error('enough'));
  await expect(slept).rejects.toThrow('enough');
  await expect(clock.sleep(10, abort.signal)).rejects.toThrow('enough');
  expect(clock.sleeping()).toBe(0);
});
