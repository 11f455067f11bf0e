import { z } from 'zod';

const tally = z.object({ keys: z.number().int().nonnegative(), bytes: z.number().nonnegative() });

export const censusSchema = z.object({
  workspaces: z.record(z.string(), z.object({ namespaces: z.record(z.string(), tally), indexes: tally })),
  prefixed: tally,
  foreign: tally,
  expiring: z.number(),
});

/** What the manifest keeps of a captured Redis, for its restorer. Version 1; readers refuse newer ones. */
export const redisDetails = z.object({
  version: z.literal(1),
  /** `rdb`: the whole server as a replica gets it; `keys`: the backend's keys alone. See docs/formats/redis.md. */
  form: z.enum(['rdb', 'keys']),
  stream: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  database: z.number().int().nonnegative(),
  prefixes: z.array(z.string()),
  /** The only workspace whose keys were taken; null: everything. */
  workspace: z.string().nullable(),
  redis_version: z.string(),
  run_id: z.string(),
  replication_offset: z.number().nullable(),
  eviction_policy: z.string(),
  used_memory_bytes: z.number(),
  dataset_memory_bytes: z.number().nullable(),
  /** Null: the keys could not be told while the bytes passed by. */
  census: censusSchema.nullable(),
});
export type RedisDetails = z.infer<typeof redisDetails>;
