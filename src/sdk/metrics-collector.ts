import { createClient, type RagwardenClient } from './client.ts';
import type { CallOptions, ClientOptions } from './transport.ts';

/** The metrics of what is watched and of ragwarden itself. They are collected in the background; asking measures nothing. */
export class MetricsCollector {
  readonly #client: RagwardenClient;

  /** A scrape or service token is enough. */
  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /** Every metric in Prometheus' text format. */
  exportToPrometheus(call: CallOptions = {}): Promise<string> {
    return this.#client.metrics.text(call);
  }
}
