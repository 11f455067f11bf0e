import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { systemRandom } from '../../platform/ids.ts';
import { silentLogger } from '../../platform/logging.ts';
import { createMetricRegistry } from '../registry.ts';
import { createRemoteWrite } from './remote-write.ts';
import type { RemoteStore } from './remote-writer.ts';
import { createTestStore, type TestStore } from './test-store.ts';

test('each store has a queue of its own, the labels of a scraper and those of its settings; one that nobody names is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-stores-'));
  mkdirSync(join(folder, 'of-yore'));
  const clock = createFakeClock();
  const registry = createMetricRegistry({ clock });
  registry.gauge({ name: 'level', help: 'h' }).set(1);
  const store = (name: string, labels: Record<string, string>): RemoteStore => ({
    ...{ name, labels, intervalMs: 1e9, maxQueueBytes: 1e6, batchSamples: 2_000 },
    endpoint: { url: `http://${name}.test/`, headers: {}, auth: { kind: 'none' }, timeoutMs: 1_000 },
  });
  const told: unknown[] = [];
  const log = { ...silentLogger, warn: (facts: unknown) => told.push(facts) } as unknown as typeof silentLogger; // the rest is not called
  const stores: Record<string, TestStore> = { a: createTestStore(clock), b: createTestStore(clock) };
  const remote = createRemoteWrite({
    stores: [store('a', { site: 'north' }), store('b', { job: 'other' })],
    ...{ instance: 'i1', folder, registry, clock, random: systemRandom, log },
    http: {
      request: (request) => {
        const found = stores[new URL(request.url).hostname.replace('.test', '')];
        if (found === undefined) throw new Error(`nobody is at ${request.url}`);
        return found.request(request);
      },
    },
  });
  await remote.start?.(new AbortController().signal);
  const labelsAt = (name: string) =>
    stores[name]?.taken[0]?.timeseries
      .find(({ labels }) => labels.some(({ value }) => value === 'level'))
      ?.labels.map(({ name: label, value }) => `${label}=${value}`);
  await expect.poll(() => labelsAt('a')).toEqual(['__name__=level', 'instance=i1', 'job=ragwarden', 'site=north']);
  await expect.poll(() => labelsAt('b')).toEqual(['__name__=level', 'instance=i1', 'job=other']);
  expect(remote.stores().map(({ name }) => name)).toEqual(['a', 'b']);
  expect(remote.jobs().map(({ name }) => name)).toEqual(['remote write a', 'remote write b']);
  expect(told).toEqual([{ store: 'of-yore', folder }]);
  await remote.stop?.();
  rmSync(folder, { recursive: true });
});
