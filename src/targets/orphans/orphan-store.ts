import { z } from 'zod';
import type { Database, Tx } from '../../platform/database/index.ts';
import { type OrphanSearch, orphanKinds } from './orphan.ts';

type OrphanTables = {
  target_orphan_search: { target_id: string; at_ms: number; complete: number; why: string | null; findings: string };
};

const findingsSchema = z.array(
  z.object({
    targetId: z.string(),
    workspace: z.string(),
    store: z.enum(['files', 'postgres']),
    kind: z.enum(orphanKinds),
    place: z.string(),
    count: z.number(),
    bytes: z.number().nullable(),
    examples: z.array(z.string()),
    removable: z.boolean(),
    reason: z.string(),
  }),
);

/** The last search of each target: one row, whatever it found. */
export type OrphanStore = {
  read(targetId: string): Promise<OrphanSearch | undefined>;
  write(tx: Tx, search: OrphanSearch): Promise<void>;
};

export function createOrphanStore(db: Database): OrphanStore {
  return {
    async read(targetId) {
      const row = await db
        .reader<OrphanTables>()
        .selectFrom('target_orphan_search')
        .selectAll()
        .where('target_id', '=', targetId)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      // Written by another version, it may mean something else; the next search says anew.
      const findings = findingsSchema.safeParse(JSON.parse(row.findings));
      if (!findings.success) return undefined;
      return {
        targetId,
        atMs: Number(row.at_ms),
        findings: findings.data,
        complete: Number(row.complete) === 1,
        why: row.why,
      };
    },
    async write(tx, { targetId, atMs, findings, complete, why }) {
      const values = { at_ms: atMs, complete: complete ? 1 : 0, why, findings: JSON.stringify(findings) };
      await tx
        .as<OrphanTables>()
        .insertInto('target_orphan_search')
        .values({ target_id: targetId, ...values })
        .onConflict((oc) => oc.column('target_id').doUpdateSet(values))
        .execute();
    },
  };
}
