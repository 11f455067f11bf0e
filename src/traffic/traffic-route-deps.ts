import type { EventRecorder } from '../events/index.ts';
import type { ConsumptionLog } from '../host/index.ts';
import type { Recorder } from '../metrics/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Traffic } from './traffic.ts';

export type TrafficRouteDeps = {
  readonly traffic: Traffic;
  readonly recorder: Recorder;
  /** Where the audit trail is. */
  readonly db: Database;
  readonly events: EventRecorder;
  readonly clock: Clock;
  /** What the backend's process took. */
  readonly consumption: Pick<ConsumptionLog, 'between'>;
};
