import { expect, test } from 'vitest';
import { createConsumptionLog } from './consumption.ts';
import type { ProcessSample } from './host.ts';
import { parseProcessIo } from './procfs-process.ts';

const process = (figures: Partial<ProcessSample>): ProcessSample => ({
  pid: 7,
  cpuPercent: 0,
  cpuSeconds: 0,
  memoryPercent: 1,
  residentBytes: 100,
  virtualBytes: 1_000,
  threads: 1,
  startedAtMs: 0,
  openFiles: 1,
  connections: 1,
  openDescriptors: 3,
  readBytes: 0,
  writtenBytes: 0,
  ...figures,
});

test('what was taken between two instants is the growth of the counters, with average and peak of what is a level', () => {
  const log = createConsumptionLog();
  const note = (atMs: number, figures: Partial<ProcessSample>) =>
    log.note({ takenAtMs: atMs, targetProcess: process(figures) });
  note(1_000, { cpuSeconds: 50, readBytes: 1_000, residentBytes: 100 });
  expect(log.between(0, 5_000)).toBeUndefined();
  note(2_000, { cpuSeconds: 51.5, readBytes: 4_000, writtenBytes: 10, residentBytes: 400, openDescriptors: 9 });
  note(3_000, { cpuSeconds: 52, readBytes: 4_000, writtenBytes: 25, residentBytes: 100 });
  expect(log.between(0, 5_000)).toEqual({
    fromMs: 1_000,
    toMs: 3_000,
    cpuSeconds: 2,
    readBytes: 3_000,
    writtenBytes: 25,
    residentBytes: { average: 200, greatest: 400 },
    openDescriptors: { greatest: 9 },
  });
  expect(log.between(2_000, 3_000)).toMatchObject({ cpuSeconds: 0.5, writtenBytes: 15 });
});

test('a backend that was started anew goes on counting, and what it did since then is its own', () => {
  const log = createConsumptionLog();
  log.note({ takenAtMs: 0, targetProcess: process({ cpuSeconds: 10 }) });
  log.note({ takenAtMs: 1_000, targetProcess: process({ cpuSeconds: 12 }) });
  log.note({ takenAtMs: 2_000, targetProcess: undefined });
  log.note({ takenAtMs: 3_000, targetProcess: process({ pid: 8, startedAtMs: 2_500, cpuSeconds: 0.4 }) });
  expect(log.between(0, 3_000)?.cpuSeconds).toBeCloseTo(2.4);
});

test('what another user keeps to himself is not known, and is not zero', () => {
  const log = createConsumptionLog();
  for (const at of [0, 1_000])
    log.note({ takenAtMs: at, targetProcess: process({ readBytes: undefined, writtenBytes: undefined }) });
  expect(log.between(0, 1_000)).toMatchObject({ cpuSeconds: 0, readBytes: undefined, writtenBytes: undefined });
  expect(parseProcessIo('')).toBeUndefined();
  expect(parseProcessIo('rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\n')).toEqual({
    readBytes: 5,
    writtenBytes: 6,
  });
});

test('a day of samples keeps its totals and its peaks in a bounded number of readings', () => {
  const log = createConsumptionLog();
  const second = 1_000;
  for (let at = 0; at <= 86_400; at += 5)
    log.note({
      takenAtMs: at * second,
      targetProcess: process({ cpuSeconds: at / 10, residentBytes: at === 40_005 ? 999 : 100 }),
    });
  const day = log.between(0, 86_400 * second);
  expect(day?.cpuSeconds).toBeCloseTo(8_640);
  expect(day?.residentBytes.greatest).toBe(999);
  // A quarter of an hour ago and before, to the minute.
  const hour = log.between(40_000 * second, 43_600 * second);
  expect(hour?.cpuSeconds).toBeGreaterThan(350);
  expect(hour?.cpuSeconds).toBeLessThanOrEqual(360);
});
