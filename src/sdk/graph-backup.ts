import type { RagwardenClient } from './client.ts';
import type { WaitOptions } from './operation-calls.ts';
import { RagwardenError } from './ragwarden-error.ts';
import type { CallOptions } from './transport.ts';
import type { DoneBody, GraphStats, Snapshot } from './wire.ts';

export type TakeSnapshotOptions = WaitOptions & {
  /** A registered folder of the graph, or nothing. */
  readonly sourceDir?: string;
  /** Kept with the snapshot. */
  readonly metadata?: Readonly<Record<string, unknown>>;
};

export type RestoreSnapshotOptions = WaitOptions & {
  /** A new folder below `backup.allowed_roots`; unless told, where it came from. */
  readonly targetDir?: string;
  /** Under this name, beside the one it has. */
  readonly asWorkspace?: string;
  /** Needed where live data is replaced. */
  readonly confirm?: boolean;
};

/** Snapshots of one graph. */
export class GraphBackup {
  readonly graphId: string;
  readonly #client: RagwardenClient;

  constructor(client: RagwardenClient, graphId: string) {
    this.#client = client;
    this.graphId = graphId;
  }

  /** Takes a snapshot and waits until it is stored and verified. @throws RagwardenError what ended the work */
  async createSnapshot({ sourceDir, metadata, ...wait }: TakeSnapshotOptions = {}): Promise<Snapshot> {
    const begun = await this.#client.snapshots.create(this.graphId, {
      ...(sourceDir === undefined ? {} : { sourceDir }),
      ...(metadata === undefined ? {} : { metadata }),
      signal: wait.signal,
    });
    if (begun.operation_id !== null) await this.#client.operations.wait(begun.operation_id, wait);
    return this.getSnapshot(begun.backup_id, { signal: wait.signal });
  }

  /** Newest first, with those that failed. */
  listSnapshots(call: CallOptions = {}): Promise<Snapshot[]> {
    return this.#client.snapshots.list(this.graphId, call);
  }

  /** @throws RagwardenError `backup/unknown-point`, `backup/invalid-id` */
  getSnapshot(snapshotId: string, { signal }: CallOptions = {}): Promise<Snapshot> {
    return this.#client.snapshots.get(this.graphId, snapshotId, { signal });
  }

  /**
   * Restores this graph alone and waits; in place a safety point is taken first. A snapshot can be restored again and again.
   * @throws RagwardenError `conflict/confirmation-required` in place without `confirm: true`, `target/foreign-path`,
   *   `restore/blocked`, or what ended the work
   */
  async restoreSnapshot(snapshotId: string, options: RestoreSnapshotOptions = {}): Promise<DoneBody> {
    const { targetDir, asWorkspace, confirm, ...wait } = options;
    const begun = await this.#client.snapshots.restore(this.graphId, snapshotId, {
      ...(targetDir === undefined ? {} : { targetDir }),
      ...(asWorkspace === undefined ? {} : { asWorkspace }),
      ...(confirm === undefined ? {} : { confirm }),
      signal: wait.signal,
    });
    const ended = await this.#client.operations.wait(begun.operation_id, wait);
    return { ...begun, status: ended.state === 'partial' ? 'partial' : 'restored' };
  }

  /**
   * Deletes the recovery point that it is part of, and waits.
   * @throws RagwardenError `conflict/state` when it is pinned, the newest good one, or holds other graphs; not with `force`
   */
  async deleteSnapshot(
    snapshotId: string,
    { force, ...wait }: WaitOptions & { force?: boolean } = {},
  ): Promise<DoneBody> {
    const begun = await this.#client.snapshots.delete(this.graphId, snapshotId, {
      ...(force === undefined ? {} : { force }),
      signal: wait.signal,
    });
    await this.#client.operations.wait(begun.operation_id, wait);
    return { ...begun, status: 'deleted' };
  }

  /** @throws RagwardenError `target/unknown` */
  async getStorageStats(call: CallOptions = {}): Promise<GraphStats> {
    const { graphs } = await this.#client.snapshots.stats(call);
    const found = graphs.find((graph) => graph.graph_id === this.graphId);
    if (!found) throw new RagwardenError({ code: 'target/unknown', detail: `There is no graph ${this.graphId}.` });
    return found;
  }
}
