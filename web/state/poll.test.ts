import { expect, test, vi } from 'vitest';
import { createPoll, type Timers } from './poll.ts';

/** Timers that a test fires by hand. */
function handTimers(): Timers & { fire(): void; waiting(): number[] } {
  const pending = new Map<number, { callback: () => void; ms: number }>();
  let next = 0;
  return {
    set(callback, ms) {
      next += 1;
      pending.set(next, { callback, ms });
      return next;
    },
    clear: (handle) => {
      if (typeof handle === 'number') pending.delete(handle);
    },
    now: () => 1_000,
    fire() {
      const due = [...pending.values()];
      pending.clear();
      for (const { callback } of due) callback();
    },
    waiting: () => [...pending.values()].map(({ ms }) => ms),
  };
}

test('asks at once, then again after its interval', async () => {
  const timers = handTimers();
  let asked = 0;
  const poll = createPoll({ load: async () => ++asked, everyMs: () => 3_000, timers });
  poll.start();
  await poll.refresh();
  expect(poll.value.value).toBe(2);
  expect(timers.waiting()).toEqual([3_000]);
  timers.fire();
  await poll.refresh();
  expect(asked).toBe(4);
});

test('keeps the last value when an answer fails, and says what is wrong', async () => {
  const timers = handTimers();
  const answers = ['good', new Error('ragwarden does not answer.'), 'better'];
  const poll = createPoll({
    load: async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    },
    everyMs: () => 1,
    timers,
  });
  poll.start();
  await Promise.resolve();
  await poll.refresh();
  expect(poll.value.value).toBe('good');
  expect(poll.problem.value).toBe('ragwarden does not answer.');
  await poll.refresh();
  expect([poll.value.value, poll.problem.value]).toEqual(['better', undefined]);
});

test('an answer that comes after the stop counts no more, and stopping can forget', async () => {
  const timers = handTimers();
  const answers: ((value: string) => void)[] = [];
  const load = () => new Promise<string>((resolve) => answers.push(resolve));
  const poll = createPoll({ load, everyMs: () => 1, timers });
  const answer = async (number: number, value: string): Promise<void> => {
    await vi.waitFor(() => expect(answers).toHaveLength(number));
    answers[number - 1]?.(value);
  };
  poll.start();
  const first = poll.refresh();
  poll.stop();
  await answer(1, 'late');
  await first;
  expect(poll.value.value).toBeUndefined();
  expect(timers.waiting()).toEqual([]);

  poll.start();
  const second = poll.refresh();
  await answer(2, 'seen');
  await answer(3, 'seen again');
  await second;
  expect(poll.value.value).toBe('seen again');
  poll.stop({ forget: true });
  expect(poll.value.value).toBeUndefined();
});
