import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ChildProcesses, createChildProcesses } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import { packFolder, unpackFolder, whileRoom } from './packed-point.ts';

const { signal } = new AbortController();
let folder: string;
let children: ChildProcesses;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ragwarden-packed-'));
  children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
  await mkdir(join(folder, 'point'));
  await writeFile(join(folder, 'point', 'zeros'), Buffer.alloc(100_000));
});
afterEach(async () => {
  await children.stop();
  await rm(folder, { recursive: true, force: true });
});

test('what was packed comes out as it was; what somebody compressed, to whatever size, is not unpacked', async () => {
  const file = join(folder, 'point.tar');
  await packFolder(children, { folder: join(folder, 'point'), file }, signal);
  await unpackFolder(children, { folder: join(folder, 'out'), file }, signal);
  expect(await readdir(join(folder, 'out'))).toEqual(['zeros']);
  execFileSync('tar', ['-czf', file, '-C', join(folder, 'point'), '.']);
  await expect(unpackFolder(children, { folder: join(folder, 'bomb'), file }, signal)).rejects.toMatchObject({
    code: 'child/failed',
  });
  expect(await readdir(join(folder, 'bomb'))).toEqual([]);
});

test('packing ends before the disk is full, and does not begin on one that is', async () => {
  const shares = [0.06, 0.06, 0.04];
  const room = { freeShare: async () => shares.shift() ?? 1, everyMs: 1 };
  const filling = (ended: AbortSignal) =>
    new Promise((_, reject) => ended.addEventListener('abort', () => reject(new Error('the tool was ended'))));
  await expect(whileRoom(folder, signal, filling, room)).rejects.toMatchObject({ code: 'storage/full' });
  shares.push(0.04);
  let begun = false;
  const work = async () => {
    begun = true;
  };
  await expect(whileRoom(folder, signal, work, room)).rejects.toMatchObject({ code: 'storage/full' });
  expect(begun).toBe(false);
});
