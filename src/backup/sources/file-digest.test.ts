import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { digestFile, digestHandle } from './file-digest.ts';

const mib = 1024 ** 2;

/** A file of that many bytes, all of them zero, of which nothing is kept. */
function endless(size: number) {
  const buffers = new Set<ArrayBufferLike>();
  let largest = 0;
  const handle = {
    async read(buffer: Buffer, offset: number, length: number, position: number) {
      buffers.add(buffer.buffer);
      largest = Math.max(largest, buffer.byteLength);
      // As a disk does: whoever waits for the loop has a turn.
      await new Promise((resolve) => setImmediate(resolve));
      const bytesRead = Math.max(0, Math.min(length, size - position));
      buffer.fill(0, offset, offset + bytesRead);
      return { bytesRead, buffer };
    },
  } as unknown as FileHandle;
  return { handle, buffers, largest: () => largest };
}

test('a file of any size is read in pieces of one MiB into one buffer, and others have their turn between two', async () => {
  const file = endless(40 * mib + 1);
  let turns = 0;
  let reading = true;
  const turn = (): void => {
    turns += 1;
    if (reading) setImmediate(turn);
  };
  setImmediate(turn);
  const found = await digestHandle(file.handle);
  reading = false;
  expect(found).toEqual({
    bytes: 40 * mib + 1,
    sha256: createHash('sha256')
      .update(Buffer.alloc(40 * mib + 1))
      .digest('hex'),
  });
  expect([file.buffers.size, file.largest()]).toEqual([1, mib]);
  expect(turns).toBeGreaterThan(40);
});

test('whoever stops it waits for one piece at most', async () => {
  const stop = new AbortController();
  let read = 0;
  const digesting = digestHandle(endless(Number.MAX_SAFE_INTEGER).handle, {
    signal: stop.signal,
    onBytes(bytes) {
      read += bytes;
      if (read === 3 * mib) stop.abort(new Error('stopped'));
    },
  });
  await expect(digesting).rejects.toThrow('stopped');
  expect(read).toBe(3 * mib);
  await expect(digestFile('/dev/null')).resolves.toMatchObject({ bytes: 0 });
});
