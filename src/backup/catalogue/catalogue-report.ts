import { z } from 'zod';
import type { CatalogueOutcome } from './rebuild-catalogue.ts';

const count = z.number().int();

/** What a rebuild of the catalogue did, or would do, as clients see it. */
export const catalogueReportSchema = z.object({
  dry_run: z.boolean(),
  repository_id: z.string(),
  added: count,
  completed: count,
  kept: count,
  lost: count,
  mismatched: count,
  refused: count,
  left_alone: count,
  items: z.array(
    z.object({
      backup_id: z.string(),
      target_id: z.string().nullable(),
      action: z.enum(['add', 'complete', 'keep', 'lost', 'mismatch', 'refuse', 'leave']),
      reason: z.string(),
    }),
  ),
  leftovers: z.array(z.object({ snapshot_id: z.string(), backup_id: z.string().nullable(), reason: z.string() })),
  foreign_snapshots: count,
});
export type CatalogueReport = z.infer<typeof catalogueReportSchema>;

export const catalogueReport = ({ counts, ...outcome }: CatalogueOutcome): CatalogueReport => ({
  dry_run: outcome.dryRun,
  repository_id: outcome.repositoryId,
  added: counts.add,
  completed: counts.complete,
  kept: counts.keep,
  lost: counts.lost,
  mismatched: counts.mismatch,
  refused: counts.refuse,
  left_alone: counts.leave,
  items: outcome.items.map(({ pointId, targetId, action, reason }) => ({
    backup_id: pointId,
    target_id: targetId,
    action,
    reason,
  })),
  leftovers: outcome.leftovers.map(({ snapshotId, pointId, reason }) => ({
    snapshot_id: snapshotId,
    backup_id: pointId,
    reason,
  })),
  foreign_snapshots: outcome.foreign,
});
