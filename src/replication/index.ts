/**
 * Copies of recovery points elsewhere: which places there are, what each of them holds, how far it is behind, whether it is sound,
 * and how a damaged repository is mended from a good one.
 * Owns the tables `replication_…` and the leases `replica:…`. Invariants: one piece of work per place at a time, over all
 * instances; a point is known by id and tree, and one id with two trees stops everything; what failed its audit is not handed on;
 * nothing is dropped while mending that the other side does not hold; secrets are sealed and never shown.
 */
export { environmentOf, placeWithCredentials } from './credentials.ts';
export { replicaLeaseMs } from './held-work.ts';
export { boundedReplicationLog } from './log-growth.ts';
export type { Overview } from './overview.ts';
export { createRagwardenPlace, type Packed } from './places/ragwarden-place.ts';
export { createRepositoryPlace } from './places/repository-place.ts';
export { adoptKind, createAdoption } from './receive/adopt-received.ts';
export { adoptRoutes } from './receive/adopt-routes.ts';
export { receiveRoutes } from './receive/receive-routes.ts';
export { createReceivedStore } from './receive/received-store.ts';
export { createReceiver } from './receive/receiver.ts';
export type { Replica } from './replica.ts';
export { createReplicas } from './replicas.ts';
export { createReplication, type Replication } from './replication.ts';
export { createReplicationJob, type ReplicationJob } from './replication-job.ts';
export { createReplicationMetrics } from './replication-metrics.ts';
export { createReplicationStore } from './replication-store.ts';
export { bodyOfOverview, judgeOverview } from './routes/replication-bodies.ts';
export { replicationRoutes } from './routes/replication-routes.ts';
