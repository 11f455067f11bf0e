import { z } from 'zod';
import { env, setting } from './setting.ts';
import type { SettingValues } from './settings.ts';
import { buildStoreEndpoint, type EndpointReading, type StoreEndpoint, storeEndpoint } from './store-endpoint.ts';
import { decimal } from './value-parsers.ts';

/** Part of the name of a check, and the value of a label. */
const checkId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes');

/** How every check of the file may be told. */
const common = {
  id: checkId,
  interval_seconds: z.number().min(5).max(86_400).optional(),
  /** What fails with it. */
  needed_for: z
    .array(z.enum(['answer', 'ingest']))
    .max(2)
    .optional(),
};
const model = z.string().min(1).max(200);

/** What is looked at besides the backend and its databases. */
export const healthStructure = z.strictObject({
  http: z
    .array(
      z.strictObject({
        ...common,
        ...storeEndpoint,
        method: z.enum(['GET', 'HEAD', 'POST']).optional(),
        /** One status, or several; any 2xx unless told. */
        expect_status: z.array(z.int().min(100).max(599)).min(1).optional(),
        expect_text: z.string().min(1).max(1_000).optional(),
      }),
    )
    .max(200)
    .optional(),
  tcp: z
    .array(
      z.strictObject({
        ...common,
        host: z.string().min(1).max(253),
        port: z.int().min(1).max(65_535),
        timeout_seconds: z.number().min(0.1).max(60).optional(),
      }),
    )
    .max(200)
    .optional(),
  models: z
    .array(
      z.strictObject({
        ...common,
        ...storeEndpoint,
        role: z.enum(['llm', 'embedding']),
        api: z.enum(['openai', 'ollama']).optional(),
        model: model.optional(),
        /** `list` asks which models there are and costs nothing; `call` has one token, or one vector, made. */
        look: z.enum(['list', 'call']).optional(),
        dimension: z.int().min(1).max(100_000).optional(),
      }),
    )
    .max(50)
    .optional(),
  vector_stores: z
    .array(
      z.strictObject({
        ...common,
        ...storeEndpoint,
        kind: z.enum(['qdrant', 'milvus', 'neo4j']),
        /** Must be there: a collection, or for neo4j a database. */
        collection: z.string().min(1).max(255).optional(),
      }),
    )
    .max(50)
    .optional(),
});
type HealthStructure = z.infer<typeof healthStructure>;

export type Need = 'answer' | 'ingest';
type Common = { readonly id: string; readonly intervalMs: number; readonly neededFor: readonly Need[] };

export type HttpCheckConfig = Common & {
  readonly endpoint: StoreEndpoint;
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** Undefined: any 2xx. */
  readonly statuses: readonly number[] | undefined;
  readonly text: string | undefined;
};
export type TcpCheckConfig = Common & { readonly host: string; readonly port: number; readonly timeoutMs: number };
export type ModelCheckConfig = Common & {
  readonly endpoint: StoreEndpoint;
  readonly role: 'llm' | 'embedding';
  readonly api: 'openai' | 'ollama';
  readonly model: string | undefined;
  readonly look: 'list' | 'call';
  readonly dimension: number | undefined;
};
export type VectorStoreCheckConfig = Common & {
  readonly endpoint: StoreEndpoint;
  readonly kind: 'qdrant' | 'milvus' | 'neo4j';
  readonly collection: string | undefined;
};

export type HealthConfig = {
  /** Of databases and of what the file names, unless it says otherwise there. */
  readonly intervalMs: number;
  readonly http: readonly HttpCheckConfig[];
  readonly tcp: readonly TcpCheckConfig[];
  readonly models: readonly ModelCheckConfig[];
  readonly vectorStores: readonly VectorStoreCheckConfig[];
};

export const healthSettings = {
  healthIntervalSeconds: setting({
    key: 'health.interval_seconds',
    env: env('RAGWARDEN_HEALTH_INTERVAL'),
    parser: decimal(5, 3600),
    fallback: 30,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two looks at a database, and at each thing that health names; each opens one connection.',
  }),
} as const;

/** A call that costs something, however little, is made seldom. */
const callSeconds = 300;
const usualTimeoutSeconds = 5;

export function buildHealth(values: SettingValues, given: HealthStructure, reading: EndpointReading): HealthConfig {
  const intervalMs = values.healthIntervalSeconds * 1_000;
  const seen = new Set<string>();
  const commonOf = (
    section: keyof HealthStructure,
    one: { id: string; interval_seconds?: number | undefined; needed_for?: Need[] | undefined },
    fallbackMs: number,
    needed: readonly Need[],
  ): Common => {
    const name = `${section} ${one.id}`;
    if (seen.has(name))
      reading.problems.push({
        place: `health.${section}`,
        message: `the id ${one.id} is there twice`,
        mend: 'Give each an id of its own.',
      });
    seen.add(name);
    return {
      id: one.id,
      intervalMs: one.interval_seconds === undefined ? fallbackMs : one.interval_seconds * 1_000,
      neededFor: one.needed_for ?? needed,
    };
  };
  const endpointOf = (section: string, one: Parameters<typeof buildStoreEndpoint>[0] & { id: string }): StoreEndpoint =>
    buildStoreEndpoint(
      { ...one, timeout_seconds: one.timeout_seconds ?? usualTimeoutSeconds },
      `health.${section} ${one.id}`,
      reading,
    );
  return {
    intervalMs,
    http: (given.http ?? []).map((one) => ({
      ...commonOf('http', one, intervalMs, []),
      endpoint: endpointOf('http', one),
      method: one.method ?? 'GET',
      statuses: one.expect_status,
      text: one.expect_text,
    })),
    tcp: (given.tcp ?? []).map((one) => ({
      ...commonOf('tcp', one, intervalMs, []),
      ...{ host: one.host, port: one.port, timeoutMs: (one.timeout_seconds ?? usualTimeoutSeconds) * 1_000 },
    })),
    models: (given.models ?? []).map((one) => {
      const look = one.look ?? 'list';
      if (look === 'call' && one.model === undefined)
        reading.problems.push({
          place: `health.models ${one.id}`,
          message: 'is to be called, and names no model',
          mend: 'Add model, or take look: list.',
        });
      return {
        // Without an embedding no question finds anything either.
        ...commonOf('models', one, look === 'call' ? callSeconds * 1_000 : intervalMs, ['answer', 'ingest']),
        endpoint: endpointOf('models', one),
        ...{ role: one.role, api: one.api ?? 'openai', model: one.model, look, dimension: one.dimension },
      };
    }),
    vectorStores: (given.vector_stores ?? []).map((one) => ({
      ...commonOf('vector_stores', one, intervalMs, ['answer', 'ingest']),
      endpoint: endpointOf('vector_stores', one),
      ...{ kind: one.kind, collection: one.collection },
    })),
  };
}
