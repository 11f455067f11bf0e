import { z } from 'zod';
import { buildStoreEndpoint, type EndpointReading, type StoreEndpoint, storeEndpoint } from './store-endpoint.ts';

const labels = z.record(z.string().regex(/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/, 'must be the name of a label'), z.string());

/** Also the name of a folder and the value of a label. */
const storeName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes');

const metricPattern = z
  .string()
  .regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*\*?$/, 'must be the name of a metric, or a beginning of names followed by *');

/** What of the metrics cannot be said in one scalar. */
export const metricsStructure = z.strictObject({
  remote_write: z
    .array(
      z.strictObject({
        name: storeName,
        ...storeEndpoint,
        labels: labels.optional(),
        interval_seconds: z.number().min(1).max(3_600).optional(),
        queue_mb: z.number().min(1).max(1_048_576).optional(),
        batch_samples: z.int().min(100).max(50_000).optional(),
      }),
    )
    .optional(),
  read_back: z
    .strictObject({
      ...storeEndpoint,
      match: labels.optional(),
      resolution_seconds: z.number().min(1).max(3_600).optional(),
    })
    .optional(),
  scrape: z
    .array(
      z.strictObject({
        job: z.string().min(1).max(200),
        ...storeEndpoint,
        interval_seconds: z.number().min(1).max(86_400).optional(),
        labels: labels.optional(),
        sample_limit: z.int().min(1).max(1_000_000).optional(),
        body_limit_mb: z.number().min(0.01).max(256).optional(),
        keep: z.array(metricPattern).max(1_000).optional(),
        drop: z.array(metricPattern).max(1_000).optional(),
      }),
    )
    .max(1_000)
    .optional(),
});
type MetricsStructure = z.infer<typeof metricsStructure>;

/** A Prometheus-compatible store that gets every metric. */
export type RemoteStoreConfig = {
  readonly name: string;
  readonly endpoint: StoreEndpoint;
  readonly labels: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  readonly maxQueueBytes: number;
  readonly batchSamples: number;
};

export function buildRemoteWrite(
  { remote_write: given = [] }: MetricsStructure,
  reading: EndpointReading,
): readonly RemoteStoreConfig[] {
  const place = 'metrics.remote_write';
  const names = given.map(({ name }) => name);
  for (const name of new Set(names.filter((one, at) => names.indexOf(one) !== at)))
    reading.problems.push({ place, message: `the name ${name} is there twice`, mend: 'Give each a name of its own.' });
  return given.map((one) => ({
    name: one.name,
    endpoint: buildStoreEndpoint(one, `${place} ${one.name}`, reading),
    labels: one.labels ?? {},
    intervalMs: (one.interval_seconds ?? 10) * 1_000,
    maxQueueBytes: Math.round((one.queue_mb ?? 256) * 1_048_576),
    batchSamples: one.batch_samples ?? 2_000,
  }));
}

/** A Prometheus-compatible store that charts may ask for what is older than the own tiers. */
export type HistoryStoreConfig = {
  readonly endpoint: StoreEndpoint;
  readonly match: Readonly<Record<string, string>>;
  readonly resolutionMs: number;
};

export function buildReadBack(
  { read_back: given }: MetricsStructure,
  reading: EndpointReading,
): HistoryStoreConfig | undefined {
  if (given === undefined) return undefined;
  return {
    endpoint: buildStoreEndpoint(given, 'metrics.read_back', reading),
    match: given.match ?? { job: 'ragwarden' },
    resolutionMs: (given.resolution_seconds ?? 15) * 1_000,
  };
}

/** An endpoint whose metrics are read from time to time. */
export type ScrapeConfig = {
  readonly job: string;
  readonly endpoint: StoreEndpoint;
  readonly intervalMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly sampleLimit: number;
  readonly bodyLimitBytes: number;
  readonly keep: readonly string[] | undefined;
  readonly drop: readonly string[];
};

const longestTimeoutSeconds = 10;

export function buildScrape(
  { scrape: given = [] }: MetricsStructure,
  reading: EndpointReading,
): readonly ScrapeConfig[] {
  const complain = (place: string, message: string, mend: string): void => {
    reading.problems.push({ place, message, mend });
  };
  const seen = new Set<string>();
  return given.map((one) => {
    const place = `metrics.scrape ${one.job}`;
    const interval = one.interval_seconds ?? 30;
    if (seen.has(`${one.job} ${one.url}`)) complain(place, `${one.url} is there twice`, 'Name it once.');
    seen.add(`${one.job} ${one.url}`);
    if (one.timeout_seconds !== undefined && one.timeout_seconds > interval)
      complain(place, 'timeout_seconds is longer than interval_seconds', 'Wait no longer than until the next scrape.');
    for (const label of ['job', 'instance'])
      if (one.labels?.[label] !== undefined)
        complain(place, `the label ${label} is set by ragwarden`, 'Name it otherwise.');
    const timeout = one.timeout_seconds ?? Math.min(longestTimeoutSeconds, interval);
    return {
      job: one.job,
      endpoint: buildStoreEndpoint({ ...one, timeout_seconds: timeout }, place, reading),
      intervalMs: interval * 1_000,
      labels: one.labels ?? {},
      sampleLimit: one.sample_limit ?? 10_000,
      bodyLimitBytes: Math.round((one.body_limit_mb ?? 16) * 1_048_576),
      keep: one.keep,
      drop: one.drop ?? [],
    };
  });
}
