/**
 * What goes over the wire, field by field as HTTP has it. Sizes are bytes, shares percent from 0 to 100, instants ISO 8601 in
 * UTC unless a name says otherwise; null is "not known", never zero.
 * Written out here, so that the types of the library stand alone; a test holds them against the schemas of the server.
 */
export type * from './wire/access.ts';
export type * from './wire/alerts.ts';
export type * from './wire/analytics.ts';
export type * from './wire/backup.ts';
export type * from './wire/cleanup.ts';
export type * from './wire/documents.ts';
export type * from './wire/events.ts';
export type * from './wire/failover.ts';
export type * from './wire/gateway.ts';
export type * from './wire/graphs.ts';
export type * from './wire/health.ts';
export type * from './wire/health-dashboard.ts';
export type * from './wire/host.ts';
export type * from './wire/metrics.ts';
export type * from './wire/notify.ts';
export type * from './wire/operations.ts';
export type * from './wire/orphans.ts';
export type * from './wire/quotas.ts';
export type * from './wire/recovery.ts';
export type * from './wire/replication.ts';
export type * from './wire/repository.ts';
export type * from './wire/resources.ts';
export type * from './wire/settings.ts';
export type * from './wire/system.ts';
export type * from './wire/targets.ts';
export type * from './wire/traffic.ts';
export type * from './wire/tuning.ts';

export type Page<Item> = {
  readonly items: Item[];
  /** Give it as `cursor` for the next page; null after the last one. */
  readonly next_cursor: string | null;
};
