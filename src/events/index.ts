/**
 * What happened: the event log for people, and the audit trail of who asked for what.
 * Owns the tables `event` and `audit_entry`. Invariants: `seq` is gapless in commit order; an audit entry's hash covers its
 * predecessor's; both are written in the transaction of the change they speak of.
 */
export type {
  AuditAnchor,
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
export { createEventLog, type EventLog, type EventRecorder } from './event-log.ts';
export { eventRoutes } from './event-routes.ts';
export type { AuditFilter, EventFilter } from './event-store.ts';
export { type EventBody, eventBody } from './event-wire.ts';
export { createOldEvents } from './old-events.ts';
