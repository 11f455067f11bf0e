import { expect, test } from 'vitest';
import { systemClock } from '../../platform/clock.ts';
import { renderExposition } from '../exposition.ts';
import { createRecorder } from '../recorder.ts';
import { createMetricRegistry } from '../registry.ts';
import { createExposedSeries } from './exposed-series.ts';
import type { WrittenSeries } from './write-request.ts';

const registryWith = () => {
  const registry = createMetricRegistry({ clock: systemClock });
  return { registry, exposed: createExposedSeries() };
};
const named = (lines: readonly WrittenSeries[], name: string) => lines.filter((line) => line.name === name);
const zero = { value: 0 };

test('says line for line what the exposition says', () => {
  const { registry, exposed } = registryWith();
  const recorder = createRecorder({ registry, clock: systemClock });
  registry
    .counter({ name: 'a_total', help: 'h', labels: ['x', 'y'] })
    .labels('1', 'q"\\\n')
    .inc(3);
  registry.gauge({ name: 'b', help: 'h' }).set(Number.POSITIVE_INFINITY);
  registry.unknown({ name: 'c_total', help: 'h' }).set(-1.5);
  const timer = recorder.timer({ name: 'took_ms' }).labels({ route: '/a' });
  for (const value of [1, 20, 300, 70_000]) timer.observe(value);
  const families = registry.families();

  const written = [...exposed.sample(families, 1_000)].map(({ name, labels, samples }) => {
    const pairs = Array.from({ length: labels.length / 2 }, (_, i) => [labels[2 * i], labels[2 * i + 1]] as const);
    const text = pairs.map(([label, value = '']) => `${label}=${JSON.stringify(value)}`).join();
    const { value } = samples.at(-1)!;
    return `${name}${text === '' ? '' : `{${text}}`} ${value === Number.POSITIVE_INFINITY ? '+Inf' : value}`;
  });
  const exposition = renderExposition(families, 'openmetrics').split('\n');
  expect(written).toEqual(exposition.filter((line) => line !== '' && !line.startsWith('#')));
  expect(written).toContain('ragwarden_app_took_seconds_bucket{route="/a",le="1.0"} 3');
});

test('a counter begins at zero, after what was sampled before it; totals that were counted elsewhere do not', () => {
  const { registry, exposed } = registryWith();
  const counter = registry.counter({ name: 'a_total', help: 'h', labels: ['x'] });
  const mirrored = registry.counter({ name: 'm_total', help: 'h' });
  counter.labels('first').inc(2);
  mirrored.mirror(900);
  const first = [...exposed.sample(registry.families(), 10_000)];
  expect(named(first, 'a_total')[0]?.samples).toEqual([
    { atMs: 9_999, ...zero },
    { atMs: 10_000, value: 2 },
  ]);
  expect(named(first, 'm_total')[0]?.samples).toEqual([{ atMs: 10_000, value: 900 }]);

  counter.labels('second').inc(5);
  counter.labels('idle');
  registry.histogram({ name: 'h_seconds', help: 'h', buckets: [1] }).observe(0.5);
  const second = [...exposed.sample(registry.families(), 20_000)];
  expect(named(second, 'a_total').map(({ labels, samples }) => [labels[1], samples])).toEqual([
    ['first', [{ atMs: 20_000, value: 2 }]],
    ['idle', [{ atMs: 20_000, ...zero }]],
    [
      'second',
      [
        { atMs: 10_001, ...zero },
        { atMs: 20_000, value: 5 },
      ],
    ],
  ]);
  for (const name of ['h_seconds_bucket', 'h_seconds_sum', 'h_seconds_count'])
    for (const { samples } of named(second, name)) expect(samples[0]).toEqual({ atMs: 10_001, ...zero });
  expect(named(second, 'h_seconds_bucket').map(({ labels }) => labels)).toEqual([
    ['le', '1.0'],
    ['le', '+Inf'],
  ]);
});

test('a series that is gone ends once; one that was begun again meanwhile goes on', () => {
  const { registry, exposed } = registryWith();
  const gauge = registry.gauge({ name: 'g', help: 'h', labels: ['x'] });
  const alone = registry.gauge({ name: 'alone', help: 'h' });
  gauge.labels('gone').set(1);
  gauge.labels('back').set(1);
  alone.set(1);
  [...exposed.sample(registry.families(), 1_000)];
  gauge.remove('gone');
  gauge.remove('back');
  gauge.labels('back').set(2);
  alone.clear();
  const next = [...exposed.sample(registry.families(), 2_000)].filter(({ name }) => !name.startsWith('ragwarden'));
  expect(next).toEqual([
    { name: 'g', labels: ['x', 'back'], samples: [{ atMs: 2_000, value: 2 }] },
    { name: 'alone', labels: [], samples: [{ atMs: 2_000, value: 'stale' }] },
    { name: 'g', labels: ['x', 'gone'], samples: [{ atMs: 2_000, value: 'stale' }] },
  ]);
  expect([...exposed.sample(registry.families(), 3_000)].map(({ samples }) => samples[0]?.value)).not.toContain(
    'stale',
  );
});

test('at the end every series ends, a histogram with all its lines', () => {
  const { registry, exposed } = registryWith();
  registry.histogram({ name: 'h_seconds', help: 'h', buckets: [0.5, 1] }).observe(0.5);
  const lines = [...exposed.sample(registry.families(), 1_000)];
  const ends = [...exposed.end(2_000)];
  const heads = (of: readonly WrittenSeries[]) => of.map(({ name, labels }) => [name, ...labels].join());
  expect(heads(ends).sort()).toEqual(heads(lines).sort());
  expect(ends.every(({ samples }) => samples.length === 1 && samples[0]?.value === 'stale')).toBe(true);
  expect([...exposed.end(3_000)]).toEqual([]);
});
