import fc from 'fast-check';
import { expect, test } from 'vitest';
import { advanceMeter, startMeter } from './progress.ts';

test('speed, remaining time and share come from what was counted', () => {
  let meter = startMeter(0);
  meter = advanceMeter(meter, { bytesTotal: 10_000, filesTotal: 10 }, 0);
  expect(meter.progress).toMatchObject({ percent: 0, rateBytesPerSecond: null, remainingSeconds: null });
  meter = advanceMeter(meter, { bytesDone: 2_000, filesDone: 1 }, 1_000);
  expect(meter.progress).toMatchObject({ percent: 20, rateBytesPerSecond: 2_000, remainingSeconds: 4 });
  meter = advanceMeter(meter, { bytesDone: 10_000 }, 5_000);
  expect(meter.progress).toMatchObject({ percent: 100, remainingSeconds: 0 });
});

test('without bytes the files tell', () => {
  let meter = advanceMeter(startMeter(0), { filesTotal: 4 }, 0);
  meter = advanceMeter(meter, { filesDone: 1 }, 1_000);
  expect(meter.progress).toMatchObject({ percent: 25, remainingSeconds: 3 });
});

test('without a total nothing is claimed', () => {
  const meter = advanceMeter(startMeter(0), { bytesDone: 5_000, filesDone: 2 }, 1_000);
  expect(meter.progress).toMatchObject({ percent: null, remainingSeconds: null, rateBytesPerSecond: 5_000 });
});

test('the speed of a stalled phase fades', () => {
  let meter = advanceMeter(startMeter(0), { bytesDone: 1_000, bytesTotal: 2_000 }, 1_000);
  for (let second = 2; second < 200; second += 1) meter = advanceMeter(meter, {}, second * 1_000);
  expect(meter.progress.rateBytesPerSecond).toBeLessThan(0.001);
  expect(meter.progress.remainingSeconds).toBeNull();
});

test('whatever is told, the share stays within bounds and no speed is negative', () => {
  const update = fc.record({ bytesDone: fc.nat(), bytesTotal: fc.option(fc.nat()), spanMs: fc.nat(5_000) });
  fc.assert(
    fc.property(fc.array(update, { maxLength: 20 }), (updates) => {
      let meter = startMeter(0);
      let nowMs = 0;
      for (const { bytesDone, bytesTotal, spanMs } of updates) {
        nowMs += spanMs;
        meter = advanceMeter(meter, { bytesDone, bytesTotal }, nowMs);
        const { percent, rateBytesPerSecond, remainingSeconds } = meter.progress;
        expect(percent ?? 0).toBeGreaterThanOrEqual(0);
        expect(percent ?? 0).toBeLessThanOrEqual(100);
        expect(rateBytesPerSecond ?? 0).toBeGreaterThanOrEqual(0);
        expect(remainingSeconds ?? 0).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});
