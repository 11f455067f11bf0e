import { useState } from 'preact/hooks';
import type { Alert } from '../../api/alert-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatDuration, formatExact, formatInstant } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { Action, Trouble, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { useFilter } from '../../state/filter.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { shownLabels, shownValue } from './wording.ts';

const few = 15;
const many = 200;
const severities = ['critical', 'error', 'warning', 'info'] as const;

/** What fired, whether or not it is over. */
export function FiredPanel() {
  const [limit, setLimit] = useState(few);
  const [severity, setSeverity] = useFilter('fired', severities);
  const path = `api/v1/metrics/alerts/history?limit=${limit}${severity === '' ? '' : `&severity=${severity}`}`;
  const { value, problem } = useFollowed<Page<Alert> & { total: number }>(path, {
    load: (on) => api.get(path, on),
    everyMs: () => 5_000,
  });
  return (
    <section class="panel" aria-labelledby="fired-title">
      <div class="panel-head">
        <h2 id="fired-title">History</h2>
        <label class="filter">
          Severity
          <select value={severity} onChange={(event) => setSeverity(event.currentTarget.value)}>
            <option value="">any</option>
            {severities.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      </div>
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <Trouble text={problem} />
          {value.items.length === 0 ? (
            <p class="empty">Nothing fired{severity === '' ? ' yet' : ' of this severity'}.</p>
          ) : (
            <ol aria-label="Newest first">
              {value.items.map((one) => (
                <Fired key={one.alert_id} of={one} />
              ))}
            </ol>
          )}
          {limit === few && value.total > few && <Action label="Show more" onPress={() => setLimit(many)} />}
          {limit === many && value.total > many && (
            <p class="empty">
              The newest {many} of {value.total}; <code>ragwarden alerts history</code> shows others.
            </p>
          )}
        </>
      )}
    </section>
  );
}

function Fired({ of }: { of: Alert }) {
  const firedMs = Date.parse(of.triggered_at ?? of.pending_at);
  const endMs = of.resolved_at === null ? nowMs.value : Date.parse(of.resolved_at);
  const facts: [string, string | null][] = [
    ['labels', shownLabels(of.labels) || null],
    ['worst', shownValue(of.worst_value)],
    ['fired', formatExact(firedMs)],
    ['over', of.resolved_at && formatExact(endMs)],
    ['because', of.resolved_reason],
    ['looked after', of.acknowledged_by && [of.acknowledged_by, of.acknowledged_note].filter(Boolean).join(': ')],
    ['action', of.action && `${of.action.kind}, ${of.action.state}: ${of.action.detail}`],
    ['id', of.alert_id],
  ];
  return (
    <li class="told">
      <details>
        <summary>
          <time dateTime={of.triggered_at ?? of.pending_at} title={formatExact(firedMs)}>
            {formatInstant(firedMs, nowMs.value)}
          </time>
          <Word word={of.severity} />
          <span class="told-what">
            {of.rule_name} <span class="faint">{of.message}</span>
          </span>
          <span class="number">
            {of.resolved_at === null ? 'fires ' : ''}
            {formatDuration((endMs - firedMs) / 1_000)}
          </span>
        </summary>
        <dl class="event-facts">
          {facts.map(([name, value]) =>
            value === null ? null : (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
          )}
        </dl>
      </details>
    </li>
  );
}
