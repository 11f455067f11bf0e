import { z } from 'zod';
import { isoInstantOrNull } from '../../platform/clock.ts';
import { isRestorable } from '../point.ts';
import { keptUntilMs, type RetentionPolicy } from '../retention.ts';
import type { Snapshots } from './snapshots.ts';

const sizes = z.number().describe('As the data lay there, of those snapshots that tell; the repository keeps less.');

export const graphStatsSchema = z.object({
  total_graphs: z.number(),
  total_snapshots: z.number(),
  total_size_bytes: sizes,
  graphs: z.array(
    z.object({
      graph_id: z.string(),
      total_snapshots: z.number(),
      total_size_bytes: sizes,
      total_size_mb: z.number().describe('In units of 1024 × 1024 bytes.'),
      last_snapshot_time: z.string().nullable(),
      oldest_snapshot: z.string().nullable(),
      newest_snapshot: z.string().nullable(),
      expired_snapshots: z
        .number()
        .describe('Older than retention keeps every one; some stay as the last of their day.'),
    }),
  ),
});

/** What there is of each graph. Snapshots that failed or are being taken are none yet. */
export async function graphStats(
  snapshots: Snapshots,
  { policy, nowMs }: { policy: RetentionPolicy; nowMs: number },
): Promise<z.infer<typeof graphStatsSchema>> {
  const graphs: z.infer<typeof graphStatsSchema>['graphs'] = [];
  for (const graph of await snapshots.graphs()) {
    const its = (await snapshots.list(graph)).filter(({ point }) => isRestorable(point));
    const bytes = its.reduce((sum, { part }) => sum + (part.bytes ?? 0), 0);
    const newest = isoInstantOrNull(its[0]?.point.takenMs);
    graphs.push({
      graph_id: graph.id,
      total_snapshots: its.length,
      total_size_bytes: bytes,
      total_size_mb: Math.round((bytes / 1024 ** 2) * 1000) / 1000,
      last_snapshot_time: newest,
      oldest_snapshot: isoInstantOrNull(its.at(-1)?.point.takenMs),
      newest_snapshot: newest,
      expired_snapshots: its.filter(({ point }) => {
        const untilMs = point.pinned ? null : keptUntilMs(point, policy);
        return untilMs !== null && untilMs < nowMs;
      }).length,
    });
  }
  return {
    total_graphs: graphs.length,
    total_snapshots: graphs.reduce((sum, graph) => sum + graph.total_snapshots, 0),
    total_size_bytes: graphs.reduce((sum, graph) => sum + graph.total_size_bytes, 0),
    graphs,
  };
}
