import { z } from 'zod';
import type { Operations } from '../../operations/index.ts';
import type { Replication } from '../replication.ts';
import { replicaId } from './replication-bodies.ts';

export type ReplicationRoutesDeps = {
  readonly replication: Replication;
  readonly operations: Operations;
  /** @throws AppError `target/unknown` */
  requireGraph(id: string): { readonly id: string; readonly targetId: string; readonly workspace: string };
  /** After a change of what there is to do. */
  wake(): void;
};

export const below = '/api/v1/backup-replication/replication';
export const targetParams = z.object({ target_id: replicaId });
export const graphParams = z.object({ graph_id: z.string().max(200) });
export const unknownTarget = 'replication/unknown-target';
export const admin = (activity: string) => ({ access: 'admin', activity }) as const;
export const who = (request: { principal?: { subject: string } | undefined }): string =>
  request.principal?.subject ?? 'unknown';
