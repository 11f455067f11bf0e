import { expect, test } from 'vitest';
import type { AuditEntry, EventAnalytics, LoggedEvent } from '../../api/event-wire.ts';
import { filterOf, readEvents, usualEvents, writeEvents } from '../../state/event-question.ts';
import { readUrl, writeUrl } from '../../state/url.ts';
import { barsOf, together } from './course.ts';

test('what the view of events shows makes a round trip through the address, and nonsense is left out', () => {
  const question = {
    ...{ kind: 'backup', least: 'error', graph: 'default:acme', user: 'local:me' },
    ...{ correlation: 'change-4711', during: '30d' as const },
  };
  const query = new URLSearchParams();
  writeEvents(query, question);
  expect(readEvents(query)).toEqual(question);
  expect(readEvents(new URLSearchParams('kind=cake&least=loud&during=1y'))).toEqual(usualEvents);
  const address = writeUrl('', { ...readUrl('?view=events'), events: question });
  expect(readUrl(address)).toMatchObject({ view: 'events', events: question });
  // Another view does not keep it.
  expect(writeUrl(address, { ...readUrl(address), view: 'overview' })).toBe('');
});

test('critical events are shown by asking for that severity, and a severity asks for what is worse too', () => {
  expect(filterOf({ ...usualEvents, least: 'critical' }).toString()).toBe('severity=critical');
  expect(filterOf({ ...usualEvents, kind: 'alert', least: 'warning', graph: 'a:b', user: 'me' }).toString()).toBe(
    'kind=alert&severity=warning%2Cerror%2Ccritical&graph_id=a%3Ab&actor=me',
  );
  expect(filterOf(usualEvents).toString()).toBe('');
});

test('counts become bars with the worst at the bottom, within the range', () => {
  const analytics: EventAnalytics = {
    ...{ since: '2026-11-01T00:30:00Z', until: '2026-11-01T04:30:00Z', bucket_seconds: 3_600 },
    ...{ total: 6, by_severity: {}, by_kind: [] },
    over_time: [
      { at: '2026-11-01T00:00:00Z', by_severity: { info: 1 } },
      { at: '2026-11-01T02:30:00Z', by_severity: { info: 3, critical: 2 } },
    ],
  };
  const { bars, most, place, width } = barsOf(analytics);
  expect([most, width, bars.map(({ atMs }) => place(atMs))]).toEqual([5, 0.25, [0, 0.5]]);
  expect(bars[1]?.parts).toEqual([
    { severity: 'critical', from: 0, count: 2 },
    { severity: 'info', from: 2, count: 3 },
  ]);
});

test('what belongs together is one timeline, oldest first, the asking before what came of it', () => {
  const event = (seq: number, at: string) => ({ seq, at }) as LoggedEvent;
  const entry = (seq: number, at: string) => ({ seq, at }) as AuditEntry;
  const [early, late] = ['2026-11-01T00:00:00.000Z', '2026-11-01T00:00:01.000Z'];
  const list = together([event(9, late), event(8, early), event(7, early)], [entry(3, late), entry(2, early)]);
  expect(list.map((one) => (one.from === 'event' ? one.event.seq : -one.entry.seq))).toEqual([-2, 7, 8, -3, 9]);
});
