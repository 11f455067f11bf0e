import { expect, test } from 'vitest';
import { createGate } from './gate.ts';

/** Work that ends when it is told to. */
function held() {
  let end: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { work: () => done, end: () => end() };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('backups go together, what removes goes alone, and nobody overtakes who waits', async () => {
  const gate = createGate();
  const seen: string[] = [];
  const [first, second, alone, last] = [held(), held(), held(), held()];
  const note = (name: string, one: ReturnType<typeof held>) => async () => {
    seen.push(`${name} begins`);
    await one.work();
    seen.push(`${name} ends`);
  };
  const all = [
    gate.shared(undefined, note('first', first)),
    gate.shared(undefined, note('second', second)),
    gate.exclusive(undefined, note('alone', alone)),
    gate.shared(undefined, note('last', last)),
  ];
  await turn();
  expect(seen).toEqual(['first begins', 'second begins']);
  first.end();
  await turn();
  second.end();
  await turn();
  expect(seen.slice(2)).toEqual(['first ends', 'second ends', 'alone begins']);
  alone.end();
  await turn();
  last.end();
  await Promise.all(all);
  expect(seen.slice(5)).toEqual(['alone ends', 'last begins', 'last ends']);
});

test('who is cancelled while waiting leaves, and who fails lets the next one in', async () => {
  const gate = createGate();
  const first = held();
  const running = gate.shared(undefined, first.work);
  const abort = new AbortController();
  const waiting = gate.exclusive(abort.signal, async () => 'never');
  const behind = gate.shared(undefined, async () => 'in');
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  expect(await behind).toBe('in');
  first.end();
  await running;
  await expect(
    gate.exclusive(undefined, async () => {
      throw new Error('failed');
    }),
  ).rejects.toThrow('failed');
  expect(await gate.exclusive(undefined, async () => 'next')).toBe('next');
  await expect(gate.shared(abort.signal, async () => 'never')).rejects.toThrow('enough');
});
