import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { Tx } from '../platform/database/index.ts';
import {
  countedKinds,
  lostPolicies,
  type Quota,
  quotaActions,
  quotaDimensions,
  quotaPeriods,
  quotaTypes,
  quotaWindows,
} from './quota.ts';

type DefinitionTables = {
  quota_definition: {
    id: string;
    origin: string;
    body: string;
    adjusted_limit: number | string | null;
    created_ms: number | string;
    updated_ms: number | string;
  };
};
type Reader = Kysely<DefinitionTables>;

const bodySchema = z.object({
  name: z.string(),
  description: z.string(),
  counts: z.enum(countedKinds),
  type: z.enum(quotaTypes),
  period: z.enum(quotaPeriods),
  window: z.enum(quotaWindows),
  limit: z.number(),
  burstLimit: z.number().nullable(),
  action: z.enum(quotaActions),
  of: z.object({
    targetId: z.string().nullable(),
    workspace: z.string().nullable(),
    userId: z.string().nullable(),
    keyId: z.string().nullable(),
  }),
  per: z.array(z.enum(quotaDimensions)),
  enabled: z.boolean(),
  shadow: z.boolean(),
  whenLost: z.enum(lostPolicies),
  ratePerMinute: z.number().nullable(),
  waitSeconds: z.number(),
  mostLimit: z.number().nullable(),
  endsMs: z.number().nullable(),
  tags: z.record(z.string(), z.string()),
});

/** What was defined over the API, and to what dynamic ones were adjusted, those of the file too. */
export async function listDefinitions(
  reader: Reader,
): Promise<{ readonly quotas: readonly Quota[]; readonly adjusted: ReadonlyMap<string, number> }> {
  const rows = await reader.selectFrom('quota_definition').selectAll().orderBy('id').execute();
  const quotas: Quota[] = [];
  const adjusted = new Map<string, number>();
  for (const row of rows) {
    if (row.adjusted_limit !== null) adjusted.set(row.id, Number(row.adjusted_limit));
    if (row.body === '') continue;
    quotas.push({
      id: row.id,
      ...bodySchema.parse(JSON.parse(row.body)),
      origin: 'api',
      createdMs: Number(row.created_ms),
      updatedMs: Number(row.updated_ms),
    });
  }
  return { quotas, adjusted };
}

/** Written whole; what a dynamic one was adjusted to begins anew. */
export async function writeDefinition(tx: Tx, quota: Quota): Promise<void> {
  const { id, origin, createdMs, updatedMs, ...body } = quota;
  const row = { origin, body: JSON.stringify(body), adjusted_limit: null, updated_ms: updatedMs };
  await tx
    .as<DefinitionTables>()
    .insertInto('quota_definition')
    .values({ id, ...row, created_ms: createdMs })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
    .execute();
}

/** What is defined elsewhere (file, default) gets a row without a definition. */
export async function writeAdjusted(tx: Tx, id: string, limit: number | null, nowMs: number): Promise<void> {
  await tx
    .as<DefinitionTables>()
    .insertInto('quota_definition')
    .values({ id, origin: '', body: '', adjusted_limit: limit, created_ms: nowMs, updated_ms: nowMs })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ adjusted_limit: limit }))
    .execute();
}

export async function deleteDefinition(tx: Tx, id: string): Promise<void> {
  await tx.as<DefinitionTables>().deleteFrom('quota_definition').where('id', '=', id).execute();
}
