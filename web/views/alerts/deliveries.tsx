import { useState } from 'preact/hooks';
import type { Deliveries, Delivery } from '../../api/alert-wire.ts';
import { formatAhead, formatExact, formatInstant, plural } from '../../format.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { useFilter } from '../../state/filter.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { shownAttempt, stateOfDelivery } from './wording.ts';

const path = 'api/v1/metrics/alerts/deliveries';
const few = 15;
const many = 200;
const states: Readonly<Record<string, string>> = {
  '': 'all of them',
  pending: 'what waits',
  dead: 'what was given up',
  sent: 'what was sent',
  superseded: 'what was superseded',
};

/** What became of each notification, with every attempt. */
export function DeliveriesPanel() {
  const [state, setState] = useFilter('told', Object.keys(states));
  const [limit, setLimit] = useState(few);
  const list = `${path}?limit=${limit}${state === '' ? '' : `&state=${state}`}`;
  const { value, problem, refresh } = useFollowed<Deliveries>(list, {
    load: (on) => api.get(list, on),
    everyMs: () => 5_000,
  });
  const { act, refusal, busy } = useActing(refresh);
  return (
    <section class="panel" aria-labelledby="deliveries-title">
      <div class="panel-head">
        <h2 id="deliveries-title">Notifications</h2>
        <label class="filter">
          Show
          <select value={state} onChange={(event) => setState(event.currentTarget.value)}>
            {Object.entries(states).map(([word, text]) => (
              <option key={word} value={word}>
                {text}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Refusal text={refusal} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <Trouble text={problem} />
          {value.pending > 0 && (
            <p class="faint">
              {plural(value.pending, 'notification')} to be sent, the oldest of <Age at={value.oldest_pending_since} />
            </p>
          )}
          {value.items.length === 0 ? (
            <p class="empty">{state === '' ? 'Nothing was told yet.' : 'There is none.'}</p>
          ) : (
            <ol aria-label="Newest first">
              {value.items.map((one) => (
                <Told
                  key={one.id}
                  of={one}
                  busy={busy}
                  onRetry={() => void act(() => api.post(`${path}/${encodeURIComponent(one.id)}/retry`))}
                />
              ))}
            </ol>
          )}
          {limit === few && value.next_cursor !== null && <Action label="Show more" onPress={() => setLimit(many)} />}
          {limit === many && value.next_cursor !== null && (
            <p class="empty">
              The newest {many}; <code>ragwarden alerts deliveries</code> shows others.
            </p>
          )}
        </>
      )}
    </section>
  );
}

function Told({ of, busy, onRetry }: { of: Delivery; busy: boolean; onRetry(): void }) {
  const atMs = Date.parse(of.created_at);
  const again = of.state === 'dead' ? 'Try again' : 'Try at once';
  return (
    <li class="told">
      <details>
        <summary>
          <time dateTime={of.created_at} title={formatExact(atMs)}>
            {formatInstant(atMs, nowMs.value)}
          </time>
          <Word {...stateOfDelivery(of)} />
          <span class="told-what">{of.title}</span>
          <span class="faint">{of.receiver}</span>
        </summary>
        <div class="told-more">
          <p class="faint">
            {of.reason} · {of.status}
            {of.next_attempt_at !== null && ` · next ${formatAhead(Date.parse(of.next_attempt_at), nowMs.value)}`}
            {of.superseded_by !== null && ` · ${of.superseded_by} says all of it`}
          </p>
          {of.alerts.map((one) => (
            <p key={one.key}>
              {one.title}{' '}
              <span class="faint">
                {one.severity}, {one.status}
              </span>
            </p>
          ))}
          {of.omitted_alerts > 0 && <p class="faint">{plural(of.omitted_alerts, 'alert')} more.</p>}
          {of.attempts.length === 0 ? (
            <p class="empty">Not tried yet.</p>
          ) : (
            <ol aria-label="Attempts, oldest first">
              {of.attempts.map((one) => (
                <li key={one.at} class="told-line">
                  <time dateTime={one.at} title={formatExact(Date.parse(one.at))}>
                    {formatInstant(Date.parse(one.at), nowMs.value)}
                  </time>{' '}
                  <span class={one.outcome === 'failed' ? 'is-failed' : ''}>{shownAttempt(one)}</span>
                </li>
              ))}
            </ol>
          )}
          {(of.state === 'dead' || of.state === 'pending') && (
            <Action
              label={again}
              about={`${again}: ${of.title} for ${of.receiver}`}
              why={busy ? 'Something is under way.' : undefined}
              onPress={onRetry}
            />
          )}
        </div>
      </details>
    </li>
  );
}
