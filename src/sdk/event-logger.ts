import { createClient, type RagwardenClient } from './client.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type { EventBody } from './wire.ts';

export type TimeRange = {
  /** Inclusive; unless told, from the oldest event that is kept. */
  readonly since?: Date;
  /** Exclusive; unless told, up to now. */
  readonly until?: Date;
};

/**
 * What happened to a graph. What ragwarden does it records itself; here a program tells what it did, for which a service token
 * is enough. `eventType` is a word of yours, such as `created`; it is kept as `backup.told.created`.
 */
export class EventLogger {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /** @param graphId id of a target, or `target:workspace`. @throws RagwardenError `target/unknown`, `feature/disabled` */
  logBackupEvent(
    graphId: string,
    eventType: string,
    details: Readonly<Record<string, unknown>> = {},
    call?: CallOptions,
  ): Promise<EventBody> {
    return this.#client.events.tell({ kind: 'backup', graphId, eventType, details }, call);
  }

  /** @param targetId where to */
  logReplicationEvent(
    graphId: string,
    targetId: string,
    eventType: string,
    call: CallOptions = {},
  ): Promise<EventBody> {
    return this.#client.events.tell({ kind: 'replication', graphId, replicationTargetId: targetId, eventType }, call);
  }

  logRecoveryEvent(checkpointId: string, eventType: string, call: CallOptions = {}): Promise<EventBody> {
    return this.#client.events.tell({ kind: 'recovery', checkpointId, eventType }, call);
  }

  /**
   * All events of a graph in a time range, oldest first.
   * @param graphId id of a target, or `target:workspace` for what concerns one workspace of it alone
   */
  async getEventsForGraph(graphId: string, timeRange: TimeRange = {}, call?: CallOptions): Promise<EventBody[]> {
    const found: EventBody[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#client.events.list({ ...timeRange, graphId, order: 'oldest', limit: 500, cursor }, call);
      found.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    return found;
  }
}
