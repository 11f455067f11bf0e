import { createClient, type RagwardenClient } from './client.ts';
import type { ResourceRegistration } from './resource-calls.ts';
import { createTracking, type Tracked, type TrackOptions } from './track.ts';
import type { ClientOptions } from './transport.ts';
import type { LeakSeverity, ResourceBody, ResourceLeakBody, ResourceSummaryBody, ResourceTypeName } from './wire.ts';

export const ResourceType = {
  MEMORY: 'memory',
  FILE_HANDLE: 'file_handle',
  NETWORK_CONNECTION: 'network_connection',
  DATABASE_CONNECTION: 'database_connection',
  ASYNC_TASK: 'async_task',
  THREAD: 'thread',
  PROCESS: 'process',
  CACHE: 'cache',
  LOCK: 'lock',
  TEMPORARY_FILE: 'temporary_file',
} as const;

const longestError = 500;

/** Tells ragwarden what this program holds, and asks which of it leaks. A service token is enough. */
export class ResourceManager {
  readonly #client: Promise<RagwardenClient>;
  /** How to free what this program registered; never sent anywhere. */
  readonly #cleanups = new Map<string, () => unknown>();
  readonly #track = createTracking(this);

  /** @param options or the promise of them, which calls then wait for */
  constructor(options: ClientOptions | Promise<ClientOptions>) {
    this.#client = options instanceof Promise ? options.then(createClient) : Promise.resolve(createClient(options));
    // Told by each call.
    this.#client.catch(() => undefined);
  }

  /**
   * @param resource with `cleanup`, `cleanupResource` frees it
   * @throws RagwardenError `resource/too-many`; `conflict/state` when the id is somebody else's
   */
  async registerResource(resource: ResourceRegistration & { cleanup?: () => unknown }): Promise<ResourceBody> {
    const { cleanup, ...given } = resource;
    const registered = await (await this.#client).resources.register(given);
    if (cleanup) this.#cleanups.set(given.resourceId, cleanup);
    return registered;
  }

  /** It is used. @throws RagwardenError `resource/unknown`, also after a restart of ragwarden: register it again */
  async accessResource(resourceId: string): Promise<ResourceBody> {
    return (await this.#client).resources.access(resourceId);
  }

  /**
   * Frees it by the `cleanup` that it was registered with, and tells so; one that fails is told too, and thrown.
   * @throws TypeError when it was registered without one, or by another program: nothing was freed then
   */
  async cleanupResource(resourceId: string): Promise<ResourceBody> {
    const cleanup = this.#cleanups.get(resourceId);
    if (!cleanup)
      throw new TypeError(
        `${resourceId} was registered here without a cleanup. Free it yourself, then unregisterResource tells so.`,
      );
    try {
      await cleanup();
    } catch (err) {
      const error = (String(err) || 'no reason').slice(0, longestError);
      // What kept it from being freed is worth more than what kept that from being told.
      await (await this.#client).resources.release(resourceId, { error }).catch(() => undefined);
      throw err;
    }
    this.#cleanups.delete(resourceId);
    return (await this.#client).resources.release(resourceId);
  }

  /**
   * Registers an object as long as it is held: `await using` it, or dispose of it. What the collector takes before that is released
   * with an error that says so. The object itself is not held.
   */
  track<T extends object>(type: ResourceTypeName, object: T, options?: TrackOptions): Promise<Tracked<T>> {
    return this.#track(type, object, options);
  }

  /** For what is tracked: the object is gone, what it held may not be. */
  async forgetCollected(resourceId: string): Promise<void> {
    if (this.#cleanups.has(resourceId)) await this.cleanupResource(resourceId);
    else
      await (await this.#client).resources.release(resourceId, {
        error: 'The object was collected before anybody freed what it held.',
      });
  }

  /** What is registered, in numbers. */
  async getResourceSummary(): Promise<ResourceSummaryBody> {
    return (await this.#client).resources.summary();
  }

  /** Forgets it, freed or not. @throws RagwardenError `resource/unknown` */
  async unregisterResource(resourceId: string): Promise<ResourceBody> {
    this.#cleanups.delete(resourceId);
    return (await this.#client).resources.unregister(resourceId);
  }

  /** All of them, or of one severity; the gravest first. */
  async getLeakedResources(severity: LeakSeverity | undefined = undefined): Promise<ResourceLeakBody[]> {
    const found: ResourceLeakBody[] = [];
    let cursor: string | null = '0';
    while (cursor !== null) {
      const page: { items: readonly ResourceLeakBody[]; next_cursor: string | null } = await (
        await this.#client
      ).resources.leaks({ limit: 100, cursor, ...(severity === undefined ? {} : { severity }) });
      found.push(...page.items);
      cursor = page.next_cursor;
    }
    return found;
  }
}

export const getResourceManager = (options: ClientOptions): ResourceManager => new ResourceManager(options);
