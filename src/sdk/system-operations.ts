import { createClient, type RagwardenClient } from './client.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type { SettingsCheckBody } from './wire.ts';

/** Work on ragwarden itself. */
export class SystemOperations {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /** Every problem of the settings as they are written now, and what reloading them would change; changes nothing. */
  validateConfiguration(call: CallOptions = {}): Promise<SettingsCheckBody> {
    return this.#client.settings.check(call);
  }

  /**
   * Reads the settings file and the files of secrets again, all of it or nothing.
   * @throws RagwardenError `config/invalid` with every problem; what is in force then stays
   */
  reloadConfiguration(call: CallOptions = {}): Promise<SettingsCheckBody> {
    return this.#client.settings.reload(call);
  }
}
