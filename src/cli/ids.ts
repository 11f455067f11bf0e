import { z } from 'zod';
import type { ApiClient } from './api-client.ts';

/** Somebody is waiting with a finger on the key. */
const askLimitMs = 1_000;

/** Where the ids of a kind are listed, and under which name. */
const lists = {
  point: { path: '/api/v1/backup/points', query: { limit: 100 }, id: 'backup_id' },
  graph: { path: '/api/v1/backup-replication/backup/stats', query: {}, id: 'graph_id' },
  target: { path: '/api/v1/targets', query: {}, id: 'id' },
  operation: { path: '/api/v1/operations', query: { limit: 50 }, id: 'id' },
  token: { path: '/api/v1/access/tokens', query: { limit: 500 }, id: 'id' },
  key: { path: '/api/v1/gateway/keys', query: { limit: 500 }, id: 'id' },
  drill: { path: '/api/v1/recovery/drills', query: { limit: 100 }, id: 'drill_id' },
  replica: { path: '/api/v1/backup-replication/replication/targets', query: {}, id: 'target_id' },
  received: { path: '/api/v1/backup-replication/backup/snapshots/received', query: {}, id: 'backup_id' },
  failover: { path: '/api/v1/recovery/failovers', query: { limit: 100 }, id: 'failover_id' },
  checkpoint: {
    path: '/api/v1/backup-replication/recovery/checkpoints',
    query: { limit: 100 },
    id: 'checkpoint_id',
  },
  metric: { path: '/api/v1/metrics/definitions', query: { limit: 1_000 }, id: 'name' },
  parameter: { path: '/api/v1/tuning/parameters', query: {}, id: 'name' },
  provider: { path: '/api/v1/tuning/providers', query: {}, id: 'provider' },
  revision: { path: '/api/v1/tuning/revisions', query: { limit: 100 }, id: 'revision' },
  alert: { path: '/api/v1/metrics/alerts/active', query: {}, id: 'alert_id' },
  rule: { path: '/api/v1/metrics/alerts/rules', query: {}, id: 'name' },
  silence: { path: '/api/v1/metrics/alerts/silences', query: {}, id: 'id' },
  receiver: { path: '/api/v1/metrics/alerts/receivers', query: {}, id: 'id' },
  delivery: { path: '/api/v1/metrics/alerts/deliveries', query: {}, id: 'id' },
  quota: { path: '/api/v1/metrics/quotas', query: {}, id: 'quota_id' },
  reservation: { path: '/api/v1/metrics/quotas/reservations', query: {}, id: 'reservation_id' },
  task: { path: '/api/v1/metrics/cleanup/tasks', query: {}, id: 'task_id' },
  strategy: { path: '/api/v1/metrics/cleanup/strategies', query: {}, id: 'name' },
  entry: { path: '/api/v1/metrics/cleanup/quarantine', query: {}, id: 'entry_id' },
  observed: { path: '/api/v1/metrics/resources/observed', query: {}, id: 'subject' },
  recommendation: {
    path: '/api/v1/metrics/analytics/recommendations',
    query: { limit: 100 },
    id: 'recommendation_id',
  },
  job: { path: '/api/v1/system/jobs', query: {}, id: 'name' },
  lock: { path: '/api/v1/repository', query: {}, id: 'id' },
} as const satisfies Record<string, { path: string; query: Record<string, number>; id: string }>;

const item = z.record(z.string(), z.unknown());
/** Lists have `items`; what is counted by graph has `graphs`, and the repository its `locks`. */
const listed = z.object({
  items: z.array(item).optional(),
  graphs: z.array(item).optional(),
  locks: z.array(item).optional(),
});

/** Ids of one kind, newest first. @throws what asking the server throws */
export async function findIds(api: ApiClient, kind: keyof typeof lists): Promise<string[]> {
  const { path, query, id } = lists[kind];
  const document = await api.call(path, { query, timeoutMs: askLimitMs });
  const { items = [], graphs = [], locks = [] } = listed.parse(document);
  return [...items, ...graphs, ...locks].flatMap((one) =>
    typeof one[id] === 'string' || (kind === 'revision' && typeof one[id] === 'number') ? [String(one[id])] : [],
  );
}
