import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { followSwitches } from './follow-switches.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function followed() {
  const read = vi.fn(async () => undefined);
  const wanted = signal(true);
  const isLost = signal(false);
  const connection = signal<'connecting' | 'live' | 'reconnecting' | 'none'>('connecting');
  followSwitches({ read, wanted, isLost, connection });
  /** How often it was read since the last look. */
  const reads = async (ms = 0): Promise<number> => {
    await vi.advanceTimersByTimeAsync(ms);
    const { length } = read.mock.calls;
    read.mockClear();
    return length;
  };
  return { wanted, isLost, connection, reads };
}

test('the switches are read once a minute, since a restart may pass between two questions', async () => {
  const { wanted, reads } = followed();
  expect([await reads(), await reads(59_000), await reads(1_000), await reads(60_000)]).toEqual([1, 0, 1, 1]);
  wanted.value = false;
  expect(await reads(600_000)).toBe(0);
});

test('the switches are read at once when the tab is looked at again', async () => {
  const { wanted, reads } = followed();
  await reads();
  wanted.value = false;
  await reads(1_000);
  wanted.value = true;
  expect(await reads()).toBe(1);
});

test('the switches are read at once when the server or its stream is back, whatever the stream is by then', async () => {
  const { isLost, connection, reads } = followed();
  await reads();
  connection.value = 'live';
  expect(await reads()).toBe(0);
  connection.value = 'reconnecting';
  expect(await reads()).toBe(0);
  connection.value = 'live';
  expect(await reads()).toBe(1);
  for (const now of ['reconnecting', 'connecting', 'none'] as const) connection.value = now;
  expect(await reads()).toBe(1);
  isLost.value = true;
  expect(await reads()).toBe(0);
  isLost.value = false;
  expect(await reads()).toBe(1);
});
