import type { AlertHistoryQuery, AlertRule, AlertTest } from './alert-calls.ts';
import { createClient, type RagwardenClient } from './client.ts';
import type { ClientOptions } from './transport.ts';
import type { AlertBacktestBody, AlertBody, AlertSeverity, KnownAlertRule } from './wire.ts';

/** Rules and alerts under the names of the document; an admin's token changes rules. */
export class AlertManager {
  readonly #client: Promise<RagwardenClient>;

  constructor(options: ClientOptions | Promise<ClientOptions>) {
    // Options that are wrong are told now; those that come later fail where they are used.
    this.#client =
      options instanceof Promise
        ? options.then((known) => createClient(known))
        : Promise.resolve(createClient(options));
    this.#client.catch(() => undefined);
  }

  /** Adds a rule, or puts it in place of the one of this name. @throws RagwardenError `request/invalid` with all that is wrong */
  async addAlertRule(rule: AlertRule): Promise<KnownAlertRule> {
    return (await this.#client).alerts.putRule(rule);
  }

  /** What fires because of it is resolved. @throws RagwardenError `alerts/unknown-rule` */
  async removeAlertRule(name: string): Promise<void> {
    await (await this.#client).alerts.deleteRule(name);
  }

  async getAlertRules(): Promise<readonly KnownAlertRule[]> {
    return (await (await this.#client).alerts.rules()).items;
  }

  /** What fires now. */
  async getActiveAlerts(query: { readonly severity?: AlertSeverity } = {}): Promise<readonly AlertBody[]> {
    return (await (await this.#client).alerts.active({ ...query, state: 'firing' })).items;
  }

  /** What fired, the newest first. */
  async getAlertHistory(query: AlertHistoryQuery = {}): Promise<readonly AlertBody[]> {
    return (await (await this.#client).alerts.history(query)).items;
  }

  /** Ends repeats and escalation of one that fires. @throws RagwardenError `alerts/unknown-alert` */
  async acknowledgeAlert(alertId: string, note?: string): Promise<AlertBody> {
    return (await this.#client).alerts.acknowledge(alertId, note === undefined ? {} : { note });
  }

  /** When a rule would have fired over what is stored. */
  async testAlertRule(rule: AlertRule | string, test: AlertTest = {}): Promise<AlertBacktestBody> {
    return (await this.#client).alerts.testRule(rule, test);
  }
}
