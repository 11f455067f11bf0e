import { createClient, type RagwardenClient } from './client.ts';
import type { WorkOptions } from './graph-calls.ts';
import type { NewReplica } from './replication-calls.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type {
  BegunReplication,
  GraphReplicationBody,
  Page,
  ReplicaBody,
  ReplicaHealth,
  ReplicationLogBody,
  ReplicationStatus,
} from './wire.ts';

/** Copies of one graph, as document 004 has them. Which targets there are holds for all graphs. */
export class GraphReplicator {
  readonly #client: RagwardenClient;
  readonly #graphId: string;

  constructor(options: ClientOptions, graphId: string) {
    this.#client = createClient(options);
    this.#graphId = graphId;
  }

  addTarget(target: NewReplica, call: CallOptions = {}): Promise<ReplicaBody> {
    return this.#client.replication.register(target, call);
  }

  async removeTarget(targetId: string, call: CallOptions = {}): Promise<void> {
    await this.#client.replication.remove(targetId, call);
  }

  async listTargets(enabledOnly = false, call: CallOptions = {}): Promise<readonly ReplicaBody[]> {
    return (await this.#client.replication.targets({ enabledOnly, ...call })).items;
  }

  /**
   * Begins to bring what is missing to every target that is switched on; a point that is there already is not sent again.
   * @throws RagwardenError `feature/disabled`, `conflict/state` when no target is switched on
   */
  replicateSnapshot(options: WorkOptions = {}): Promise<BegunReplication> {
    return this.#client.replication.replicateGraph(this.#graphId, options);
  }

  /** Looks now. */
  checkTargetHealth(targetId: string, call: CallOptions = {}): Promise<ReplicaHealth> {
    return this.#client.replication.health(targetId, { ...call, fresh: true });
  }

  async checkAllTargetsHealth(call: CallOptions = {}): Promise<readonly ReplicaHealth[]> {
    const targets = await this.listTargets(true, call);
    return Promise.all(targets.map(({ target_id }) => this.checkTargetHealth(target_id, call)));
  }

  async getReplicationLogs(limit = 100, call: CallOptions = {}): Promise<readonly ReplicationLogBody[]> {
    const page: Page<ReplicationLogBody> = await this.#client.replication.logs({
      graphId: this.#graphId,
      limit,
      ...call,
    });
    return page.items;
  }

  getReplicationStatus(call: CallOptions = {}): Promise<GraphReplicationBody> {
    return this.#client.replication.graph(this.#graphId, call);
  }
}

/** The places that recovery points are copied to, as document 004 has them. */
export class ReplicationManager {
  readonly #options: ClientOptions;
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#client = createClient(options);
  }

  /** For all graphs. @throws RagwardenError `request/invalid`, `repository/invalid-location`, `conflict/state` */
  registerTarget(target: NewReplica, call: CallOptions = {}): Promise<ReplicaBody> {
    return this.#client.replication.register(target, call);
  }

  getGraphReplicator(graphId: string): GraphReplicator {
    return new GraphReplicator(this.#options, graphId);
  }

  async listTargets(call: CallOptions = {}): Promise<readonly ReplicaBody[]> {
    return (await this.#client.replication.targets(call)).items;
  }

  /** Looks now, at every target that is switched on. */
  async checkAllHealth(call: CallOptions = {}): Promise<readonly ReplicaHealth[]> {
    const { items } = await this.#client.replication.targets({ enabledOnly: true, ...call });
    return Promise.all(
      items.map(({ target_id }) => this.#client.replication.health(target_id, { ...call, fresh: true })),
    );
  }

  /** Lag, copies and missing points of every target, and whether they lie where they shall. */
  getReplicationMetrics(call: CallOptions = {}): Promise<ReplicationStatus> {
    return this.#client.health.replication(call);
  }
}
