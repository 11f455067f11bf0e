import { useEffect, useRef, useState } from 'preact/hooks';
import type { Silence } from '../../api/alert-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatAhead, formatExact, formatInstant } from '../../format.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { useSwitch } from '../../state/filter.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { findMatcherFault, readMatchers } from './wording.ts';

const path = 'api/v1/metrics/alerts/silences';
const hours: Readonly<Record<string, number>> = {
  '30 minutes': 0.5,
  '2 hours': 2,
  '8 hours': 8,
  '1 day': 24,
  '7 days': 168,
};
const words: Readonly<Record<Silence['state'], string>> = { pending: 'later', active: 'active', expired: 'over' };

/** What holds notifications back. What is silenced still fires, and stands among the alerts. */
export function SilencesPanel({ proposed }: { proposed: { matchers: string } | undefined }) {
  const [all, setAll] = useSwitch('silences', 'all');
  const list = `${path}?limit=100${all ? '&state=all' : ''}`;
  const { value, problem, refresh } = useFollowed<Page<Silence>>(list, {
    load: (on) => api.get(list, on),
    everyMs: () => 10_000,
  });
  const { act, refusal, busy } = useActing(refresh);
  return (
    <section class="panel" aria-labelledby="silences-title">
      <div class="panel-head">
        <h2 id="silences-title">Silences</h2>
        <label class="filter">
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />
          those that are over too
        </label>
      </div>
      <Refusal text={refusal} />
      <NewSilence
        proposed={proposed}
        busy={busy}
        onMake={(wanted, onMade) => void act(() => api.post(path, wanted).then(onMade))}
      />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <Trouble text={problem} />
          {value.items.length === 0 ? (
            <p class="empty">Nothing is held back.</p>
          ) : (
            <ul class="keys">
              {value.items.map((one) => (
                <Held
                  key={one.id}
                  of={one}
                  onEnd={() => void act(() => api.delete(`${path}/${encodeURIComponent(one.id)}`))}
                />
              ))}
            </ul>
          )}
        </>
      )}
    </section>
  );
}

function Held({ of, onEnd }: { of: Silence; onEnd(): void }) {
  const untilMs = Date.parse(of.until);
  const fromMs = Date.parse(of.from);
  return (
    <li>
      <Word word={of.state === 'active' ? 'info' : of.state} text={words[of.state]} />
      <span class="key-what" title={of.id}>
        {of.matchers.join(', ')}
      </span>
      <span class="faint">
        {of.created_by}: {of.comment}
      </span>
      <span class="faint">
        {of.state === 'pending' && `from ${formatInstant(fromMs, nowMs.value)} `}
        <time dateTime={of.until} title={formatExact(untilMs)}>
          {of.state === 'expired'
            ? `ended ${formatInstant(untilMs, nowMs.value)}`
            : `ends ${formatAhead(untilMs, nowMs.value)}`}
        </time>
      </span>
      {of.state !== 'expired' && (
        <Confirm
          label="End"
          about={`End the silence of ${of.matchers.join(', ')}`}
          question="What still fires is told again."
          onConfirm={onEnd}
        />
      )}
    </li>
  );
}

type Wanted = { matchers: string[]; until: string; comment: string };

function NewSilence(props: {
  proposed: { matchers: string } | undefined;
  busy: boolean;
  /** What was typed stays when it is refused. */
  onMake(wanted: Wanted, onMade: () => void): void;
}) {
  const [typed, setTyped] = useState('');
  const [span, setSpan] = useState('2 hours');
  const [comment, setComment] = useState('');
  const [fault, setFault] = useState<string>();
  const why = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (props.proposed === undefined) return;
    setTyped(props.proposed.matchers);
    setFault(undefined);
    // What is left to say is why.
    why.current?.focus();
  }, [props.proposed]);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const matchers = readMatchers(typed);
    const found = findMatcherFault(matchers);
    setFault(found);
    if (found !== undefined) return;
    const until = new Date(nowMs.peek() + (hours[span] ?? 2) * 3_600_000).toISOString();
    props.onMake({ matchers, until, comment: comment.trim() }, () => {
      setTyped('');
      setComment('');
    });
  };
  return (
    <form class="new-key" aria-label="A new silence" onSubmit={submit}>
      <label class="is-whole">
        Hold back what meets all of these, one a line; * stands for anything
        <textarea
          rows={Math.max(2, typed.split('\n').length)}
          value={typed}
          required
          autocapitalize="none"
          spellcheck={false}
          placeholder={'severity=warning\ntarget=prod-*'}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      <label>
        For
        <select value={span} onChange={(event) => setSpan(event.currentTarget.value)}>
          {Object.keys(hours).map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <label>
        Why; people who wonder read it
        <input
          ref={why}
          value={comment}
          required
          maxlength={1000}
          autocomplete="off"
          onInput={(event) => setComment(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="button" disabled={props.busy}>
        Silence
      </button>
      {fault !== undefined && (
        <p class="refusal is-whole" role="alert">
          {fault}
        </p>
      )}
    </form>
  );
}
