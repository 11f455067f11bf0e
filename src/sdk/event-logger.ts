import { createClient, type RagwardenClient } from './client.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type { EventBody } from './wire.ts';

export type TimeRange = {
  /** Inclusive; unless told, from the oldest event that is kept. */
  readonly since?: Date;
  /** Exclusive; unless told, up to now. */
  readonly until?: Date;
};

/** What happened to a graph. Events are recorded by ragwarden itself. */
export class EventLogger {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /**
   * All events of a graph in a time range, oldest first.
   * @param graphId id of a target, or `target:workspace` for what concerns one workspace of it alone
   */
  async getEventsForGraph(graphId: string, timeRange: TimeRange = {}, call?: CallOptions): Promise<EventBody[]> {
    const [targetId, workspace] = /^([^:]*):(.*)$/s.exec(graphId)?.slice(1) ?? [graphId, undefined];
    const found: EventBody[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#client.events.list(
        { ...timeRange, targetId, workspace, order: 'oldest', limit: 500, cursor },
        call,
      );
      found.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    return found;
  }
}
