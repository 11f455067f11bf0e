import type { ResourceRegistration } from './resource-calls.ts';
import type { ResourceManager } from './resource-manager.ts';
import type { ResourceTypeName } from './wire.ts';

export type TrackOptions = Omit<ResourceRegistration, 'resourceId' | 'resourceType'> & {
  /** One id over all programs; made up unless told. */
  readonly resourceId?: string;
  /** How to free it. Must not hold on to the tracked object itself, or it is never collected. */
  readonly cleanup?: () => unknown;
};

/** What is tracked until it is disposed of: `await using held = await resources.track('lock', lock)`. */
export type Tracked<T extends object> = AsyncDisposable & {
  readonly resourceId: string;
  /** Undefined once it was collected. */
  value(): T | undefined;
  /** It is used. */
  access(): Promise<void>;
  /** Frees it by its cleanup, and tells so. May be called twice. */
  dispose(): Promise<void>;
};

/** Registers objects, and unregisters those that the collector took before anybody disposed of them. */
export function createTracking(manager: ResourceManager) {
  const registry = new FinalizationRegistry<string>((resourceId) => {
    // Its holder forgot to free it: nobody will, so that is told, and what leaks beside it stays to be found.
    void manager.forgetCollected(resourceId).catch(() => undefined);
  });
  return async <T extends object>(
    resourceType: ResourceTypeName,
    object: T,
    { resourceId = crypto.randomUUID(), cleanup, ...rest }: TrackOptions = {},
  ): Promise<Tracked<T>> => {
    await manager.registerResource({ ...rest, resourceId, resourceType, ...(cleanup ? { cleanup } : {}) });
    const token = {};
    const weak = new WeakRef(object);
    registry.register(object, resourceId, token);
    let disposed = false;
    const dispose = async (): Promise<void> => {
      if (disposed) return;
      disposed = true;
      registry.unregister(token);
      if (cleanup) await manager.cleanupResource(resourceId);
      else await manager.unregisterResource(resourceId);
    };
    return {
      resourceId,
      value: () => weak.deref(),
      async access() {
        await manager.accessResource(resourceId);
      },
      dispose,
      [Symbol.asyncDispose]: dispose,
    };
  };
}
