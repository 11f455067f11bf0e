import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAskedQuota } from './asked-quota.ts';
import type { QuotaAsk } from './ports.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const ask = { targetId: 'main' } as QuotaAsk;

test('an answer in time decides', async () => {
  const quota = createAskedQuota({ send: () => undefined, waitMs: 250 });
  const decided = quota.decide(ask);
  quota.answer(1, { granted: true, reservation: 'r1' });
  expect(await decided).toEqual({ granted: true, reservation: 'r1' });
  expect(quota.unanswered()).toBe(0);
});

test('without one the request goes on and is counted; what a late answer reserved is not forgotten', async () => {
  const quota = createAskedQuota({ send: () => undefined, waitMs: 250 });
  const late = vi.fn();
  const decided = quota.decide(ask, late);
  vi.advanceTimersByTime(250);
  expect(await decided).toEqual({ granted: true, reservation: null });
  expect(quota.unanswered()).toBe(1);
  quota.answer(1, { granted: true, reservation: 'r1' });
  expect(late).toHaveBeenCalledExactlyOnceWith('r1');
});

test('while nobody answers only so many questions are asked', async () => {
  const send = vi.fn();
  const quota = createAskedQuota({ send, waitMs: 250 });
  for (let count = 0; count < 1_500; count += 1) void quota.decide(ask);
  expect(send).toHaveBeenCalledTimes(1_000);
  vi.advanceTimersByTime(250);
  expect(quota.unanswered()).toBe(1_500);
});
