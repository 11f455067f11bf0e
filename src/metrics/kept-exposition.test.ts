import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../platform/clock.ts';
import { renderExposition } from './exposition.ts';
import { createKeptExposition } from './kept-exposition.ts';
import { createRecorder } from './recorder.ts';
import { createMetricRegistry } from './registry.ts';

function newFamilies() {
  const registry = createMetricRegistry({ clock: systemClock, maxSeriesPerMetric: 3 });
  const recorder = createRecorder({ registry, clock: systemClock });
  const counter = registry.counter({ name: 'a_total', help: 'x', labels: ['l'] });
  const gauge = registry.gauge({ name: 'b', help: 'x' });
  const histogram = registry.histogram({ name: 'c_seconds', help: 'x', labels: ['l'], buckets: [1, 2] });
  const timer = recorder.timer({ name: 'took_ms' });
  const steps: Record<string, (label: string, value: number) => void> = {
    inc: (label) => counter.labels(label).inc(),
    remove: (label) => counter.remove(label),
    set: (_, value) => gauge.set(value),
    clear: () => gauge.clear(),
    observe: (label, value) => histogram.labels(label).observe(value),
    time: (l, value) => timer.labels({ l }).observe(value),
    end: (l) => timer.remove({ l }),
    mark: () => gauge.family.markAll(),
    sweep: () => gauge.family.sweep(false),
  };
  return { registry, steps };
}

test('law: what is kept is what would be written anew, whatever came, went and was put in place of what went', () => {
  const names = Object.keys(newFamilies().steps);
  const step = fc.record({
    name: fc.constantFrom(...names),
    label: fc.constantFrom('x', 'y', 'z', 'w', 'x', 'y'),
    value: fc.constantFrom(0, -0, 1, 1.5, 2, 1_000, 1_500, Number.NaN, Infinity, -1),
    looks: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (all) => {
      const { registry, steps } = newFamilies();
      const render = createKeptExposition();
      for (const { name, label, value, looks } of all) {
        steps[name]?.(label, value);
        if (!looks) continue;
        for (const format of ['text', 'openmetrics'] as const)
          expect(render(registry.families(), format).toString()).toBe(renderExposition(registry.families(), format));
      }
    }),
    { numRuns: 100 },
  );
});

test('a family whose numbers stand still is not written again', () => {
  const { registry, steps } = newFamilies();
  steps.inc?.('x', 1);
  const render = createKeptExposition();
  const [family] = registry.families();
  const write = () => render([family!], 'text').toString();
  const first = write();
  // Where it would be read from, were it written again.
  Object.defineProperty(family, 'definition', { value: { ...family!.definition, help: 'another' } });
  expect(write()).toBe(first);
  steps.inc?.('x', 1);
  expect(write()).toContain('another');
});
