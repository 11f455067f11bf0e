import { expect, test } from 'vitest';
import { openMetrics } from '../metrics/test-metrics.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { readSeries, windowOf } from './read-series.ts';

test('what is beyond the bound is counted and not read; the host comes before applications, in the same order each time', async () => {
  const clock = createFakeClock();
  const made = await openMetrics({ clock });
  const { recorder, history } = made.metrics;
  const gauges = Array.from({ length: 70 }, (_, at) =>
    recorder.gauge({ name: 'queue_depth' }).labels({ worker: String(at).padStart(2, '0') }),
  );
  const others = Array.from({ length: 8 }, (_, at) => recorder.gauge({ name: `thing_${at}` }).labels());
  const cpu = recorder.gauge({ name: 'system_cpu_percent' }).labels();
  for (let minute = 0; minute < 15; minute += 1) {
    for (const gauge of [...gauges.toReversed(), ...others, cpu]) gauge.set(minute % 3);
    await history.sampleOnce();
    await clock.advance(60_000);
  }
  let valuesRead = 0;
  const view = (): Pick<typeof history, 'query'> => {
    const whole = history.view();
    return {
      async query(request) {
        const answer = await whole.query(request);
        if (request.aggregation === 'average') valuesRead += answer.series.length;
        return answer;
      },
    };
  };
  const window = windowOf(clock.now(), 3_600_000, await history.beginMs());
  const read = async (most: number) => {
    valuesRead = 0;
    return readSeries({
      ...{ view, definitions: recorder.definitions(), instance: 'i1', others: ['i2'], window, most },
      breathe: async () => undefined,
    });
  };
  const few = await read(10);
  expect(few.series.map(({ key }) => key)).toEqual([
    'cpu',
    ...Array.from({ length: 9 }, (_, at) => `metric:queue_depth{worker="0${at}"}`),
  ]);
  expect(few.leftOut).toBe(79 - 10);
  expect(valuesRead).toBe(10);
  const many = await read(1_000);
  // Of one metric fifty.
  expect([many.series.length, many.leftOut, valuesRead]).toEqual([59, 20, 59]);
  const [first] = many.series;
  // The highest of each minute stands beside its mean.
  expect(first?.tops).toEqual(first?.values);
  await made.remove();
});
