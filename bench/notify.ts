import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createEventLog } from '../src/events/index.ts';
import { stateMigrations } from '../src/migrations/index.ts';
import { createNotify } from '../src/notify/index.ts';
import { systemClock } from '../src/platform/clock.ts';
import { migrate, openSqlite } from '../src/platform/database/index.ts';
import { createHttpClient } from '../src/platform/http-client.ts';
import { systemRandom } from '../src/platform/ids.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { createSeal } from '../src/platform/seal.ts';
import { temporaryFolder } from './processes.ts';
import { type Bench, median } from './report.ts';

const signingKey = `whsec_${Buffer.alloc(32, 'k').toString('base64')}`;

/** From the commit of what was told until the receiver has it, without the waits that the settings ask for; and how many in a second. */
export const notify: Bench = {
  name: 'notify',
  async run(size) {
    const [single, many] = size === 'full' ? [200, 2_000] : [3, 20];
    let arrived: (() => void) | undefined;
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        response.end();
        arrived?.();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const folder = temporaryFolder();
    const path = join(folder, 'state.sqlite');
    const db = openSqlite({ name: 'state', path, synchronous: 'FULL', log: silentLogger });
    await migrate(db, stateMigrations);
    const http = createHttpClient();
    const route = {
      matchers: [],
      goOn: false,
      groupBy: ['alertname'],
      groupWaitMs: 0,
      groupIntervalMs: 0,
      escalate: [],
    };
    const create = () =>
      createNotify({
        ...{ db, http, clock: systemClock, random: systemRandom, log: silentLogger, instance: 'main' },
        events: createEventLog({ db, clock: systemClock, instance: 'main' }),
        config: () => ({
          receivers: [
            {
              ...{ id: 'hook', kind: 'webhook', sendResolved: true, timeoutMs: 5_000 },
              ...{ url: { value: url }, signingKey: { value: signingKey } },
            } as const,
          ],
          routes: [],
          fallback: { ...route, receivers: undefined, repeatIntervalMs: 86_400_000 },
          giveUpMs: 86_400_000,
          allowPrivate: false,
        }),
        seal: createSeal({ given: undefined, file: join(folder, 'seal.key'), random: systemRandom }),
      });
    const telling = create();
    const tell = (key: string): Promise<void> =>
      db.unit((tx) =>
        telling.notifier.tell(tx, {
          ...{
            key,
            status: 'firing',
            severity: 'warning',
            title: `${key} is too high`,
            summary: 'Seen 93, allowed 90.',
          },
          ...{
            labels: { alertname: key, severity: 'warning' },
            annotations: {},
            startsAtMs: Date.now(),
            endsAtMs: null,
          },
          ...{ runbookUrl: null, receivers: null },
        }),
      );

    const { planner, courier } = telling;
    await Promise.all([planner.start?.(new AbortController().signal), courier.start?.(new AbortController().signal)]);
    const tookMs: number[] = [];
    for (let i = 0; i < single; i += 1) {
      const here = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      await tell(`single-${i}`);
      const begun = performance.now();
      await here;
      tookMs.push(performance.now() - begun);
    }
    await Promise.all([planner.stop?.(), courier.stop?.()]);
    arrived = undefined;

    const all = Array.from({ length: many }, (_, i) => `many-${i}`);
    await db.unit(async (tx) => {
      for (const key of all)
        await telling.notifier.tell(tx, {
          ...{ key, status: 'firing', severity: 'warning', title: key, summary: '', labels: { alertname: key } },
          ...{ annotations: {}, startsAtMs: Date.now(), endsAtMs: null, runbookUrl: null, receivers: null },
        });
    });
    const again = create();
    const begun = performance.now();
    await again.planner.runOnce();
    const plannedMs = performance.now() - begun;
    await again.courier.runOnce();
    const sentMs = performance.now() - begun - plannedMs;
    await http.close();
    await db.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));

    return {
      row: 'Notifications',
      target: 'none stated: delivery latency and outbox throughput',
      method:
        'One webhook on this machine that answers at once, signed, no group wait; SQLite with every commit synced. Latency is from the commit of what was told to its arrival, one at a time; throughput is one receiver, which gets one after the other, each attempt written down in a commit of its own.',
      columns: ['what', 'count', 'ms in all'],
      lines: [
        ['told one by one, until it arrived', single, tookMs.reduce((sum, one) => sum + one, 0)],
        ['decided at once', many, plannedMs],
        ['sent', many, sentMs],
      ],
      figures: [
        { what: 'delivery latency, median', value: median(tookMs), unit: 'ms' },
        {
          what: 'delivery latency, p99',
          value: tookMs.toSorted((a, b) => a - b)[Math.floor(single * 0.99)] ?? 0,
          unit: 'ms',
        },
        { what: 'outbox throughput, one receiver', value: (many / sentMs) * 1_000, unit: 'notifications/s' },
      ],
    };
  },
};
