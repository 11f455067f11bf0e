import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Recommendation } from '../../api/analytics-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatSeconds, plural } from '../../format.ts';
import { Loaded, Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Sentence } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { api, switches } from '../../state/session.ts';
import { findPartOff } from '../../state/switches.ts';
import { amountOf, everyMs, root } from './read-analytics.ts';

/** What to do, the gravest first; a press dismisses one, with a reason, and can be taken back. */
export function Recommendations({ renewed, onLooked }: { renewed: string; onLooked(): void }) {
  const asked = useFollowed<Page<Recommendation>>(
    'recommendations',
    { load: (on) => api.get(`${root}/recommendations?limit=100`, on), everyMs },
    renewed,
  );
  const { act, refusal, busy } = useActing(asked.refresh);
  const [dismissed, setDismissed] = useState<Recommendation>();
  const [said, setSaid] = useState('');
  const back = useRef<HTMLParagraphElement>(null);
  // What was dismissed is gone, and the keyboard goes on at what takes it back.
  useLayoutEffect(() => {
    if (dismissed !== undefined) back.current?.querySelector('button')?.focus();
  }, [dismissed]);
  const takeBack = (one: Recommendation): void =>
    void act(async () => {
      await api.post(`${root}/recommendations/${one.recommendation_id}/reopen`);
      setDismissed(undefined);
    });
  const look = (): void =>
    void act(async () => {
      setSaid('');
      const { series, took_ms: took } = await api.post<{ series: number; took_ms: number }>(`${root}/run`);
      setSaid(`Looked at ${plural(series, 'series', 'series')} in ${formatSeconds(took / 1_000)}.`);
      onLooked();
    });
  return (
    <section class="panel" aria-labelledby="recommendations-title">
      <header class="panel-head">
        <h2 id="recommendations-title">Recommendations</h2>
        <Action
          label="Look now"
          about="Look now at what the kept series say"
          why={findPartOff('Analysis', switches.value) ?? (busy ? 'It is under way.' : undefined)}
          onPress={look}
        />
      </header>
      <Refusal text={refusal} />
      <p role="status" class="faint">
        {said}
      </p>
      {dismissed !== undefined && (
        <p ref={back} role="status">
          Dismissed: {dismissed.title}{' '}
          <Action label="Take it back" about={`Take it back: ${dismissed.title}`} onPress={() => takeBack(dismissed)} />
        </p>
      )}
      <Loaded asked={asked}>
        {({ items }) =>
          items.length === 0 ? (
            <p class="empty">Nothing is recommended.</p>
          ) : (
            <ol class="revisions">
              {items.map((one) => (
                <One key={one.recommendation_id} of={one} onChanged={asked.refresh} onDismissed={setDismissed} />
              ))}
            </ol>
          )
        }
      </Loaded>
    </section>
  );
}

function One(props: { of: Recommendation; onChanged(): Promise<void>; onDismissed(one: Recommendation): void }) {
  const { of } = props;
  const { amount, unit, basis } = of.estimated_savings;
  return (
    <li>
      <Word word={of.priority} /> <strong>{of.title}</strong>{' '}
      <span class="faint">
        {of.optimization_type.replaceAll('_', ' ')}, effort {of.implementation_effort}
      </span>
      <p>{of.description}</p>
      <p>
        {amount === null ? 'What it saves cannot be told.' : `Saves ${amountOf(amount, unit)}.`}{' '}
        <span class="faint">{basis}</span>
      </p>
      <ol>
        {of.steps.map((step) => (
          <li key={step}>
            <Sentence text={step} />
          </li>
        ))}
      </ol>
      <Dismiss {...props} />
    </li>
  );
}

function Dismiss({ of, onChanged, onDismissed }: Parameters<typeof One>[0]) {
  const [reason, setReason] = useState<string>();
  const { act, refusal, busy } = useActing(onChanged);
  const room = useRef<HTMLDivElement>(null);
  const wasAsking = useRef(false);
  const isAsking = reason !== undefined;
  // What was pressed is gone, and the keyboard goes on where it stood: in the field, and at the button again.
  useLayoutEffect(() => {
    if (isAsking !== wasAsking.current)
      room.current?.querySelector<HTMLElement>(isAsking ? 'input' : 'button')?.focus();
    wasAsking.current = isAsking;
  }, [isAsking]);
  const leave = (): void => setReason(undefined);
  return (
    <div ref={room}>
      <Refusal text={refusal} />
      {reason === undefined ? (
        <Action label="Dismiss" about={`Dismiss: ${of.title}`} onPress={() => setReason('')} />
      ) : (
        <form
          class="new-key"
          aria-label={`Dismiss: ${of.title}`}
          onKeyDown={(event) => {
            if (event.key === 'Escape') leave();
          }}
          onSubmit={(event) => {
            event.preventDefault();
            void act(async () => {
              await api.post(`${root}/recommendations/${of.recommendation_id}/dismiss`, { reason });
              onDismissed(of);
            });
          }}
        >
          <label>
            Why nothing will be done
            <input
              value={reason}
              maxLength={500}
              required
              onInput={({ currentTarget }) => setReason(currentTarget.value)}
            />
          </label>
          <button type="submit" class="button is-danger" disabled={busy || reason.trim() === ''}>
            Dismiss it
          </button>
          <Action label="Keep" about={`Keep it: ${of.title}`} onPress={leave} />
        </form>
      )}
    </div>
  );
}
