import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSegmentQueue, type DropReason, type SegmentQueue } from './segment-queue.ts';

let folder: string;
let dropped: [DropReason, samples: number][];
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'ragwarden-queue-')), 'store');
  dropped = [];
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

const openQueue = async (maxBytes = 1_000_000): Promise<SegmentQueue> => {
  const queue = createSegmentQueue({
    folder,
    maxBytes,
    onDropped: (reason, { samples }) => dropped.push([reason, samples]),
  });
  await queue.open();
  return queue;
};
const put = (queue: SegmentQueue, text: string, samples = 1, atMs = 1_000) =>
  queue.append(Buffer.from(text), { atMs, samples });
const drain = async (queue: SegmentQueue): Promise<string[]> => {
  const found: string[] = [];
  for (let next = await queue.take(); next !== undefined; next = await queue.take()) {
    found.push(Buffer.from(next.body).toString());
    await queue.remove(next.segment);
  }
  return found;
};

test('the next life finds what was queued, in its order, and nothing of what was half written', async () => {
  const queue = await openQueue();
  for (const text of ['a', 'b', 'c']) await put(queue, text, 7, 5_000);
  writeFileSync(join(folder, '000000000004-5000-7.segment.tmp'), 'hal');
  const next = await openQueue();
  expect(next.state()).toEqual({ segments: 3, samples: 21, bytes: 3 * 9, oldestMs: 5_000 });
  await put(next, 'd');
  expect(await drain(next)).toEqual(['a', 'b', 'c', 'd']);
  expect(readdirSync(folder)).toEqual([]);
  expect(next.state()).toMatchObject({ segments: 0, samples: 0, bytes: 0, oldestMs: undefined });
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('a damaged request is counted and left out, and keeps no other from being sent', async () => {
  const queue = await openQueue();
  for (const [i, text] of ['first', 'second', 'third', 'fourth', 'fifth'].entries()) await put(queue, text, i + 1);
  const files = readdirSync(folder).sort();
  const damage = (at: number, change: (bytes: Buffer) => Uint8Array): void => {
    const path = join(folder, files[at] ?? '');
    writeFileSync(path, change(readFileSync(path)));
  };
  damage(0, (bytes) => bytes.fill(0x41, 9, 10));
  damage(1, (bytes) => bytes.subarray(0, 10));
  damage(2, () => Buffer.alloc(0));
  rmSync(join(folder, files[3] ?? ''));
  expect(await drain(await openQueue())).toEqual(['fifth']);
  expect(dropped).toEqual([
    ['damaged', 1],
    ['damaged', 2],
    ['damaged', 3],
  ]);
  dropped = [];
  // This one saw it while it was still there.
  expect(await drain(queue)).toEqual([]);
  expect(dropped).toContainEqual(['damaged', 4]);
});

test('when it is full the oldest goes and is counted, but not the one that is being sent', async () => {
  const queue = await openQueue(3 * 18);
  for (const text of ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc']) await put(queue, text, 2);
  const sending = await queue.take();
  await put(queue, 'dddddddddd', 3);
  expect(dropped).toEqual([['queue-full', 2]]);
  await queue.remove(sending!.segment);
  expect(await drain(queue)).toEqual(['cccccccccc', 'dddddddddd']);
  await put(queue, 'x'.repeat(100), 9);
  expect(dropped.at(-1)).toEqual(['queue-full', 9]);
  expect(readdirSync(folder)).toEqual([]);
});

test('holds no more than its bytes and forgets only from the old end, whatever is done with it', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), length: fc.integer({ min: 1, max: 40 }) }),
    fc.constant({ kind: 'send' as const }),
    fc.constant({ kind: 'restart' as const }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      rmSync(folder, { recursive: true, force: true });
      let queue = await openQueue(100);
      let model: string[] = [];
      let made = 0;
      for (const one of steps)
        if (one.kind === 'put') {
          const text = String(made).padEnd(one.length, '.');
          made += 1;
          await put(queue, text);
          model.push(text);
          while (model.reduce((sum, each) => sum + each.length + 8, 0) > 100) model.shift();
        } else if (one.kind === 'send') {
          const found = await queue.take();
          expect(found === undefined ? undefined : Buffer.from(found.body).toString()).toBe(model[0]);
          if (found) await queue.remove(found.segment);
          model = model.slice(1);
        } else queue = await openQueue(100);
      expect(queue.state().bytes).toBeLessThanOrEqual(100);
      expect(await drain(queue)).toEqual(model);
    }),
    { numRuns: 40 },
  );
});
