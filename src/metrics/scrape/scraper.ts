import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Clock } from '../../platform/clock.ts';
import { AppError, describeError, isAppError, systemCode } from '../../platform/errors.ts';
import type { HttpRequester, HttpResponse } from '../../platform/http-client.ts';
import type { RandomSource } from '../../platform/ids.ts';
import type { Part } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logging.ts';
import { createReconciler, type ReconcilerState } from '../../platform/reconciler.ts';
import { LevelHandle } from '../handles.ts';
import { createIntake, type createIntakeCounters } from '../intake/intake.ts';
import type { Labels } from '../metric-definition.ts';
import type { Recorder } from '../recorder.ts';
import type { MetricRegistry } from '../registry.ts';
import { endpointHeaders, type StoreEndpoint } from '../store-endpoint.ts';
import { parseExposition } from './exposition-parser.ts';
import { takeScraped } from './scraped-points.ts';

/** An endpoint that shows metrics as Prometheus reads them. */
export type ScrapeTarget = {
  readonly job: string;
  readonly endpoint: StoreEndpoint;
  readonly intervalMs: number;
  readonly labels: Labels;
  /** More samples than this fail the scrape, whatever they are. */
  readonly sampleLimit: number;
  readonly bodyLimitBytes: number;
  /** Names, or beginnings of names followed by `*`: only these are kept. Undefined: all. */
  readonly keep: readonly string[] | undefined;
  readonly drop: readonly string[];
};

export type Scraper = Part & {
  /** One scrape of each endpoint, now. */
  scrapeOnce(): Promise<void>;
  jobs(): readonly ReconcilerState[];
};

const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const unpack = promisify(gunzip);

/** Reads the endpoints that the settings name, each in its own time. */
export function createScraper(options: {
  targets: readonly ScrapeTarget[];
  recorder: Recorder;
  registry: MetricRegistry;
  counters: ReturnType<typeof createIntakeCounters>;
  http: HttpRequester;
  clock: Clock;
  random: RandomSource;
  log: Logger;
}): Scraper {
  const { targets, registry, clock, random, log } = options;
  const up = registry.gauge({
    name: 'ragwarden_scrape_up',
    help: 'Whether the last scrape of the endpoint was whole.',
    labels: ['job', 'instance'],
  });
  const failures = registry.counter({
    name: 'ragwarden_scrape_failures_total',
    help: 'Scrapes that were not whole, so that nothing of them was taken.',
    labels: ['job', 'instance'],
  });
  const scrapes = targets.map((target) => {
    const labels = { ...target.labels, job: target.job, instance: instanceOf(target.endpoint.url) };
    const seen = { up: up.labels(labels.job, labels.instance), failures: failures.labels(labels.job, labels.instance) };
    return createScrape(target, labels, seen, options);
  });
  const jobs = scrapes.map((scrape, i) => {
    const { intervalMs, job } = targets[i]!;
    const reconciler = createReconciler({
      ...{ name: `scrape ${job} ${i + 1}`, clock, log, runAtStart: false },
      // Somewhere in the first interval, so that not all are read in the same instant.
      intervalMs: 1 + Math.floor((random(4).readUInt32BE() / 2 ** 32) * Math.min(intervalMs, 60_000)),
      async run(signal) {
        await scrape(signal);
        reconciler.setIntervalMs(intervalMs);
      },
    });
    return reconciler;
  });
  return {
    name: 'scraping',
    async start(signal) {
      for (const job of jobs) await job.start?.(signal);
    },
    async stop() {
      await Promise.all(jobs.map((job) => job.stop?.()));
    },
    async scrapeOnce() {
      await Promise.all(jobs.map((job) => job.runOnce()));
    },
    jobs: () => jobs.map((job) => job.state()),
  };
}

/** Host and port, the port also where the URL need not name it. */
function instanceOf(text: string): string {
  const { hostname, port, protocol } = new URL(text);
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
}

/** One endpoint. Its series are its own: what it no longer shows ends, and all of them when it does not answer. */
function createScrape(
  target: ScrapeTarget,
  labels: Labels,
  seen: { readonly up: { set(value: number): void }; readonly failures: { inc(): void } },
  options: Parameters<typeof createScraper>[0],
): (signal: AbortSignal) => Promise<void> {
  const { recorder, counters, http, clock, log } = options;
  const { job, endpoint, intervalMs, sampleLimit, bodyLimitBytes } = target;
  const intake = createIntake({
    ...{ recorder, counters, clock, source: 'scrape', hidden: true, endedAfterMs: 5 * intervalMs },
  });
  const keeps = keeperOf(target);
  let before: string | undefined = '';

  const report = (name: string, atMs: number, value: number, unit?: string): void => {
    const handle = recorder.series({ name, type: 'gauge', labels, unit, hidden: true });
    if (handle instanceof LevelHandle) recorder.take(handle, atMs, value);
  };

  const read = async (signal: AbortSignal): Promise<ReturnType<typeof parseExposition>> => {
    const answer = await http.request({
      url: endpoint.url,
      headers: {
        ...{ accept, 'accept-encoding': 'gzip' },
        'x-prometheus-scrape-timeout-seconds': String(endpoint.timeoutMs / 1_000),
        ...(await endpointHeaders(endpoint)),
      },
      ...{ timeoutMs: endpoint.timeoutMs, maxBytes: bodyLimitBytes, signal },
    });
    if (answer.status !== 200) throw failed(`it answered ${answer.status}`);
    const type = answer.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? 'text/plain';
    if (type !== 'text/plain' && type !== openMetrics)
      throw failed(`it sent ${type.slice(0, 60)}, which is no metrics`);
    const parsed = parseExposition(await textOf(answer, bodyLimitBytes), type === openMetrics, sampleLimit);
    if (parsed.samples > sampleLimit) throw failed(`it has more than ${sampleLimit} samples (sample_limit)`);
    if (!parsed.isWhole) throw failed('its answer was cut off: OpenMetrics ends with # EOF');
    if (parsed.samples === 0 && parsed.badLines > 0) throw failed(`none of it is metrics: ${parsed.firstBad}`);
    return parsed;
  };

  return async (signal) => {
    const beganMs = clock.now();
    const began = clock.monotonic();
    let problem: string | undefined;
    let samples = 0;
    try {
      const parsed = await read(signal);
      samples = parsed.samples;
      const refused = new Set<string>();
      for (let i = 0; i < Math.min(parsed.badLines, 10_000); i += 1)
        recorder.refuse(job, parsed.firstBad ?? '', 'unreadable');
      takeScraped(parsed.families, {
        ...{ intake, labels, atMs: beganMs, keeps },
        refused: (name) => void refused.add(name),
      });
      intake.expire(beganMs);
    } catch (err) {
      if (signal.aborted) return;
      problem = describeError(err);
      if (!isAppError(err)) log.error({ err, job }, 'a scrape failed unexpectedly');
      seen.failures.inc();
      // From now on nothing is known of it: a gap, not what it was last.
      intake.expire(Number.POSITIVE_INFINITY);
    }
    if (problem !== before) {
      const facts = { job, instance: labels.instance };
      if (problem !== undefined) log.warn({ ...facts, problem }, 'an endpoint could not be scraped');
      else if (before !== '') log.info(facts, 'an endpoint is scraped again');
      before = problem;
    }
    const isUp = problem === undefined ? 1 : 0;
    seen.up.set(isUp);
    report('up', beganMs, isUp);
    report('scrape_duration_seconds', beganMs, (clock.monotonic() - began) / 1_000, 'seconds');
    report('scrape_samples_scraped', beganMs, samples);
  };
}

const openMetrics = 'application/openmetrics-text';
const failed = (detail: string, cause?: unknown): AppError =>
  new AppError('outgoing/failed', `The endpoint could not be scraped: ${detail}.`, { cause });

async function textOf(answer: HttpResponse, mostBytes: number): Promise<string> {
  const encoding = answer.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity') return answer.text();
  if (encoding !== 'gzip') throw failed(`its answer is packed as ${encoding.slice(0, 40)}`);
  try {
    return (await unpack(answer.bytes, { maxOutputLength: mostBytes })).toString('utf8');
  } catch (err) {
    const isTooLong = systemCode(err) === 'ERR_BUFFER_TOO_LARGE';
    throw failed(
      isTooLong ? `unpacked it has more than ${mostBytes} bytes (body_limit_mb)` : 'its answer cannot be unpacked',
      err,
    );
  }
}

function keeperOf({ keep, drop }: ScrapeTarget): (name: string) => boolean {
  const fits =
    (patterns: readonly string[]) =>
    (name: string): boolean =>
      patterns.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one));
  const [isKept, isDropped] = [keep && fits(keep), fits(drop)];
  return (name) => (isKept === undefined || isKept(name)) && !isDropped(name);
}
