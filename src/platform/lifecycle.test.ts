import { expect, test } from 'vitest';
import { createLifecycle, type Part } from './lifecycle.ts';
import { silentLogger } from './logging.ts';

function recorded(names: readonly string[], more: Readonly<Record<string, Partial<Part>>> = {}) {
  const order: string[] = [];
  const lifecycle = createLifecycle(silentLogger, { partTimeoutMs: 50 });
  for (const name of names)
    lifecycle.add({
      name,
      start: async () => void order.push(`+${name}`),
      stop: async () => void order.push(`-${name}`),
      ...more[name],
    });
  return { lifecycle, order };
}

test('parts start in order and stop in reverse, once', async () => {
  const { lifecycle, order } = recorded(['a', 'b', 'c']);
  await lifecycle.start();
  await Promise.all([lifecycle.stop('test'), lifecycle.stop('again')]);
  await lifecycle.stop('and again');
  expect(order).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
  expect(lifecycle.signal.reason).toMatchObject({ code: 'internal/stopping' });
});

test('a failed start stops what had begun and tells its own error', async () => {
  const { lifecycle, order } = recorded(['a', 'b', 'c'], { b: { start: () => Promise.reject(new Error('no port')) } });
  await expect(lifecycle.start()).rejects.toThrow('no port');
  expect(order).toEqual(['+a', '-b', '-a']);
});

test.each([
  ['throws', () => Promise.reject(new Error('no'))],
  [
    'throws at once',
    () => {
      throw new Error('no');
    },
  ],
  ['hangs', () => new Promise<void>(() => undefined)],
])('a part whose stop %s skips no other', async (_how, stop) => {
  const { lifecycle, order } = recorded(['a', 'b', 'c'], { b: { stop } });
  await lifecycle.start();
  await lifecycle.stop('test');
  expect(order).toEqual(['+a', '+b', '+c', '-c', '-a']);
});

test('stopping before the start lets nothing start', async () => {
  const { lifecycle, order } = recorded(['a']);
  await lifecycle.stop('early');
  await expect(lifecycle.start()).rejects.toMatchObject({ code: 'internal/stopping' });
  expect(order).toEqual([]);
});

test('a part that is starting when the stop comes is stopped after it has started, and the next ones never start', async () => {
  const opened = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const order: string[] = [];
  const { lifecycle } = recorded([]);
  lifecycle.add({
    name: 'slow',
    async start() {
      begun.resolve();
      await opened.promise;
      order.push('open');
    },
    stop: () => void order.push('closed'),
  });
  lifecycle.add({ name: 'next', start: () => void order.push('next') });
  const started = lifecycle.start();
  await begun.promise;
  const stopped = lifecycle.stop('signal');
  opened.resolve();
  await expect(started).rejects.toMatchObject({ code: 'internal/stopping' });
  await stopped;
  expect(order).toEqual(['open', 'closed']);
});

test('parts may be begun one by one', async () => {
  const { lifecycle, order } = recorded([]);
  for (const name of ['a', 'b'])
    await lifecycle.begin({ name, start: () => void order.push(`+${name}`), stop: () => void order.push(`-${name}`) });
  await lifecycle.stop('test');
  expect(order).toEqual(['+a', '+b', '-b', '-a']);
});
