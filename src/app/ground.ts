import type { Config, LiveConfig } from '../config/index.ts';
import type { EventLog, EventRecorder } from '../events/index.ts';
import type { DocumentMetrics, MetricRegistry } from '../metrics/index.ts';
import type { Notifier } from '../notify/index.ts';
import type { Operations } from '../operations/index.ts';
import type { ChildProcesses } from '../platform/child-processes/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { HttpClient } from '../platform/http-client.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';

/** What every part of the product stands on; made first, in `warden.ts`, and handed to what is built upon it. */
export type Ground = {
  /** As the settings are when it is read: runtime settings change. */
  readonly config: Config;
  readonly live: LiveConfig;
  /** Whether the target is probed in the background. */
  readonly probing: boolean;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly log: Logger;
  /** Lines under the name of a slice, whose level can be set by itself. */
  logOf(slice: string): Logger;
  readonly children: ChildProcesses;
  readonly db: Database;
  readonly metricsDb: Database;
  readonly eventLog: EventLog;
  /** Writes nothing but the audit trail where the event log is switched off. */
  readonly events: EventRecorder;
  readonly operations: Operations;
  readonly http: HttpClient;
  readonly registry: MetricRegistry;
  readonly documentMetrics: DocumentMetrics;
  /** Tells people outside, once the unit of work commits. */
  readonly notifier: Notifier;
};
