import { createHash } from 'node:crypto';
import { AppError } from '../platform/errors.ts';

export const severities = ['info', 'warning', 'error', 'critical'] as const;
export type Severity = (typeof severities)[number];

/**
 * Types are `area.what-happened`, in lower case. Each slice names its own; a type is public, so it is never renamed.
 * In use so far: `warden.started`, `warden.stopped`, `access.login`, `target.status-changed`, `target.workspace-changed`, `host.threshold`, `host.oom-kill`,
 * `backup.point-taken`, `backup.point-failed`, `backup.point-lost`, `backup.catalogue-rebuilt`, `backup.catalogue-differs`,
 * `restore.finished`, `restore.rolled-back`, `restore.undo-waits`, `operation.failed`,
 * `operation.interrupted`, `operation.cancelled`, `operation.partial`, `operation.settled`, `health.changed`, `ingest.stuck`,
 * `ingest.moving-again`, `ingest.reprocessed`, `canary.failed`, `canary.passed-again`, `resource.leak-found`, `resource.leaks-found`,
 * `resource.leak-retracted`, `resource.leaks-retracted`, `target.orphans-found`, `target.orphans-gone`.
 */
export type EventType = `${string}.${string}`;
const eventTypeShape = /^[a-z]+(\.[a-z-]+)+$/;
export const isEventType = (text: string): text is EventType => text.length <= 100 && eventTypeShape.test(text);

export type NewEvent = {
  readonly type: EventType;
  readonly severity: Severity;
  readonly targetId?: string | undefined;
  readonly workspace?: string | undefined;
  readonly operationId?: string | undefined;
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
  readonly prevHash: string;
  readonly hash: string;
};

export type AuditContent = Pick<AuditEntry, 'seq' | 'atMs' | 'actor' | 'action' | 'object' | 'outcome'> & {
  /** The JSON text exactly as stored, so that any changed byte shows. */
  readonly dataText: string;
};

/** What the first entry names as its predecessor. */
export const auditGenesis = '0'.repeat(64);

/** SHA-256, in hex, of the predecessor's hash followed by the content as one JSON array in fixed order. */
export function auditHash(prevHash: string, content: AuditContent): string {
  const { seq, atMs, actor, action, object, outcome, dataText } = content;
  const text = JSON.stringify([seq, atMs, actor, action, object, outcome, dataText]);
  return createHash('sha256').update(prevHash).update(text).digest('hex');
}

export type AuditVerdict =
  | { readonly intact: true; readonly entries: number; readonly head: { readonly seq: number; readonly hash: string } }
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
