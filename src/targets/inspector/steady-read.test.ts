import { appendFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../platform/clock.ts';
import { readRows } from './key-value-files.ts';
import { isUnchanged, readSteadily, type SteadyReadOptions } from './steady-read.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'steady-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const options = (onBytes: () => void): SteadyReadOptions => ({
  clock: systemClock,
  tries: 3,
  retryDelayMs: 1,
  youngMs: 0,
  onBytes,
});

test('a file that grows during every reading is changing, after the agreed number of tries', async () => {
  const file = path.join(folder, 'growing.json');
  await writeFile(file, '{"a": {}}');
  let readings = 0;
  const reading = await readSteadily(
    file,
    readRows,
    options(() => {
      appendFileSync(file, ' ');
      readings += 1;
    }),
  );
  expect(reading.state).toBe('changing');
  expect(reading.result).toBeUndefined();
  expect(readings).toBe(3);
});

test('a file that was written to during the first reading only is read again', async () => {
  const file = path.join(folder, 'once.json');
  await writeFile(file, '{"a": {}');
  let readings = 0;
  const reading = await readSteadily(
    file,
    readRows,
    options(() => {
      if (readings === 0) appendFileSync(file, ', "b": {}}');
      readings += 1;
    }),
  );
  expect(reading.state).toBe('ok');
  expect(reading.result).toBe(2);
});

test('a file that is replaced meanwhile stays the one that was opened, and is known to be another one now', async () => {
  const file = path.join(folder, 'replaced.json');
  await writeFile(file, '{"a": {}}');
  const whole = await readSteadily(
    file,
    readRows,
    options(() => {}),
  );
  expect(whole.signature && (await isUnchanged(file, whole.signature))).toBe(true);
  await writeFile(`${file}.new`, '{"b": {}}');
  await rename(`${file}.new`, file);
  expect(whole.signature && (await isUnchanged(file, whole.signature))).toBe(false);
  await rm(file);
  expect(whole.signature && (await isUnchanged(file, whole.signature))).toBe(false);
});
