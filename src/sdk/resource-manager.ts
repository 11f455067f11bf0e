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
/** Of those that are freed together. */
const atOnce = 10;

/** What became of resources that were to be freed together. */
export type ResourcesCleaned = {
  readonly cleaned: number;
  readonly failed: readonly { readonly resourceId: string; readonly error: string }[];
  /** Registered here without a way to free them. */
  readonly left: readonly string[];
};

type Registered = Pick<ResourceRegistration, 'resourceType' | 'owner'> & {
  readonly cleanup: (() => unknown) | undefined;
};

/** Tells ragwarden what this program holds, and asks which of it leaks. A service token is enough. */
export class ResourceManager {
  readonly #client: Promise<RagwardenClient>;
  /** What this program registered, and how it is freed; that is never sent anywhere. */
  readonly #registered = new Map<string, Registered>();
  readonly #strategies = new Map<ResourceTypeName, (resourceId: string) => unknown>();
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
    this.#registered.set(given.resourceId, { resourceType: given.resourceType, owner: given.owner, cleanup });
    return registered;
  }

  /** How this program frees what it registered of a type without a `cleanup` of its own. */
  addCleanupStrategy(type: ResourceTypeName, cleanup: (resourceId: string) => unknown): void {
    this.#strategies.set(type, cleanup);
  }

  /**
   * How this program frees what it registered; undefined: it did not, or said no way. With it a cleanup of `ragwarden/embedded` frees
   * what leaks in its own process.
   */
  findCleanup(resourceId: string): (() => Promise<void>) | undefined {
    const known = this.#registered.get(resourceId);
    const strategy = known && this.#strategies.get(known.resourceType);
    const cleanup = known?.cleanup ?? (strategy && (() => strategy(resourceId)));
    if (!cleanup) return undefined;
    return async () => {
      await cleanup();
      this.#registered.delete(resourceId);
    };
  }

  /** It is used. @throws RagwardenError `resource/unknown`, also after a restart of ragwarden: register it again */
  async accessResource(resourceId: string): Promise<ResourceBody> {
    return (await this.#client).resources.access(resourceId);
  }

  /**
   * Frees it by the `cleanup` that it was registered with, else by the strategy of its type, and tells so; one that fails is told too,
   * and thrown.
   * @throws TypeError when there is neither, or another program registered it: nothing was freed then
   */
  async cleanupResource(resourceId: string): Promise<ResourceBody> {
    const cleanup = this.findCleanup(resourceId);
    if (!cleanup)
      throw new TypeError(
        `${resourceId} was registered here without a cleanup. Free it yourself, then unregisterResource tells so.`,
      );
    try {
      await cleanup();
    } catch (err) {
      // What kept it from being freed is worth more than what kept that from being told.
      await (await this.#client).resources.release(resourceId, { error: inWords(err) }).catch(() => undefined);
      throw err;
    }
    return (await this.#client).resources.release(resourceId);
  }

  /** Frees what this program registered of a type, in use or not. */
  async cleanupResourcesByType(type: ResourceTypeName): Promise<ResourcesCleaned> {
    return this.#cleanUp(({ resourceType }) => resourceType === type);
  }

  /** Frees what this program registered for an owner, in use or not. */
  async cleanupResourcesByOwner(owner: string): Promise<ResourcesCleaned> {
    return this.#cleanUp((one) => one.owner === owner);
  }

  /** Frees everything that this program registered: before it ends. */
  async cleanupAllResources(): Promise<ResourcesCleaned> {
    return this.#cleanUp(() => true);
  }

  async #cleanUp(isMeant: (one: Registered) => boolean): Promise<ResourcesCleaned> {
    const meant = [...this.#registered].filter(([, one]) => isMeant(one)).map(([resourceId]) => resourceId);
    const left = meant.filter((resourceId) => this.findCleanup(resourceId) === undefined);
    const going = meant.filter((resourceId) => !left.includes(resourceId));
    const failed: { resourceId: string; error: string }[] = [];
    for (let at = 0; at < going.length; at += atOnce)
      await Promise.all(
        going.slice(at, at + atOnce).map((resourceId) =>
          this.cleanupResource(resourceId).catch((err: unknown) => {
            failed.push({ resourceId, error: inWords(err) });
          }),
        ),
      );
    return { cleaned: going.length - failed.length, failed, left };
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
    if (this.findCleanup(resourceId)) await this.cleanupResource(resourceId);
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
    this.#registered.delete(resourceId);
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

const inWords = (err: unknown): string => (String(err) || 'no reason').slice(0, longestError);

export const getResourceManager = (options: ClientOptions): ResourceManager => new ResourceManager(options);
