import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import { type AuditEntry, type AuditVerdict, type Event, severities } from './event.ts';
import { type EventKind, eventKinds, kindOfType } from './event-kind.ts';
import type { EventFilter } from './event-store.ts';

export const eventSchema = z
  .object({
    seq: z.number().int().describe('Grows by one in commit order, without gaps; also the id on the stream.'),
    at: z.iso.datetime(),
    type: z.string(),
    kind: z.enum(eventKinds).nullable().describe('What it is about; null for an area of before that has none.'),
    severity: z.enum(severities),
    target_id: z.string().nullable(),
    workspace: z.string().nullable(),
    operation_id: z.string().nullable(),
    correlation_id: z
      .string()
      .nullable()
      .describe('Shared by all that began with one request (its `X-Request-Id`) or one operation.'),
    actor: z.string().nullable().describe('Who asked; null: nobody did.'),
    instance: z.string(),
    message: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });
export type EventBody = z.infer<typeof eventSchema>;

export const auditEntrySchema = z
  .object({
    seq: z.number().int(),
    at: z.iso.datetime(),
    actor: z.string(),
    action: z.string(),
    object: z.string(),
    outcome: z.string(),
    data: z.record(z.string(), z.unknown()),
    correlation_id: z.string().nullable().describe('As of events.'),
    prev_hash: z.string(),
    hash: z.string().describe('SHA-256 over prev_hash and the entry.'),
  })
  .meta({ id: 'AuditEntry' });

export const auditVerdictSchema = z.object({
  intact: z.boolean(),
  entries: z.number().int().describe('How many were read and found right.'),
  head: z.object({ seq: z.number().int(), hash: z.string() }).nullable(),
  anchors: z
    .object({
      matched: z.number().int().describe('Heads noted in recovery points that the trail agrees with.'),
      removed: z.number().int().describe('Of entries that were removed since by whole segments: nothing to compare.'),
      foreign: z.number().int().describe('Of another trail, such as that of the warden before this one.'),
    })
    .nullable(),
  broken_at_seq: z.number().int().nullable(),
  reason: z.string().nullable(),
});

export const cursor = z
  .string()
  .regex(/^\d{1,15}$/)
  .optional()
  .describe('`next_cursor` of the page before.');
export const limit = z.coerce.number().int().min(1).max(500).default(100);
export const instant = z.iso.datetime({ offset: true }).optional();

// A list of words forgets which they are.
const isKind = (text: string): text is EventKind => (eventKinds as readonly string[]).includes(text);

export const filterQuery = {
  type: z
    .string()
    .max(2_000)
    .regex(/^[a-z]+(\.[a-z0-9-]+)*(\.\*)?(,[a-z]+(\.[a-z0-9-]+)*(\.\*)?)*$/)
    .optional()
    .describe('Types, separated by commas; `backup.*` is every type that begins so.'),
  severity: z
    .string()
    .regex(/^(info|warning|error|critical)(,(info|warning|error|critical))*$/)
    .optional()
    .describe('Severities, separated by commas.'),
  kind: z
    .string()
    .max(200)
    .regex(/^[a-z]+(,[a-z]+)*$/)
    .refine((text) => text.split(',').every(isKind), `are of: ${eventKinds.join(', ')}`)
    .optional()
    .describe(`Kinds, separated by commas: ${eventKinds.join(', ')}.`),
  graph_id: z
    .string()
    .max(1_100)
    .optional()
    .describe('`target`, or `target:workspace` for what concerns that workspace alone.'),
  target_id: z.string().max(100).optional(),
  workspace: z.string().max(1_000).optional(),
  operation_id: z.string().max(100).optional(),
  correlation_id: z.string().max(1_000).optional(),
  actor: z.string().max(1_000).optional(),
};

export type FilterQuery = { [Name in keyof typeof filterQuery]?: string | undefined };

export function filterOf(query: FilterQuery): EventFilter {
  const graph = query.graph_id === undefined ? undefined : graphOf(query.graph_id);
  return {
    types: query.type?.split(','),
    kinds: query.kind?.split(',').filter(isKind),
    severities: severities.filter((severity) => query.severity?.split(',').includes(severity)),
    targetId: query.target_id ?? graph?.targetId,
    workspace: query.workspace ?? graph?.workspace,
    operationId: query.operation_id,
    correlationId: query.correlation_id,
    actor: query.actor,
  };
}

/** The target alone, or one workspace of it. */
export function graphOf(graphId: string): { readonly targetId: string; readonly workspace: string | undefined } {
  const at = graphId.indexOf(':');
  return at < 0
    ? { targetId: graphId, workspace: undefined }
    : { targetId: graphId.slice(0, at), workspace: graphId.slice(at + 1) };
}

export const msOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Date.parse(text);
export const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

/** A page with its cursor: one more than asked for was read, so the last page has none. */
export function page<Item extends { seq: number }>(
  found: Item[],
  size: number,
): { items: Item[]; next_cursor: string | null } {
  const items = found.slice(0, size);
  const last = items.at(-1);
  return { items, next_cursor: found.length > size && last ? String(last.seq) : null };
}

export const eventBody = (event: Event): EventBody => ({
  seq: event.seq,
  at: isoInstant(event.atMs),
  type: event.type,
  kind: kindOfType(event.type) ?? null,
  severity: event.severity,
  target_id: event.targetId,
  workspace: event.workspace,
  operation_id: event.operationId,
  correlation_id: event.correlationId,
  actor: event.actor,
  instance: event.instance,
  message: event.message,
  data: { ...event.data },
});

export const auditBody = (entry: AuditEntry): z.infer<typeof auditEntrySchema> => ({
  seq: entry.seq,
  at: isoInstant(entry.atMs),
  actor: entry.actor,
  action: entry.action,
  object: entry.object,
  outcome: entry.outcome,
  data: { ...entry.data },
  correlation_id: entry.correlationId,
  prev_hash: entry.prevHash,
  hash: entry.hash,
});

export const verdictBody = (verdict: AuditVerdict): z.infer<typeof auditVerdictSchema> =>
  verdict.intact
    ? { ...verdict, broken_at_seq: null, reason: null }
    : {
        intact: false,
        entries: verdict.entries,
        head: null,
        anchors: null,
        broken_at_seq: verdict.brokenAtSeq,
        reason: verdict.reason,
      };
