import { signal } from '@preact/signals';
import { ApiError, messageOf, switchedOff } from '../api/client.ts';
import type { Page, WardenEvent } from '../api/wire.ts';
import { api } from './session.ts';

/** `live` while the stream is open; `none`: the event log is switched off, and what is shown comes by asking. */
export const connection = signal<'connecting' | 'live' | 'reconnecting' | 'none'>('connecting');
export const eventList = signal<readonly WardenEvent[] | undefined>(undefined);
export const eventsProblem = signal<string | undefined>(undefined);
export const olderCursor = signal<string | null>(null);

const pageSize = 20;
/** More than anybody reads; older ones can be loaded again. */
const kept = 600;
const retryMs = 3_000;

/** Newest first, each event once. */
export function mergeEvents(
  known: readonly WardenEvent[],
  more: readonly WardenEvent[],
  limit = kept,
): readonly WardenEvent[] {
  const bySeq = new Map(known.map((event) => [event.seq, event]));
  for (const event of more) bySeq.set(event.seq, event);
  return [...bySeq.values()].sort((a, b) => b.seq - a.seq).slice(0, limit);
}

let source: EventSource | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;
let running = 0;

const query = (filter: string | undefined): string =>
  filter === undefined ? '' : `&severity=${encodeURIComponent(filter)}`;

/** Loads the newest, then follows the stream from there on, so that nothing between the two is missed. */
export async function followEvents(severity: string | undefined, onEvent: (event: WardenEvent) => void): Promise<void> {
  endEvents();
  const life = running;
  connection.value = 'connecting';
  try {
    const page = await api.get<Page<WardenEvent>>(`api/v1/events?limit=${pageSize}${query(severity)}`);
    if (life !== running) return;
    eventList.value = page.items;
    olderCursor.value = page.next_cursor;
    eventsProblem.value = undefined;
  } catch (err) {
    if (life !== running) return;
    eventsProblem.value = messageOf(err);
    if (err instanceof ApiError && err.code === switchedOff) {
      connection.value = 'none';
      return;
    }
    again(severity, onEvent);
    return;
  }
  const newest = eventList.peek()?.[0]?.seq;
  const from = newest === undefined ? '' : `last_event_id=${newest}`;
  const opened = new EventSource(`api/v1/events/stream?${from}${query(severity)}`);
  source = opened;
  opened.addEventListener('open', () => {
    connection.value = 'live';
  });
  opened.addEventListener('event', (message: MessageEvent<string>) => {
    // The server checks what it sends against the schema that the type repeats.
    const event = JSON.parse(message.data) as WardenEvent;
    eventList.value = mergeEvents(eventList.peek() ?? [], [event]);
    onEvent(event);
  });
  opened.addEventListener('refresh', () => void followEvents(severity, onEvent));
  opened.addEventListener('error', () => {
    connection.value = 'reconnecting';
    // The browser reconnects by itself unless the server refused; then the list is asked, which tells why.
    if (opened.readyState === EventSource.CLOSED) again(severity, onEvent);
  });
}

function again(severity: string | undefined, onEvent: (event: WardenEvent) => void): void {
  connection.value = 'reconnecting';
  clearTimeout(retry);
  retry = setTimeout(() => void followEvents(severity, onEvent), retryMs);
}

export async function loadOlderEvents(severity: string | undefined): Promise<void> {
  const cursor = olderCursor.peek();
  if (cursor === null) return;
  const page = await api.get<Page<WardenEvent>>(`api/v1/events?limit=${pageSize}&cursor=${cursor}${query(severity)}`);
  const merged = mergeEvents(eventList.peek() ?? [], page.items);
  eventList.value = merged;
  olderCursor.value = merged.length >= kept ? null : page.next_cursor;
}

export function endEvents(options?: { forget: boolean }): void {
  running += 1;
  clearTimeout(retry);
  source?.close();
  source = undefined;
  if (options?.forget) {
    eventList.value = undefined;
    olderCursor.value = null;
    eventsProblem.value = undefined;
  }
}
