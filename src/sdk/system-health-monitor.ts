import { createClient, type RagwardenClient } from './client.ts';
import type { HealthOptions } from './health-calls.ts';
import { readSubsystems, type Subsystem } from './subsystems.ts';
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
  /** Those of document 003 with their figures (`resource_manager`, `quota_manager` …), and each check by its name. */
  readonly systems: Readonly<Record<string, Subsystem>>;
  readonly timestamp: string;
};

/** The health of every part, as it was last seen, or with `fresh` as it is now. `overall` is the word over the checks. */
export async function getSystemHealth({
  fresh,
  signal,
  ...options
}: ClientOptions & HealthOptions): Promise<SystemHealth> {
  const client = createClient(options);
  const { status, checks, timestamp } = await client.health.status({ fresh, signal });
  return {
    overall: status,
    systems: {
      ...Object.fromEntries(checks.map((one) => [one.name, { status: one.status, message: one.message }])),
      ...(await readSubsystems(client, { nowMs: Date.parse(timestamp), signal })),
    },
    timestamp,
  };
}
