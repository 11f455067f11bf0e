/** Run by a test as a process of its own, to be killed while it writes to a store: prints each count when it is queued. */
import { writeSync } from 'node:fs';
import { systemClock } from '../../platform/clock.ts';
import { createHttpClient } from '../../platform/http-client.ts';
import { systemRandom } from '../../platform/ids.ts';
import { silentLogger } from '../../platform/logging.ts';
import { createMetricRegistry } from '../registry.ts';
import { createRemoteWriteMetrics } from './remote-write-metrics.ts';
import { createRemoteWriter, type RemoteWriter } from './remote-writer.ts';

/** Also what sends the rest afterwards, with nothing of its own to tell. */
export function createKillableWriter(
  folder: string,
  url: string,
  counted: number,
): { writer: RemoteWriter; count(): void } {
  const registry = createMetricRegistry({ clock: systemClock });
  const counter = registry.counter({ name: 'killed_total', help: 'What a test counts.', labels: ['part'] });
  if (counted > 0) counter.labels('a').inc(counted);
  const writer = createRemoteWriter({
    store: {
      name: 'store',
      endpoint: { url, headers: {}, auth: { kind: 'none' }, timeoutMs: 5_000 },
      labels: { job: 'killed' },
      intervalMs: 3_600_000,
      maxQueueBytes: 10_000_000,
      batchSamples: 2_000,
    },
    folder,
    registry,
    metrics: createRemoteWriteMetrics({ registry, clock: systemClock })('store'),
    http: createHttpClient(),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
  });
  return { writer, count: () => counter.labels('a').inc() };
}

const [, script, folder, url, from] = process.argv;
if (script?.endsWith('killed-writer.fixture.ts') && folder !== undefined && url !== undefined) {
  const { writer, count } = createKillableWriter(folder, url, Number(from));
  await writer.start?.(new AbortController().signal);
  for (let counted = Number(from) + 1; ; counted += 1) {
    count();
    // Two samples of one instant would be refused.
    await systemClock.sleep(3);
    await writer.sampleOnce();
    writeSync(1, `${counted}\n`);
  }
}
