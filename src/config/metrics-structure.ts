import { z } from 'zod';
import { buildStoreEndpoint, type EndpointReading, type StoreEndpoint, storeEndpoint } from './store-endpoint.ts';

const labels = z.record(z.string().regex(/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/, 'must be the name of a label'), z.string());

/** Also the name of a folder and the value of a label. */
const storeName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes');

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
