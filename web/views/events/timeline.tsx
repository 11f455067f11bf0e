import { useEffect, useState } from 'preact/hooks';
import type { AuditEntry, LoggedEvent } from '../../api/event-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatExact, formatInstant } from '../../format.ts';
import { Action, Trouble, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { duringMs, type EventQuestion, filterOf } from '../../state/event-question.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { showEvents } from '../../state/url.ts';
import { together } from './course.ts';
import { EventRow } from './event-row.tsx';
import { Filters } from './filters.tsx';

const few = 50;
/** The most that one page of the API holds. */
const many = 500;

/** What happened, newest first, as far as the filters let it through. */
export function TimelinePanel({ question }: { question: EventQuestion }) {
  const [limit, setLimit] = useState(few);
  const filter = filterOf(question).toString();
  useEffect(() => setLimit(few), [filter, question.during]);
  const { value, problem } = useFollowed<Page<LoggedEvent>>(`${filter} ${question.during} ${limit}`, {
    load(on) {
      const query = new URLSearchParams(filter);
      query.set('limit', String(limit));
      query.set('since', new Date(Date.now() - duringMs(question.during)).toISOString());
      return api.get(`api/v1/events?${query}`, on);
    },
    everyMs: () => 5_000,
  });
  return (
    <section class="panel" aria-labelledby="log-title">
      <h2 id="log-title">Events</h2>
      <Filters question={question} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <Trouble text={problem} />
          {value.items.length === 0 ? (
            <p class="empty">Nothing of this kind has happened in this time.</p>
          ) : (
            <ol class="events" aria-label="Newest first">
              {value.items.map((event) => (
                <EventRow key={event.seq} event={event} />
              ))}
            </ol>
          )}
          {value.next_cursor !== null &&
            (limit === few ? (
              <Action label="Show more" onPress={() => setLimit(many)} />
            ) : (
              <p class="empty">There are more than {many}: narrow the filters, or export them.</p>
            ))}
        </>
      )}
    </section>
  );
}

/** The request that began it, the operation, and all events of both: one list. */
export function TogetherPanel({ correlation }: { correlation: string }) {
  const { value, problem } = useFollowed<[Page<LoggedEvent>, Page<AuditEntry>]>(correlation, {
    load(on) {
      const query = new URLSearchParams({ correlation_id: correlation, limit: String(many) });
      return Promise.all([
        api.get<Page<LoggedEvent>>(`api/v1/events?${query}`, on),
        api.get<Page<AuditEntry>>(`api/v1/audit?${query}`, on),
      ]);
    },
    everyMs: () => 5_000,
  });
  return (
    <section class="panel" aria-labelledby="together-title">
      <div class="panel-head">
        <h2 id="together-title">What belongs together</h2>
        <Action label="Back to all events" onPress={() => showEvents({ correlation: '' })} />
      </div>
      <p class="seen">
        Of <code>{correlation}</code>
      </p>
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <Trouble text={problem} />
          <ol class="events" aria-label="Oldest first">
            {together(value[0].items, value[1].items).map((one) =>
              one.from === 'event' ? (
                <EventRow key={`event ${one.event.seq}`} event={one.event} alone />
              ) : (
                <AuditRow key={`audit ${one.entry.seq}`} entry={one.entry} />
              ),
            )}
          </ol>
          {value.some((page) => page.next_cursor !== null) && (
            <p class="empty">There is more than is shown; the export has all of it.</p>
          )}
        </>
      )}
    </section>
  );
}

function AuditRow({ entry }: { entry: AuditEntry }) {
  const atMs = Date.parse(entry.at);
  return (
    <li class="event audited">
      <time dateTime={entry.at} title={formatExact(atMs)}>
        {formatInstant(atMs, nowMs.value)}
      </time>
      <span class="faint">audit</span>
      <span class="event-message">
        {entry.actor}: {entry.action} of {entry.object}, {entry.outcome}
      </span>
    </li>
  );
}
