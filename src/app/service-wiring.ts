import type { Jobs } from '../platform/jobs.ts';
import { productVersion } from '../platform/product-version.ts';
import { createServiceRegistry, type ServiceRegistry } from '../system/index.ts';
import type { Ground } from './ground.ts';
import type { Listening } from './listeners.ts';

/** What runs here, with the listeners, which come last. */
export function createServices(
  ground: Ground,
  options: { readonly startedMs: number; readonly jobs: Jobs; gatewayUrl(): string | undefined },
): ServiceRegistry & { setListening(listening: Listening): void } {
  const { config, clock, db, logOf } = ground;
  let listening: Listening | undefined;
  return {
    ...createServiceRegistry({
      instance: config.state.instance,
      version: productVersion(),
      ...{ startedMs: options.startedMs, jobs: options.jobs },
      listeners: () => [
        { name: 'api', url: listening?.api },
        { name: 'metrics', url: listening?.metrics },
        { name: 'gateway', url: options.gatewayUrl() },
      ],
      shared: config.state.place.kind === 'postgres' ? db : undefined,
      ...{ clock, log: logOf('system') },
    }),
    setListening(now) {
      listening = now;
    },
  };
}
