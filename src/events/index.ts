/**
 * What happened: the event log for people, and the audit trail of who asked for what.
 * Owns the tables `event` and `audit_entry`. Invariants: `seq` is gapless in commit order; an audit entry's hash covers its
 * predecessor's; both are written in the transaction of the change they speak of.
 */
export type {
  AuditEntry,
  AuditVerdict,
  Event,
  EventType,
  NewAuditEntry,
  NewEvent,
  Severity,
} from './event.ts';
export { boundedAudit, boundedEvents } from './event-growth.ts';
export { createEventRetention } from './event-jobs.ts';
export { type AuditFilter, createEventLog, type EventLog, type EventRecorder } from './event-log.ts';
export { type EventBody, eventRoutes } from './event-routes.ts';
export type { EventFilter } from './event-store.ts';
