import { Readable } from 'node:stream';
import type { AuditEntry, Event } from './event.ts';
import type { EventLog } from './event-log.ts';
import type { AuditFilter, EventFilter } from './event-store.ts';
import { auditBody, eventBody } from './event-wire.ts';

export const ndjsonType = 'application/x-ndjson';

/** Entries read at once; what waits for a slow reader is one such page. */
const pageSize = 500;

/** Oldest first, a page at a time as they are taken, up to what was the newest when it began. */
export async function* exportEvents(events: EventLog, filter: EventFilter): AsyncGenerator<string, void> {
  const end = (await events.lastSeq()) + 1;
  let afterSeq = 0;
  for (;;) {
    const found: Event[] = await events.list({
      ...filter,
      afterSeq,
      beforeSeq: end,
      order: 'oldest-first',
      limit: pageSize,
    });
    if (found.length > 0) yield linesOf(found.map(eventBody));
    const last = found.at(-1);
    if (!last || found.length < pageSize) return;
    afterSeq = last.seq;
  }
}

/** As above. The hashes are in the lines, so whoever keeps them can verify them without us. */
export async function* exportAudit(events: EventLog, filter: AuditFilter): AsyncGenerator<string, void> {
  const end = (await events.auditHead()).seq + 1;
  let afterSeq = 0;
  for (;;) {
    const found: AuditEntry[] = await events.listAudit({
      ...filter,
      afterSeq,
      beforeSeq: end,
      order: 'oldest-first',
      limit: pageSize,
    });
    if (found.length > 0) yield linesOf(found.map(auditBody));
    const last = found.at(-1);
    if (!last || found.length < pageSize) return;
    afterSeq = last.seq;
  }
}

const linesOf = (bodies: readonly unknown[]): string => bodies.map((body) => `${JSON.stringify(body)}\n`).join('');

/** A reader that is slow, or gone, asks for nothing more. */
export const ndjson = (lines: AsyncIterable<string>): Readable => Readable.from(lines, { highWaterMark: 1 });
