import { createHash } from 'node:crypto';
import { AppError } from '../platform/errors.ts';
import { type EventArea, kindOfType } from './event-kind.ts';

export const severities = ['info', 'warning', 'error', 'critical'] as const;
export type Severity = (typeof severities)[number];

/**
 * Types are `area.what-happened`, in lower case. Each slice names its own; a type is public, so it is never renamed.
 * In use so far: `warden.started`, `warden.stopped`, `access.login`, `target.status-changed`, `target.workspace-changed`, `target.index-run-began`, `target.index-run-ended`, `host.threshold`, `host.oom-kill`,
 * `backup.point-taken`, `backup.point-failed`, `backup.point-lost`, `backup.catalogue-rebuilt`, `backup.catalogue-differs`,
 * `replication.synced`, `replication.failed`, `replication.conflict`, `replication.damaged`, `replication.healed`, `replication.pruned`, `replication.target-registered`, `replication.target-changed`,
 * `replication.target-removed`, `replication.target-lost`, `replication.target-back`, `replication.placement-met`, `replication.placement-broken`, `replication.received`, `replication.adopted`,
 * `restore.finished`, `restore.rolled-back`, `restore.undo-waits`, `operation.failed`,
 * `operation.interrupted`, `operation.cancelled`, `operation.partial`, `operation.settled`, `health.status-changed`, `ingest.stuck`,
 * `ingest.moving-again`, `ingest.reprocessed`, `canary.failed`, `canary.passed-again`, `resource.leak-found`, `resource.leaks-found`,
 * `resource.leak-retracted`, `resource.leaks-retracted`, `resource.leak-suspected`, `resource.leak-confirmed`, `resource.leak-disproved`, `cleanup.finished`, `cleanup.failed`, `cleanup.undone`, `metrics.pattern-found`, `target.orphans-found`, `target.orphans-gone`.
 */
export type EventType = `${EventArea}.${string}`;
const eventTypeShape = /^[a-z]+(\.[a-z][a-z0-9-]*)+$/;
export const isEventType = (text: string): text is EventType =>
  text.length <= 100 && eventTypeShape.test(text) && kindOfType(text) !== undefined;

export type NewEvent = {
  readonly type: EventType;
  readonly severity: Severity;
  readonly targetId?: string | undefined;
  readonly workspace?: string | undefined;
  readonly operationId?: string | undefined;
  /** What it belongs to, and who is behind it: unless told, what the work was begun with (`platform/correlation.ts`). */
  readonly correlationId?: string | undefined;
  readonly actor?: string | undefined;
  /** One sentence for people. Never holds a secret. */
  readonly message: string;
  /** Facts for programs, as JSON values. Never holds a secret. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
};

/** `seq` grows by one in commit order, without gaps; it is also the id on the event stream. */
export type Event = {
  readonly seq: number;
  readonly atMs: number;
  readonly type: string;
  readonly severity: Severity;
  readonly targetId: string | null;
  readonly workspace: string | null;
  readonly operationId: string | null;
  /** Shared by all that began with one request, or with one operation that nobody asked for by a request. */
  readonly correlationId: string | null;
  /** Subject of whoever asked; null: nobody did. */
  readonly actor: string | null;
  readonly instance: string;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
};

export type NewAuditEntry = {
  /** Who: the subject of the principal, or `ragwarden` for its own decisions. */
  readonly actor: string;
  /** What was asked for, as `area.verb`. */
  readonly action: string;
  /** To what: an id, or an empty string. */
  readonly object: string;
  readonly outcome: 'done' | 'refused' | 'failed';
  readonly data?: Readonly<Record<string, unknown>> | undefined;
};

export type AuditEntry = {
  readonly seq: number;
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly outcome: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly correlationId: string | null;
  readonly prevHash: string;
  readonly hash: string;
};

export type AuditContent = Pick<AuditEntry, 'seq' | 'atMs' | 'actor' | 'action' | 'object' | 'outcome'> & {
  /** The JSON text exactly as stored, so that any changed byte shows. */
  readonly dataText: string;
  readonly correlationId: string | null;
};

/** What the first entry names as its predecessor. */
export const auditGenesis = '0'.repeat(64);

/**
 * SHA-256, in hex, of the predecessor's hash followed by the content as one JSON array in fixed order. The correlation ends it
 * only where there is one: entries from before there were any keep their hashes.
 */
export function auditHash(prevHash: string, content: AuditContent): string {
  const { seq, atMs, actor, action, object, outcome, dataText, correlationId } = content;
  const fields = [seq, atMs, actor, action, object, outcome, dataText];
  const text = JSON.stringify(correlationId === null ? fields : [...fields, correlationId]);
  return createHash('sha256').update(prevHash).update(text).digest('hex');
}

/** A head of the trail that was noted elsewhere, such as in the manifest of a recovery point. */
export type AuditAnchor = {
  readonly seq: number;
  readonly hash: string;
  /** Which trail it is of, where that was noted. A repository may hold points of others. */
  readonly trail?: string | undefined;
  /** Where it was noted, as told to people. */
  readonly where: string;
};

export type AuditVerdict =
  | {
      readonly intact: true;
      readonly entries: number;
      readonly head: { readonly seq: number; readonly hash: string };
      readonly anchors: {
        /** Noted heads that the trail agrees with. */
        readonly matched: number;
        /** Of entries that were removed since, by whole segments: nothing is left to compare. */
        readonly removed: number;
        /** Of another trail, such as that of the warden before this one. */
        readonly foreign: number;
      };
    }
  | { readonly intact: false; readonly entries: number; readonly brokenAtSeq: number; readonly reason: string };

/** Text of any origin is made storable: databases refuse half surrogate pairs, one of them also zero characters. */
export function storableText(text: string, maxLength: number): string {
  const clean = text.replaceAll('\0', '\uFFFD');
  return (clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean).toWellFormed();
}

/** @throws AppError `request/invalid` when the facts are no JSON or larger than an event may be */
export function dataText(data: Readonly<Record<string, unknown>> | undefined): string {
  const text = JSON.stringify(data ?? {});
  if (text.length > maxDataLength)
    throw new AppError('request/invalid', `The data of an event may have ${maxDataLength} characters at most.`);
  return text;
}
const maxDataLength = 65_536;
