import type { LoggedEvent } from '../../api/event-wire.ts';
import { formatExact, formatInstant } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { nowMs } from '../../state/page-state.ts';
import { showEvents } from '../../state/url.ts';

/** What is known of it, and the way to what belongs to it. */
export function EventRow({ event, alone }: { event: LoggedEvent; alone?: boolean }) {
  const atMs = Date.parse(event.at);
  const { correlation_id: correlation } = event;
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
          {factsOf(event).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {!alone && correlation !== null && (
          <button type="button" class="button is-plain" onClick={() => showEvents({ correlation })}>
            Show what belongs together
          </button>
        )}
      </details>
    </li>
  );
}

function factsOf(event: LoggedEvent): [name: string, value: string][] {
  const facts: [string, string | null][] = [
    ['type', event.type],
    ['seq', String(event.seq)],
    ['kind', event.kind],
    ['target', event.target_id],
    ['workspace', event.workspace],
    ['operation', event.operation_id],
    ['asked by', event.actor],
    ['correlation', event.correlation_id],
    ...Object.entries(event.data).map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
}
