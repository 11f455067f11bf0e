import type { CleanupTaskWish } from './cleanup-calls.ts';
import { createClient, type RagwardenClient } from './client.ts';
import type { ClientOptions } from './transport.ts';
import type { CleanupResult, CleanupRunBody, CleanupTaskBody, CleanupTotalsBody } from './wire.ts';

export const CleanupTriggerType = {
  SCHEDULED: 'scheduled',
  THRESHOLD_BASED: 'threshold_based',
  MANUAL: 'manual',
  EVENT_DRIVEN: 'event_driven',
  HEALTH_CHECK: 'health_check',
} as const;

export const CleanupPriority = { LOW: 'low', MEDIUM: 'medium', HIGH: 'high', CRITICAL: 'critical' } as const;

/** A cleanup that a program brings along: what there is, and how one of it goes. Undone it cannot be. */
export type OwnCleanupStrategy = {
  /** Lower-case letters, digits and dashes. */
  readonly name: string;
  readonly about?: string;
  /** What would go now. Nothing is touched. */
  find(
    params: Readonly<Record<string, string | number | boolean | null>>,
    signal: AbortSignal,
  ): Promise<readonly OwnCleanupItem[]> | readonly OwnCleanupItem[];
  /** May be asynchronous. @returns false when it stays: it changed, or is in use. @throws when it could not go */
  cleanUp(item: OwnCleanupItem, signal: AbortSignal): unknown;
};
export type OwnCleanupItem = {
  readonly id: string;
  readonly what?: string;
  readonly why?: string;
  readonly bytes?: number;
};

export type CleanupTaskGiven = CleanupTaskWish & {
  readonly taskId: string;
  /** What the program itself does when the task runs; needs `ragwarden/embedded`. */
  readonly cleanupFunction?: ((signal: AbortSignal) => Promise<unknown> | unknown) | null;
};

/** A task as document 003 has it. */
export class CleanupTask {
  readonly given: CleanupTaskGiven;
  constructor(given: CleanupTaskGiven) {
    this.given = given;
  }
}

/** Adds strategies where the product runs in this very process; undefined: it runs elsewhere. */
export type AddStrategy = (strategy: OwnCleanupStrategy) => Promise<void>;

/** Tasks that clean up, by themselves and on demand. An admin's token is needed. */
export class CleanupScheduler {
  readonly #client: Promise<RagwardenClient>;
  readonly #addStrategy: AddStrategy | undefined;

  constructor(options: ClientOptions | Promise<ClientOptions>, addStrategy?: AddStrategy) {
    this.#client = Promise.resolve(options).then(createClient);
    // Whoever calls is told; nobody else has to be.
    this.#client.catch(() => undefined);
    this.#addStrategy = addStrategy;
  }

  /** @throws RagwardenError `conflict/state` when there is one of that id, `request/invalid` when it cannot be followed */
  async addTask(task: CleanupTask | CleanupTaskGiven): Promise<CleanupTaskBody> {
    const { cleanupFunction, ...given } = task instanceof CleanupTask ? task.given : task;
    if (!cleanupFunction) return (await this.#client).cleanup.addTask(given);
    const name = `task-${given.taskId.toLowerCase().replace(/[^a-z0-9-]/g, '-')}`;
    await this.addStrategy({
      name,
      about: given.description ?? given.name ?? given.taskId,
      find: () => [{ id: given.taskId, why: 'the function of the task' }],
      async cleanUp(_, signal) {
        await cleanupFunction(signal);
      },
    });
    return (await this.#client).cleanup.addTask({ ...given, cleanupType: name });
  }

  async removeTask(taskId: string): Promise<void> {
    await (await this.#client).cleanup.removeTask(taskId);
  }
  async enableTask(taskId: string): Promise<CleanupTaskBody> {
    return (await this.#client).cleanup.enableTask(taskId);
  }
  async disableTask(taskId: string): Promise<CleanupTaskBody> {
    return (await this.#client).cleanup.disableTask(taskId);
  }

  /**
   * Runs it now and waits for its end.
   * @throws RagwardenError with the code of its failure; `operation/busy` while it runs
   */
  async runTaskNow(taskId: string): Promise<CleanupResult> {
    const client = await this.#client;
    const ended = await client.operations.wait(await client.cleanup.runTask(taskId));
    return ended.result as CleanupResult; // of a cleanup that ended
  }

  async getTaskStatus(taskId: string): Promise<CleanupTaskBody> {
    return (await this.#client).cleanup.task(taskId);
  }
  async getAllTasks(): Promise<readonly CleanupTaskBody[]> {
    return (await (await this.#client).cleanup.tasks()).items;
  }
  /** Newest first. @param limit 1 to 200 */
  async getExecutionHistory(taskId?: string, limit = 100): Promise<readonly CleanupRunBody[]> {
    const wish = { limit, ...(taskId === undefined ? {} : { taskId }) };
    return (await (await this.#client).cleanup.history(wish)).items;
  }
  async getSchedulerMetrics(): Promise<CleanupTotalsBody> {
    return (await (await this.#client).cleanup.history({ limit: 1 })).totals;
  }

  /** @throws TypeError where the product runs in another process: a function cannot go there */
  async addStrategy(strategy: OwnCleanupStrategy): Promise<void> {
    if (!this.#addStrategy)
      throw new TypeError(
        'A strategy runs in the process of ragwarden. Bring it along with createWarden of ragwarden/embedded, or register the resource with a cleanup of its own.',
      );
    await this.#addStrategy(strategy);
  }
}

export const getCleanupScheduler = (options: ClientOptions): CleanupScheduler => new CleanupScheduler(options);
