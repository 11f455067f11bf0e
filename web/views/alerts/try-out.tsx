import { useState } from 'preact/hooks';
import type { AlertRule, Backtest } from '../../api/alert-wire.ts';
import { formatDuration, formatExact, formatInstant, plural } from '../../format.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { useActing } from '../../state/acting.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { placeFirings, shownLabels, shownValue } from './wording.ts';

const hours: Readonly<Record<string, number>> = {
  '1 hour': 1,
  '6 hours': 6,
  '1 day': 24,
  '7 days': 168,
  '30 days': 720,
};
const mostShown = 30;

/** When a rule would have fired, by what is stored. Nobody is told, and nothing is done. */
export function TryOut({ rules, chosen }: { rules: readonly AlertRule[]; chosen: string | undefined }) {
  const [name, setName] = useState(chosen ?? rules[0]?.name ?? '');
  const [span, setSpan] = useState('1 day');
  const [test, setTest] = useState<Backtest>();
  const { act, refusal, busy } = useActing(() => Promise.resolve());
  return (
    <>
      <form
        class="new-key"
        aria-label="Try a rule out"
        onSubmit={(event) => {
          event.preventDefault();
          const from = new Date(nowMs.peek() - (hours[span] ?? 24) * 3_600_000).toISOString();
          setTest(undefined);
          void act(async () =>
            setTest(await api.post<Backtest>('api/v1/metrics/alerts/rules/test', { rule_name: name, from })),
          );
        }}
      >
        <label>
          Would this rule have fired
          <select
            value={name}
            onChange={(event) => {
              setName(event.currentTarget.value);
              setTest(undefined);
            }}
          >
            {rules.map((one) => (
              <option key={one.name}>{one.name}</option>
            ))}
          </select>
        </label>
        <label>
          in the last
          <select
            value={span}
            onChange={(event) => {
              setSpan(event.currentTarget.value);
              setTest(undefined);
            }}
          >
            {Object.keys(hours).map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <button type="submit" class="button" disabled={busy}>
          {busy ? 'It is tried out' : 'Try out'}
        </button>
      </form>
      <Refusal text={refusal} />
      {test !== undefined && <Result of={test} />}
    </>
  );
}

function Result({ of }: { of: Backtest }) {
  const shown = of.firings.slice(-mostShown).reverse();
  const said =
    of.fired === 0
      ? 'It would not have fired'
      : `It would have fired ${of.fired === 1 ? 'once' : `${of.fired} times`}, for ${formatDuration(of.fired_seconds)} altogether`;
  return (
    <div class="tried" role="status">
      <p>
        <strong>{said}</strong>
        {of.pending_only > 0 && `, and was pending without firing ${plural(of.pending_only, 'time')}`}.
      </p>
      <p class="faint">
        {of.says}. {plural(of.evaluations, 'evaluation')} every {formatDuration(of.step_seconds)} of{' '}
        {plural(of.label_sets, 'set of labels', 'sets of labels')}; now {of.now.matching} of {of.now.label_sets} match.
      </p>
      {of.notes.map((one) => (
        <p key={one} class="faint">
          {one}
        </p>
      ))}
      {of.fired > 0 && (
        <>
          <svg
            class="stack"
            viewBox="0 0 100 10"
            preserveAspectRatio="none"
            role="img"
            aria-label={`${plural(of.fired, 'firing')} from ${formatExact(Date.parse(of.from))} to ${formatExact(Date.parse(of.to))}`}
          >
            <rect class="track" width="100" height="10" />
            {placeFirings(of.firings, of).map(({ at, width }, place) => (
              <rect key={`${place} ${at}`} class="doc-failed" x={at} width={width} height="10" />
            ))}
          </svg>
          <ol aria-label="Newest first">
            {shown.map((one) => {
              const atMs = Date.parse(one.triggered_at);
              return (
                <li key={`${one.triggered_at} ${shownLabels(one.labels)}`} class="told-line">
                  <time dateTime={one.triggered_at} title={formatExact(atMs)}>
                    {formatInstant(atMs, nowMs.value)}
                  </time>{' '}
                  for {formatDuration(one.seconds)}
                  {one.resolved_at === null && ', and still'}
                  <span class="faint">
                    {' '}
                    · worst {shownValue(one.worst_value)}
                    {one.flapping && ' · comes and goes'}
                    {Object.keys(one.labels).length > 0 && ` · ${shownLabels(one.labels)}`}
                  </span>
                </li>
              );
            })}
          </ol>
          {of.fired > shown.length && (
            <p class="empty">
              The newest {shown.length} of {of.fired}.
            </p>
          )}
        </>
      )}
    </div>
  );
}
