import { z } from 'zod';
import type { Operation } from '../../operations/index.ts';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import { isRestorable, type RecoveryPoint } from '../point.ts';
import { pointCauses } from '../point-cause.ts';
import { keptUntilMs, type RetentionPolicy } from '../retention.ts';
import type { Graph } from './graph.ts';
import type { Snapshot } from './snapshots.ts';

const snapshotStatuses = ['pending', 'in_progress', 'completed', 'failed', 'archived', 'restored'] as const;

/** A snapshot as document 004 has it, and what it does not know beside it. */
export const snapshotSchema = z
  .object({
    backup_id: z.string(),
    graph_id: z.string(),
    status: z
      .enum(snapshotStatuses)
      .describe('Snapshots never change, so `archived` and `restored` are words of the document that do not occur.'),
    timestamp: z.string(),
    size_bytes: z.number().nullable().describe('Null where the point does not tell this graph from others.'),
    data_hash: z.string().nullable().describe('SHA-256 of the graph’s tree of files, as in the format of a point.'),
    retention_until: z.string().nullable().describe('Null: kept for ever, or not there yet.'),
    checkpoint_path: z.string().nullable().describe('The repository, and the path within the snapshots of the point.'),
    metadata: z.record(z.string(), z.json()),
    error_message: z.string().nullable(),
    scope: z.enum(['target', 'workspace']).describe('`target`: part of a point of the whole target.'),
    workspace: z.string(),
    cause: z.enum(pointCauses),
    partial: z.boolean().describe('Something of the graph is not in it.'),
    grade: z.enum(['consistent', 'crash-consistent', 'fuzzy']).nullable(),
    verified_at: z.string().nullable(),
    pinned: z.boolean(),
    operation_id: z.string().nullable(),
    allowed_actions: z.array(z.enum(['restore', 'delete'])),
  })
  .meta({ id: 'Snapshot' });
export type SnapshotBody = z.infer<typeof snapshotSchema>;

export function snapshotBody(
  { graph, point, part }: Snapshot,
  facts: { location: string; policy: RetentionPolicy },
): SnapshotBody {
  const untilMs = isRestorable(point) && !point.pinned ? keptUntilMs(point, facts.policy) : null;
  return {
    backup_id: point.id,
    graph_id: graph.id,
    status: statusOf(point),
    timestamp: isoInstant(point.takenMs),
    size_bytes: part.bytes,
    data_hash: part.dataHash,
    retention_until: isoInstantOrNull(untilMs),
    checkpoint_path: part.path === null ? null : `${facts.location}#${point.id}:/${part.path}`,
    metadata: point.manifest?.metadata ?? {},
    error_message: point.error,
    scope: point.scope,
    workspace: graph.workspace,
    cause: point.cause,
    partial: part.partial,
    grade: point.grade,
    verified_at: isoInstantOrNull(point.verifiedMs),
    pinned: point.pinned,
    operation_id: point.operationId,
    allowed_actions: isRestorable(point) ? ['restore', 'delete'] : [],
  };
}

/** Of a snapshot whose run has begun and has not put it into the catalogue yet. */
export const pendingSnapshot = (
  graph: Graph,
  run: { pointId: string; operation: Operation; metadata: SnapshotBody['metadata'] },
): SnapshotBody => ({
  backup_id: run.pointId,
  graph_id: graph.id,
  status: 'pending',
  timestamp: isoInstant(run.operation.createdMs),
  size_bytes: null,
  data_hash: null,
  retention_until: null,
  checkpoint_path: null,
  metadata: run.metadata,
  error_message: null,
  scope: 'workspace',
  workspace: graph.workspace,
  cause: 'manual',
  partial: false,
  grade: null,
  verified_at: null,
  pinned: false,
  operation_id: run.operation.id,
  allowed_actions: [],
});

function statusOf(point: RecoveryPoint): SnapshotBody['status'] {
  switch (point.status) {
    case 'running':
      return 'in_progress';
    case 'success':
    case 'partial':
      return 'completed';
    case 'error':
    case 'lost':
      return 'failed';
  }
}
