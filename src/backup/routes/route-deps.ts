import { z } from 'zod';
import type { Operations } from '../../operations/index.ts';
import type { Target } from '../../targets/index.ts';
import type { Backup } from '../backup.ts';
import type { BackupSchedule } from '../backup-schedule.ts';
import type { PointStore } from '../point-store.ts';

export type BackupRoutesDeps = {
  readonly backup: Backup;
  readonly schedule: BackupSchedule;
  readonly points: PointStore;
  readonly operations: Operations;
  readonly enabled: boolean;
  readonly defaultTargetId: () => string;
  readonly targetIds: readonly string[];
  /** @throws AppError `target/unknown` */
  requireTarget(id: string): Target;
  now(): number;
};

export const target = z.string().max(64).optional().describe('Default: the only target.');
export const pointParams = z.object({ backup_id: z.string().max(20_000) });

/** Who asks, for the audit trail. */
export const who = (request: { principal?: { subject: string } | undefined }): string =>
  request.principal?.subject ?? 'unknown';

export const graphs = '/api/v1/backup-replication/backup/graphs';
export const graphParams = z.object({ graph_id: z.string().max(20_000) });
export const snapshotParams = graphParams.extend({ snapshot_id: z.string().max(20_000) });
