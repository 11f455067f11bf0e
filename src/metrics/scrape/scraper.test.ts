import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHttpClient, type HttpClient } from '../../platform/http-client.ts';
import { systemRandom } from '../../platform/ids.ts';
import { silentLogger } from '../../platform/logging.ts';
import { createMetricsHandler } from '../metrics-routes.ts';
import { heldClock, openMetrics, type TestMetrics } from '../test-metrics.ts';
import { createScraper, type Scraper, type ScrapeTarget } from './scraper.ts';

const start = Date.UTC(2026, 0, 5, 12);
let clock: ReturnType<typeof heldClock>;
let made: TestMetrics;
let http: HttpClient;
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let url: string;
let instance: string;

beforeEach(async () => {
  clock = heldClock(start);
  made = await openMetrics({ clock });
  http = createHttpClient();
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  instance = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  url = `http://${instance}/metrics`;
});
afterEach(async () => {
  await http.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await made.remove();
});

const scraperOf = (target: Partial<ScrapeTarget> = {}): Scraper =>
  createScraper({
    targets: [
      {
        ...{ job: 'stub', intervalMs: 15_000, labels: { site: 'north' }, sampleLimit: 1_000, bodyLimitBytes: 100_000 },
        ...{ keep: undefined, drop: [] },
        endpoint: { url, headers: {}, auth: { kind: 'none' }, timeoutMs: 20_000 },
        ...target,
      },
    ],
    ...{ recorder: made.metrics.recorder, counters: made.metrics.intakeCounters, registry: made.registry },
    ...{ http, clock, random: systemRandom, log: silentLogger },
  });
const shows = (text: string, headers: Record<string, string> = { 'content-type': 'text/plain; version=0.0.4' }) => {
  answer = (_, response) => response.writeHead(200, headers).end(text);
};
/** One scrape, and a sampling a moment later. */
const scrape = async (scraper: Scraper, stepMs = 15_000): Promise<void> => {
  clock.at += stepMs - 1_000;
  await scraper.scrapeOnce();
  clock.at += 1_000;
  await made.metrics.history.sampleOnce();
};
const ask = async (
  name: string,
  aggregation: 'sum' | 'last' | 'count' | 'average',
  match: Record<string, string> = {},
) => {
  const found = await made.metrics.history.query({
    ...{ name, aggregation, match: { job: 'stub', instance, site: 'north', ...match }, groupBy: [] },
    ...{ fromMs: start, toMs: clock.now(), stepMs: 86_400_000 },
  });
  return found.series[0]?.values.find((value) => value !== null) ?? null;
};
const isUp = () => ask('up', 'last');

test('keeps what the types say: totals by their growth, levels at their time, distributions, summaries', async () => {
  const scraper = scraperOf();
  const page = (requests: number, slow: number) => `# TYPE requests_total counter
requests_total{path="/a"} ${requests}
# TYPE temperature gauge
temperature{job="own"} ${requests / 10}
# TYPE took_seconds histogram
took_seconds_bucket{le="1"} ${requests - slow}
took_seconds_bucket{le="4"} ${requests}
took_seconds_bucket{le="+Inf"} ${requests}
took_seconds_sum ${requests}
took_seconds_count ${requests}
# TYPE rpc_seconds summary
rpc_seconds{quantile="0.9"} 0.25
rpc_seconds_sum ${requests * 2}
rpc_seconds_count ${requests}
`;
  shows(page(100, 0));
  await scrape(scraper);
  shows(page(130, 20));
  await scrape(scraper);
  expect(await ask('requests_total', 'sum', { path: '/a' })).toBe(30);
  // What it calls job itself is not mistaken for who it is.
  expect(await ask('temperature', 'average', { exported_job: 'own' })).toBe(11.5);
  expect(await ask('took_seconds', 'count')).toBe(30);
  expect(await ask('rpc_seconds', 'last', { q: '0.9' })).toBe(0.25);
  expect([await ask('rpc_seconds_count', 'sum'), await ask('rpc_seconds_sum', 'sum')]).toEqual([30, 60]);
  expect([await isUp(), await ask('scrape_samples_scraped', 'last')]).toEqual([1, 10]);
  expect(await ask('scrape_duration_seconds', 'count')).toBe(2);
});

test('nothing of it is shown on /metrics, whether it answers is', async () => {
  shows('private_level 1\n');
  await scrape(scraperOf());
  const { body } = await createMetricsHandler(made.registry)(undefined);
  expect(body).not.toMatch(/private_level/);
  expect(body).toContain(`ragwarden_scrape_up{job="stub",instance="${instance}"} 1`);
});

test('an endpoint that is gone leaves a gap, and what it counted meanwhile is there when it is back', async () => {
  const scraper = scraperOf();
  shows('# TYPE runs_total counter\nruns_total 10\nlevel 1\n');
  await scrape(scraper);
  answer = (_, response) => response.destroy();
  await scrape(scraper);
  await scrape(scraper);
  shows('# TYPE runs_total counter\nruns_total 25\nlevel 2\n');
  await scrape(scraper);
  const found = await made.metrics.history.query({
    ...{ name: 'level', aggregation: 'last', groupBy: [], fromMs: start, toMs: clock.now(), stepMs: 15_000 },
  });
  expect(found.series[0]?.values.slice(0, 4)).toEqual([1, null, null, 2]);
  const runs = await made.metrics.history.query({
    ...{ name: 'runs_total', aggregation: 'count', groupBy: [], fromMs: start, toMs: clock.now(), stepMs: 15_000 },
  });
  // Sampled at the end of each step, but for the two in which nobody answered.
  expect(runs.series[0]?.values[2]).toBeNull();
  expect(await ask('runs_total', 'sum')).toBe(15);
  expect(await ask('up', 'average')).toBe(0.5);
});

test('a series that an endpoint shows no more ends', async () => {
  const scraper = scraperOf();
  shows('# TYPE runs_total counter\nruns_total{a="1"} 1\nruns_total{a="2"} 1\n');
  await scrape(scraper);
  shows('# TYPE runs_total counter\nruns_total{a="2"} 2\n');
  await scrape(scraper);
  const family = made.registry.families().find(({ definition }) => definition.storedName === 'runs_total');
  expect(family?.seriesCount).toBe(1);
});

const bomb = gzipSync(Buffer.alloc(5_000_000));
test.each<[string, () => void, Partial<ScrapeTarget>, RegExp]>([
  ['another status', () => (answer = (_, response) => response.writeHead(503).end('later')), {}, /503/],
  [
    'a redirect, which is not followed',
    () => (answer = (_, response) => response.writeHead(302, { location: url }).end()),
    {},
    /302/,
  ],
  ['a page for people', () => shows('<html>', { 'content-type': 'text/html' }), {}, /text\/html/],
  ['no metrics at all', () => shows('hello there, stranger\n'), {}, /none of it/],
  ['more samples than may be', () => shows('a 1\nb 1\nc 1\n'), { sampleLimit: 2 }, /more than 2 samples/],
  [
    'more bytes than may be',
    () => shows(`a 1\n${'#'.repeat(5_000)}\n`),
    { bodyLimitBytes: 1_000 },
    /more than 1000 bytes/,
  ],
  [
    'a gzip bomb',
    () => {
      answer = (_, response) =>
        response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' }).end(bomb);
    },
    {},
    /unpacked it has more than/,
  ],
  [
    'OpenMetrics that was cut off',
    () => shows('a 1\n', { 'content-type': 'application/openmetrics-text; version=1.0.0' }),
    {},
    /cut off/,
  ],
])('%s fails the scrape whole', async (_, given, target, problem) => {
  given();
  const said: unknown[] = [];
  const log = { ...silentLogger, warn: (facts: { problem?: string }) => void said.push(facts.problem) };
  const scraper = createScraper({
    targets: [
      {
        ...{ job: 'stub', intervalMs: 15_000, labels: { site: 'north' }, sampleLimit: 1_000, bodyLimitBytes: 100_000 },
        ...{ keep: undefined, drop: [], endpoint: { url, headers: {}, auth: { kind: 'none' }, timeoutMs: 20_000 } },
        ...target,
      },
    ],
    ...{ recorder: made.metrics.recorder, counters: made.metrics.intakeCounters, registry: made.registry },
    ...{ http, clock, random: systemRandom, log: log as unknown as typeof silentLogger }, // only what is called here
  });
  await scrape(scraper);
  await scrape(scraper);
  expect(said).toHaveLength(1);
  expect(String(said[0])).toMatch(problem);
  expect(await isUp()).toBe(0);
  expect(await ask('a', 'last')).toBeNull();
});

test('bad lines, values and labels are left out by themselves, in gzip too', async () => {
  const text = `good 1\nbad{\nbad_value{a="1"} NaN\nbad_inf +Inf\nbad_label{__reserved="1"} 1\nlong{a="${'x'.repeat(2_000)}"} 1\nlate 1 1000\n# TYPE falls counter\nfalls_total -1\ngood_too 2\n`;
  shows('');
  answer = (request, response) =>
    request.headers['accept-encoding'] === 'gzip'
      ? response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' }).end(gzipSync(text))
      : response.writeHead(406).end();
  await scrape(scraperOf());
  expect([await isUp(), await ask('good', 'last'), await ask('good_too', 'last')]).toEqual([1, 1, 2]);
  expect(await ask('bad_value', 'last')).toBeNull();
  // The line, the infinity, the label, the long value, the time and the total below zero; NaN says that there is no value.
  expect(made.metrics.recorder.stats.refused).toBe(6);
});

test('says who it is, keeps only what it is told to, and reads from a counter its own beginning', async () => {
  let headers: IncomingMessage['headers'] = {};
  answer = (request, response) => {
    headers = request.headers;
    response
      .writeHead(200, { 'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' })
      .end(
        `# TYPE app_runs counter\napp_runs_total 7\napp_runs_created ${start / 1_000 + 1}\n# TYPE app_noise gauge\napp_noise 1\n# TYPE other gauge\nother 1\n# EOF\n`,
      );
  };
  const endpoint = { url, headers: { 'x-tenant': 'a' }, timeoutMs: 20_000 };
  await scrape(
    scraperOf({
      endpoint: { ...endpoint, auth: { kind: 'bearer', token: { value: 'secret' } } },
      ...{ keep: ['app_*'], drop: ['app_noise'] },
    }),
  );
  expect(headers).toMatchObject({ authorization: 'Bearer secret', 'x-tenant': 'a', 'user-agent': 'ragwarden' });
  // It began after ragwarden did, so all of it was counted in our time.
  expect(await ask('app_runs_total', 'sum')).toBe(7);
  expect([await ask('app_noise', 'last'), await ask('other', 'last')]).toEqual([null, null]);
});

test("ragwarden's own exposition is read without a word, in OpenMetrics", async () => {
  const handler = createMetricsHandler(made.registry);
  answer = (request, response) => {
    void handler(request.headers.accept).then(({ contentType, body }) =>
      response.writeHead(200, { 'content-type': contentType }).end(body),
    );
  };
  made.metrics.recorder.record({ name: 'took_ms', value: 5, use: 'timer', labels: { path: 'a "b"\\' } });
  const scraper = scraperOf();
  await scrape(scraper);
  await scrape(scraper);
  expect([await isUp(), made.metrics.recorder.stats.refused]).toEqual([1, 0]);
  expect(await ask('ragwarden_metrics_received_total', 'sum', { source: 'scrape' })).toBeGreaterThan(0);
});
