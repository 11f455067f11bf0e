import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAskedQuota } from './asked-quota.ts';
import type { QuotaAsk, QuotaGuard } from './ports.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const ask: QuotaAsk = {
  door: 'backend',
  targetId: 'main',
  workspace: '',
  subject: 'local:anna',
  keyId: 'key_1',
  operation: 'insert',
  writes: true,
  requestBytes: null,
};
const guard: QuotaGuard = {
  id: 'inserts',
  doors: ['backend'],
  writesOnly: true,
  targetId: null,
  workspace: null,
  subject: 'local:anna',
  keyId: null,
  whenSilent: 'closed',
};

test('an answer in time decides', async () => {
  const quota = createAskedQuota({ send: () => undefined, waitMs: 250, guards: [] });
  const decided = quota.decide(ask);
  quota.answer(1, { granted: true, reservation: 'r1' });
  expect(await decided).toEqual({ granted: true, reservation: 'r1' });
  expect(quota.unanswered()).toBe(0);
});

test('without one the request goes on and is counted; what a late answer reserved is not forgotten', async () => {
  const quota = createAskedQuota({ send: () => undefined, waitMs: 250, guards: [] });
  const late = vi.fn();
  const decided = quota.decide(ask, late);
  vi.advanceTimersByTime(250);
  expect(await decided).toEqual({ granted: true, reservation: null });
  expect(quota.unanswered()).toBe(1);
  quota.answer(1, { granted: true, reservation: 'r1' });
  expect(late).toHaveBeenCalledExactlyOnceWith('r1');
});

test('a question waits until it was answered, or nobody answered in time', async () => {
  const quota = createAskedQuota({ send: () => undefined, waitMs: 250, guards: [] });
  const both = [quota.decide(ask), quota.decide(ask)];
  expect(quota.waiting()).toBe(2);
  quota.answer(1, { granted: true, reservation: null });
  expect(quota.waiting()).toBe(1);
  quota.hold(2, 1_000);
  vi.advanceTimersByTime(1_249);
  expect([quota.waiting(), quota.unanswered()]).toEqual([1, 0]);
  vi.advanceTimersByTime(1);
  // What is answered later is no matter of anybody's waiting.
  expect([quota.waiting(), quota.unanswered()]).toEqual([0, 1]);
  await Promise.all(both);
});

test('while nobody answers only so many questions are asked', async () => {
  const send = vi.fn();
  const quota = createAskedQuota({ send, waitMs: 250, guards: [] });
  for (let count = 0; count < 1_500; count += 1) void quota.decide(ask);
  expect(send).toHaveBeenCalledTimes(1_000);
  vi.advanceTimersByTime(250);
  expect(quota.unanswered()).toBe(1_500);
});

test('nobody is asked about what no quota is a matter of', () => {
  const quota = createAskedQuota({ send: () => undefined, waitMs: 250, guards: [guard] });
  expect(quota.concerns(ask)).toBe(true);
  expect(quota.concerns({ ...ask, writes: false })).toBe(false);
  expect(quota.concerns({ ...ask, door: 'llm' })).toBe(false);
  expect(quota.concerns({ ...ask, subject: 'local:bert' })).toBe(false);
  quota.setGuards([]);
  expect(quota.concerns(ask)).toBe(false);
});

test('a slow other thread is no way around a quota that is closed then, and only around that one', async () => {
  const quota = createAskedQuota({ send: () => undefined, waitMs: 250, guards: [guard] });
  const [hers, his] = [quota.decide(ask), quota.decide({ ...ask, subject: 'local:bert' })];
  vi.advanceTimersByTime(250);
  expect(await hers).toMatchObject({ granted: false, why: 'unavailable', policy: 'inserts', retryAfterSeconds: 1 });
  expect(await his).toEqual({ granted: true, reservation: null });
  expect([quota.unanswered(), quota.refusedUnanswered()]).toEqual([2, 1]);
});

test('a request that waits for its turn is waited for, as long as was said', async () => {
  const quota = createAskedQuota({ send: () => undefined, waitMs: 250, guards: [guard] });
  const decided = quota.decide(ask);
  quota.hold(1, 10_000);
  vi.advanceTimersByTime(9_000);
  quota.answer(1, { granted: true, reservation: 'r1' });
  expect(await decided).toEqual({ granted: true, reservation: 'r1' });
});
