import { createClient, type RagwardenClient } from './client.ts';
import { GraphBackup, type RestoreSnapshotOptions, type TakeSnapshotOptions } from './graph-backup.ts';
import type { WaitOptions } from './operation-calls.ts';
import { RagwardenError } from './ragwarden-error.ts';
import {
  restoreSystemBackup,
  type SystemBackup,
  type SystemBackupOptions,
  type SystemRestore,
  takeSystemBackup,
} from './system-backup.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type { DoneBody, GraphStats, GraphStatsBody, Snapshot } from './wire.ts';

/** Backups of whole installations, as document 002 has them, and of single graphs, as document 004 has them. */
export class BackupManager {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /** Databases, workspaces and configuration in one point. @throws RagwardenError what ended the work */
  createFullBackup(options: SystemBackupOptions = {}): Promise<SystemBackup> {
    return takeSystemBackup(this.#client, options, {});
  }

  /** A point of the databases alone. */
  backupDatabase(options: SystemBackupOptions = {}): Promise<SystemBackup> {
    return takeSystemBackup(this.#client, options, { workspaces: false, config: false });
  }

  /** A point of the folders alone. */
  backupWorkspaces(options: SystemBackupOptions = {}): Promise<SystemBackup> {
    return takeSystemBackup(this.#client, options, { database: false, config: false });
  }

  /** A point of the configuration alone. */
  backupConfiguration(options: SystemBackupOptions = {}): Promise<SystemBackup> {
    return takeSystemBackup(this.#client, options, { database: false, workspaces: false });
  }

  /**
   * Restores what the point holds, and nothing else.
   * @throws RagwardenError `conflict/confirmation-required` without `confirm: true`, `backup/unknown-point`,
   *   `backup/invalid-id`, or what ended the work
   */
  restoreBackup(backupName: string, options: WaitOptions & { confirm: boolean }): Promise<SystemRestore> {
    return restoreSystemBackup(this.#client, backupName, options);
  }

  /** Bytes below one user directory, as last measured. @throws RagwardenError `request/not-found` */
  async getDirectorySize(userId: string, call: CallOptions = {}): Promise<number> {
    const { storage } = (await this.#client.monitoring.user(userId, call)).metrics;
    if (storage) return storage.size_bytes;
    throw new RagwardenError({ code: 'request/not-found', status: 404, detail: `${userId} has no user directory.` });
  }

  /**
   * A door to one graph. Which graphs there are follows from what ragwarden watches.
   * @throws RagwardenError `target/unknown`
   */
  async registerGraph(graphId: string, call: CallOptions = {}): Promise<GraphBackup> {
    await this.#client.snapshots.schedule(graphId, call);
    return this.getGraphBackup(graphId);
  }

  /** As `registerGraph`, without asking whether there is such a graph. */
  getGraphBackup(graphId: string): GraphBackup {
    return new GraphBackup(this.#client, graphId);
  }

  async listGraphs(call: CallOptions = {}): Promise<string[]> {
    return (await this.getTotalStats(call)).graphs.map((graph) => graph.graph_id);
  }

  /** By graph; newest first in each. */
  async getAllSnapshots(call: CallOptions = {}): Promise<Record<string, Snapshot[]>> {
    const all: Record<string, Snapshot[]> = {};
    for (const id of await this.listGraphs(call)) all[id] = await this.listSnapshots(id, call);
    return all;
  }

  /** Takes a snapshot and waits until it is stored and verified. @throws RagwardenError what ended the work */
  createSnapshot(graphId: string, options: TakeSnapshotOptions = {}): Promise<Snapshot> {
    return this.getGraphBackup(graphId).createSnapshot(options);
  }

  /** Newest first. @throws RagwardenError `target/unknown` */
  listSnapshots(graphId: string, call: CallOptions = {}): Promise<Snapshot[]> {
    return this.getGraphBackup(graphId).listSnapshots(call);
  }

  /**
   * @param options.graphId needed for the part of a point that holds several graphs; unless told, the one it is called after
   * @throws RagwardenError `backup/unknown-point`, `backup/invalid-id`
   */
  async getSnapshot(snapshotId: string, options: CallOptions & { graphId?: string } = {}): Promise<Snapshot> {
    return (await this.#graphOf(snapshotId, options)).getSnapshot(snapshotId, options);
  }

  /** As `GraphBackup.restoreSnapshot`; `graphId` as above. */
  async restoreSnapshot(
    snapshotId: string,
    options: RestoreSnapshotOptions & { graphId?: string } = {},
  ): Promise<DoneBody> {
    const { graphId, ...rest } = options;
    return (await this.#graphOf(snapshotId, { graphId, signal: rest.signal })).restoreSnapshot(snapshotId, rest);
  }

  /** As `GraphBackup.deleteSnapshot`; `graphId` as above. */
  async deleteSnapshot(
    snapshotId: string,
    options: WaitOptions & { force?: boolean; graphId?: string } = {},
  ): Promise<DoneBody> {
    const { graphId, ...rest } = options;
    return (await this.#graphOf(snapshotId, { graphId, signal: rest.signal })).deleteSnapshot(snapshotId, rest);
  }

  /** Deletes what retention does not keep, and waits. @returns how many points went */
  async cleanupOldSnapshots(wait: WaitOptions = {}): Promise<number> {
    const begun = await this.#client.snapshots.cleanup({ signal: wait.signal });
    if (begun.deleted_snapshots !== null) return begun.deleted_snapshots;
    let deleted = 0;
    for (const id of begun.operation_ids) {
      const { result } = await this.#client.operations.wait(id, wait);
      deleted += (result as { forgotten: unknown[] }).forgotten.length; // what an operation of this kind results in
    }
    return deleted;
  }

  /** Another name of `cleanupOldSnapshots`. */
  cleanupOldBackups(wait: WaitOptions = {}): Promise<number> {
    return this.cleanupOldSnapshots(wait);
  }

  /** What there is of one graph. @throws RagwardenError `target/unknown` */
  async getStorageStats(graphId: string, call: CallOptions = {}): Promise<GraphStats> {
    return this.getGraphBackup(graphId).getStorageStats(call);
  }

  /** What there is of all graphs. */
  getTotalStats(call: CallOptions = {}): Promise<GraphStatsBody> {
    return this.#client.snapshots.stats(call);
  }

  async #graphOf(snapshotId: string, { graphId, signal }: CallOptions & { graphId?: string }): Promise<GraphBackup> {
    if (graphId !== undefined) return this.getGraphBackup(graphId);
    const point = await this.#client.backup.point(snapshotId, { signal });
    if (point.forgotten_at !== null)
      throw new RagwardenError({ code: 'backup/unknown-point', detail: `${snapshotId} was deleted.` });
    return this.getGraphBackup(point.workspace === null ? point.target_id : `${point.target_id}:${point.workspace}`);
  }
}
