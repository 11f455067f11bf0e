import { useState } from 'preact/hooks';
import { messageOf } from '../api/client.ts';
import type { WardenEvent } from '../api/wire.ts';
import { formatExact, formatInstant } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { Action, Unknown } from '../parts/text.tsx';
import { eventList, eventsProblem, loadOlderEvents, olderCursor } from '../state/event-feed.ts';
import { nowMs } from '../state/page-state.ts';
import { changeUrl, urlState } from '../state/url.ts';

const worse = 'warning,error,critical';

export function Events() {
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const list = eventList.value;
  const { severity } = urlState.value;
  const said = problem ?? eventsProblem.value;
  return (
    <section class="panel" aria-labelledby="events-title">
      <div class="panel-head">
        <h2 id="events-title">Events</h2>
        <label class="filter">
          <input
            type="checkbox"
            checked={severity !== undefined}
            onChange={(event) => changeUrl({ severity: event.currentTarget.checked ? worse : undefined })}
          />
          warnings and worse only
        </label>
      </div>
      {said !== undefined && <p class={list === undefined ? 'empty' : 'trouble'}>{said}</p>}
      {list === undefined ? (
        said === undefined && (
          <p>
            <Unknown />
          </p>
        )
      ) : list.length === 0 ? (
        <p class="empty">Nothing of this kind has happened.</p>
      ) : (
        <ol class="events" aria-label="Newest first">
          {list.map((event) => (
            <EventRow key={event.seq} event={event} />
          ))}
        </ol>
      )}
      {olderCursor.value !== null && (
        <Action
          label="Load older"
          onPress={() => {
            loadOlderEvents(severity)
              .then(() => setProblem(undefined))
              .catch((err: unknown) => setProblem(messageOf(err)));
          }}
        />
      )}
    </section>
  );
}

function EventRow({ event }: { event: WardenEvent }) {
  const atMs = Date.parse(event.at);
  const facts = Object.entries(event.data);
  return (
    <li class={`event is-${event.severity}`}>
      <details>
        <summary>
          <time dateTime={event.at} title={formatExact(atMs)}>
            {formatInstant(atMs, nowMs.value)}
          </time>
          <Word word={event.severity} />
          <span class="event-message">{event.message}</span>
        </summary>
        <dl class="event-facts">
          <div>
            <dt>type</dt>
            <dd>{event.type}</dd>
          </div>
          <div>
            <dt>seq</dt>
            <dd>{event.seq}</dd>
          </div>
          {event.target_id !== null && (
            <div>
              <dt>target</dt>
              <dd>{event.target_id}</dd>
            </div>
          )}
          {event.operation_id !== null && (
            <div>
              <dt>operation</dt>
              <dd>{event.operation_id}</dd>
            </div>
          )}
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
            </div>
          ))}
        </dl>
      </details>
    </li>
  );
}
