import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Observation } from './observation.ts';
import { createOutbox } from './outbox.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const observation = { door: 'backend' } as Observation;

test('what comes together goes together, a moment later', () => {
  const send = vi.fn();
  const outbox = createOutbox({ send });
  outbox.put(observation);
  outbox.put(observation);
  expect(send).not.toHaveBeenCalled();
  vi.advanceTimersByTime(100);
  expect(send).toHaveBeenCalledExactlyOnceWith(1, [observation, observation]);
});

test('while nobody takes them over they wait up to a bound, then they are dropped and counted; nothing is lost before', () => {
  const sent: number[] = [];
  const outbox = createOutbox({ send: (_batch, items) => void sent.push(items.length), mostBuffered: 500 });
  for (let count = 0; count < 2_000; count += 1) outbox.put(observation);
  expect(sent).toEqual([250, 250, 250, 250]);
  expect(outbox.status()).toEqual({ buffered: 500, dropped: 500 });
  outbox.taken(1);
  expect(sent).toHaveLength(5);
  for (const batch of [2, 3, 4]) outbox.taken(batch);
  vi.advanceTimersByTime(100);
  expect(sent.reduce((sum, size) => sum + size)).toBe(1_500);
  expect(outbox.status()).toEqual({ buffered: 0, dropped: 500 });
});
