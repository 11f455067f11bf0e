import { createClient, type RagwardenClient } from './client.ts';
import type { ClientOptions } from './transport.ts';
import type { HostHealthBody, SystemBody, UserMetricsBody } from './wire.ts';

/** CPU, memory, disks and network of the machine that ragwarden runs on, as its background sampler last saw them. */
export class SystemMonitor {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /** Asking measures nothing. @throws RagwardenError `host/not-sampled` directly after a start */
  getSystemMetrics(): Promise<SystemBody> {
    return this.#client.monitoring.system();
  }

  /** The three checks and the word over them. */
  getHealthCheck(): Promise<HostHealthBody> {
    return this.#client.monitoring.health();
  }

  /** Storage of one first-level folder of the data folder. @throws RagwardenError `request/not-found`, `host/not-sampled` */
  getUserMetrics(userId: string): Promise<UserMetricsBody> {
    return this.#client.monitoring.user(userId);
  }
}

export const getSystemMonitor = (options: ClientOptions): SystemMonitor => new SystemMonitor(options);
