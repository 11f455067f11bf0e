import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createWriteGate } from './write-gate.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const times = { maxMs: 1_000, drainMs: 400 };

test('a write waits while its target is held, and goes on when it is released', async () => {
  const gate = createWriteGate(Date.now);
  expect(await gate.hold('one', 'main', times)).toBe(0);
  const go = vi.fn();
  expect(gate.admit('other', go)).toBeUndefined();
  expect(gate.admit('main', go)).toMatchObject({ leave: expect.any(Function) });
  expect(gate.status()).toEqual({ holding: ['main'], waiting: 1 });
  expect(gate.release('one')).toBe(true);
  expect(go).toHaveBeenCalledOnce();
  expect(gate.admit('main', go)).toBeUndefined();
});

test('a hold ends by itself, and its release says so', async () => {
  const gate = createWriteGate(Date.now);
  await gate.hold('one', 'main', times);
  const go = vi.fn();
  gate.admit('main', go);
  expect(gate.heldForMs('main')).toBe(1_000);
  vi.advanceTimersByTime(1_000);
  expect(go).toHaveBeenCalledOnce();
  expect(gate.release('one')).toBe(false);
});

test('a hold begins when the writes under way have ended, and new ones wait meanwhile', async () => {
  const gate = createWriteGate(Date.now);
  gate.begin('main');
  gate.begin('main');
  const held = gate.hold('one', 'main', times);
  const go = vi.fn();
  gate.admit('main', go);
  gate.end('main');
  gate.end('main');
  expect(await held).toBe(0);
  expect(go).not.toHaveBeenCalled();
});

test('writes that do not end in time are told, and nothing is held', async () => {
  const gate = createWriteGate(Date.now);
  gate.begin('main');
  const held = gate.hold('one', 'main', times);
  const go = vi.fn();
  gate.admit('main', go);
  vi.advanceTimersByTime(400);
  expect(await held).toBe(1);
  expect(go).toHaveBeenCalledOnce();
  expect(gate.release('one')).toBe(false);
});

test('of two holds the target stays held until the last has ended', async () => {
  const gate = createWriteGate(Date.now);
  await gate.hold('one', 'main', times);
  await gate.hold('two', 'main', times);
  const go = vi.fn();
  gate.admit('main', go);
  gate.release('one');
  expect(go).not.toHaveBeenCalled();
  gate.release('two');
  expect(go).toHaveBeenCalledOnce();
});

test('who left while waiting does not go on, and a thousand is the most that wait', async () => {
  const gate = createWriteGate(Date.now);
  await gate.hold('one', 'main', times);
  const gone = vi.fn();
  const place = gate.admit('main', gone);
  if (typeof place === 'object') place.leave();
  for (let count = 0; count < 1_000; count += 1) gate.admit('main', () => undefined);
  expect(gate.admit('main', gone)).toBe('full');
  gate.release('one');
  expect(gone).not.toHaveBeenCalled();
});
