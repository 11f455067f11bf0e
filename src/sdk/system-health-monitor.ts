import { createClient, type RagwardenClient } from './client.ts';
import type { HealthOptions } from './health-calls.ts';
import type { ClientOptions } from './transport.ts';
import type { HealthComponent, HealthComponents, HealthWord } from './wire.ts';

/** Looks at everything now, unless `fresh: false`: then what was last seen is told. Needs an admin's token. */
export class SystemHealthMonitor {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /** Database, cache, system resources, external and application services, and the word over them. */
  checkSystemHealth(options: HealthOptions = {}): Promise<HealthComponents> {
    return this.#client.health.components({ fresh: true, ...options });
  }

  /** Unknown where none is configured. */
  async checkDatabaseHealth(options: HealthOptions | undefined = undefined): Promise<HealthComponent> {
    return (await this.checkSystemHealth(options)).components.database;
  }

  /** Unknown where none is configured. */
  async checkCacheHealth(options: HealthOptions | undefined = undefined): Promise<HealthComponent> {
    return (await this.checkSystemHealth(options)).components.cache;
  }

  /** What `health` of the settings names; unknown where it names nothing. */
  async checkExternalServices(options: HealthOptions | undefined = undefined): Promise<HealthComponent> {
    return (await this.checkSystemHealth(options)).components.external_services;
  }

  async checkSystemResources(
    options: HealthOptions | undefined = undefined,
  ): Promise<HealthComponents['components']['system_resources']> {
    return (await this.checkSystemHealth(options)).components.system_resources;
  }
}

export type SystemHealth = {
  readonly overall: HealthWord;
  /** Each check by its name. */
  readonly systems: Readonly<Record<string, { readonly status: HealthWord; readonly message: string }>>;
  readonly timestamp: string;
};

/** The health of every part, as it was last seen, or with `fresh` as it is now. */
export async function getSystemHealth({
  fresh,
  signal,
  ...options
}: ClientOptions & HealthOptions): Promise<SystemHealth> {
  const { status, checks, timestamp } = await createClient(options).health.status({ fresh, signal });
  return {
    overall: status,
    systems: Object.fromEntries(checks.map((one) => [one.name, { status: one.status, message: one.message }])),
    timestamp,
  };
}
