import { createClient, type RagwardenClient } from './client.ts';
import type { FailoverWish } from './failover-calls.ts';
import type { WaitOptions } from './operation-calls.ts';
import { RagwardenError } from './ragwarden-error.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type {
  CheckpointBody,
  CheckpointValidation,
  FailoverResult,
  RecoveryHealth,
  RecoveryStatusBody,
  ReplicationStatus,
} from './wire.ts';

/** Checkpoints and failover, as document 004 has them. Where it says recovery point, a checkpoint is meant. */
export class DisasterRecoveryManager {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /**
   * Names the newest verified point of each graph. It is validated by itself only when asked to.
   * @throws RagwardenError `target/unknown`, `conflict/state` for a graph without a verified point
   */
  createRecoveryPoint(
    graphIds: readonly string[],
    description: string = '',
    metadata: Readonly<Record<string, unknown>> = {},
    call: CallOptions = {},
  ): Promise<CheckpointBody> {
    return this.#client.recovery.createCheckpoint({ graphIds, description, metadata, ...call });
  }

  /** Newest first; the 500 newest. */
  async listRecoveryPoints(call: CallOptions = {}): Promise<readonly CheckpointBody[]> {
    return (await this.#client.recovery.checkpoints({ limit: 500, ...call })).items;
  }

  /** Undefined: there is none of that id. */
  async getRecoveryPoint(checkpointId: string, call: CallOptions = {}): Promise<CheckpointBody | undefined> {
    try {
      return await this.#client.recovery.checkpoint(checkpointId, call);
    } catch (err) {
      if (err instanceof RagwardenError && err.code === 'recovery/unknown-checkpoint') return undefined;
      throw err;
    }
  }

  /**
   * Restores each of its points in a drill and waits. True: every drill passed.
   * @throws RagwardenError `recovery/unknown-checkpoint`, or what ended the work
   */
  async validateRecoveryPoint(checkpointId: string, wait: WaitOptions = {}): Promise<boolean> {
    const begun = await this.#client.recovery.validateCheckpoint(checkpointId, { signal: wait.signal });
    const ended = await this.#client.operations.wait(begun.id, wait);
    return (ended.result as CheckpointValidation | null)?.valid === true; // checked by the server
  }

  /**
   * Brings the target up at its other place from the point of the checkpoint, and waits until it answers there.
   * @throws RagwardenError `conflict/confirmation-required` without `confirm: true`, `recovery/no-standby`, `operation/busy`, or
   * what ended the work
   */
  async initiateFailover(
    checkpointId: string,
    options: WaitOptions & Pick<FailoverWish, 'confirm' | 'force'>,
  ): Promise<FailoverResult> {
    const { confirm, force, ...wait } = options;
    const begun = await this.#client.recovery.failoverToCheckpoint(checkpointId, {
      confirm,
      signal: wait.signal,
      ...(force === undefined ? {} : { force }),
    });
    return (await this.#client.operations.wait(begun.id, wait)).result as FailoverResult; // likewise
  }

  /** Whether the last failover ended with the target well at its other place. False when there was none. */
  async validateRecovery(call: CallOptions = {}): Promise<boolean> {
    const { items } = await this.#client.recovery.failovers({ limit: 500, ...call });
    return items.find(({ kind, state }) => kind === 'failover' && state !== 'running')?.state === 'succeeded';
  }

  getRecoveryStatus(call: CallOptions = {}): Promise<RecoveryStatusBody> {
    return this.#client.recovery.status(call);
  }

  /** Looks now. */
  healthCheck(call: CallOptions = {}): Promise<RecoveryHealth> {
    return this.#client.health.recovery(call);
  }
}

/** Whether graphs, points and copies are sound, as document 004 has it. Every answer is of something that was looked at. */
export class HealthValidator {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /** @throws RagwardenError `target/unknown` */
  async validateGraph(graphId: string, call: CallOptions = {}): Promise<RecoveryHealth['graphs'][string]> {
    const { graphs } = await this.#client.health.recovery(call);
    const found = graphs[graphId];
    if (!found)
      throw new RagwardenError({ code: 'target/unknown', status: 404, detail: `There is no graph ${graphId}.` });
    return found;
  }

  async validateAllGraphs(call: CallOptions = {}): Promise<RecoveryHealth['graphs']> {
    return (await this.#client.health.recovery(call)).graphs;
  }

  /** Restores the point in a drill and waits. True: it passed. @throws RagwardenError `backup/unknown-point` */
  async validateBackup(backupId: string, wait: WaitOptions = {}): Promise<boolean> {
    const begun = await this.#client.recovery.startDrill({ backupId, signal: wait.signal });
    await this.#client.operations.wait(begun.id, wait);
    return (await this.#client.recovery.drill(begun.id, { signal: wait.signal })).verdict === 'passed';
  }

  /** Whether the points lie where they shall, and how far each place is behind. */
  validateReplication(call: CallOptions = {}): Promise<ReplicationStatus> {
    return this.#client.health.replication(call);
  }

  fullHealthCheck(call: CallOptions = {}): Promise<RecoveryHealth> {
    return this.#client.health.recovery(call);
  }
}
