import { useState } from 'preact/hooks';
import type { Recommendation } from '../../api/analytics-wire.ts';
import type { Page } from '../../api/wire.ts';
import { Loaded, Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { amountOf, everyMs, root } from './read-analytics.ts';

/** What to do, the gravest first; a press dismisses one, with a reason. */
export function Recommendations() {
  const asked = useFollowed<Page<Recommendation>>('recommendations', {
    load: (on) => api.get(`${root}/recommendations?limit=100`, on),
    everyMs,
  });
  return (
    <section class="panel" aria-labelledby="recommendations-title">
      <h2 id="recommendations-title">Recommendations</h2>
      <Loaded asked={asked}>
        {({ items }) =>
          items.length === 0 ? (
            <p class="empty">Nothing is recommended.</p>
          ) : (
            <ol class="revisions">
              {items.map((one) => (
                <One key={one.recommendation_id} of={one} onChanged={asked.refresh} />
              ))}
            </ol>
          )
        }
      </Loaded>
    </section>
  );
}

function One({ of, onChanged }: { of: Recommendation; onChanged(): Promise<void> }) {
  const [reason, setReason] = useState<string>();
  const { act, refusal, busy } = useActing(onChanged);
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
            {step.split('`').map((text, at) => (at % 2 === 1 ? <code key={text}>{text}</code> : text))}
          </li>
        ))}
      </ol>
      <Refusal text={refusal} />
      {reason === undefined ? (
        <Action label="Dismiss" about={`Dismiss: ${of.title}`} onPress={() => setReason('')} />
      ) : (
        <form
          aria-label={`Dismiss: ${of.title}`}
          onSubmit={(event) => {
            event.preventDefault();
            void act(() => api.post(`${root}/recommendations/${of.recommendation_id}/dismiss`, { reason }));
          }}
        >
          <label>
            Why nothing will be done{' '}
            <input value={reason} maxLength={500} onInput={({ currentTarget }) => setReason(currentTarget.value)} />
          </label>{' '}
          <button type="submit" disabled={busy || reason.trim() === ''}>
            Dismiss it
          </button>
        </form>
      )}
    </li>
  );
}
