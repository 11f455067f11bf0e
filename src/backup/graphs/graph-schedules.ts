import { z } from 'zod';
import type { EventRecorder } from '../../events/index.ts';
import type { Database } from '../../platform/database/index.ts';
import type { PointStore } from '../point-store.ts';
import type { Graph } from './graph.ts';

/** How often one workspace alone is taken, beside the points of its whole target. */
export type GraphSchedule = {
  readonly targetId: string;
  readonly workspace: string;
  readonly frequencyMs: number;
  /** Since when, epoch milliseconds. */
  readonly sinceMs: number;
};

export type GraphSchedules = {
  list(): Promise<readonly GraphSchedule[]>;
  find(graph: Graph): Promise<GraphSchedule | undefined>;
  /** @param frequencyMs null: the graph goes with its target again */
  write(graph: Graph, frequencyMs: number | null, by: { actor: string; nowMs: number }): Promise<void>;
};

const prefix = 'graph-schedule:';
const shape = z.object({
  target_id: z.string(),
  workspace: z.string(),
  frequency_ms: z.number(),
  since_ms: z.number(),
});

/** Kept with the other settings of backups, so that they survive a restart. */
export function createGraphSchedules(deps: {
  points: PointStore;
  db: Database;
  events: EventRecorder;
}): GraphSchedules {
  const { points, db, events } = deps;
  const keyOf = (graph: Pick<Graph, 'targetId' | 'workspace'>): string =>
    `${prefix}${graph.targetId}:${graph.workspace}`;
  const read = (text: string): GraphSchedule => {
    const found = shape.parse(JSON.parse(text));
    return {
      targetId: found.target_id,
      workspace: found.workspace,
      frequencyMs: found.frequency_ms,
      sinceMs: found.since_ms,
    };
  };
  return {
    list: async () => (await points.readSettings(prefix)).map(({ value }) => read(value)),
    async find(graph) {
      const text = await points.readSetting(keyOf(graph));
      return text === undefined ? undefined : read(text);
    },
    write: (graph, frequencyMs, { actor, nowMs }) =>
      db.unit(async (tx) => {
        if (frequencyMs === null) await points.deleteSetting(tx, keyOf(graph));
        else {
          const { targetId: target_id, workspace } = graph;
          const value = { target_id, workspace, frequency_ms: frequencyMs, since_ms: nowMs };
          await points.writeSetting(tx, keyOf(graph), JSON.stringify(value));
        }
        await events.record(tx, {
          type: 'backup.graph-scheduled',
          severity: 'info',
          targetId: graph.targetId,
          workspace: graph.workspace,
          message:
            frequencyMs === null
              ? `${graph.id} is backed up with its target again.`
              : `${graph.id} is backed up every ${frequencyMs / 1000} s.`,
          data: { graph_id: graph.id, frequency_seconds: frequencyMs === null ? null : frequencyMs / 1000 },
        });
        await events.audit(tx, { actor, action: 'backup.schedule-graph', object: graph.id, outcome: 'done' });
      }),
  };
}
