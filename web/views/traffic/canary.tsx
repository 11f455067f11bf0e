import type { CanaryBody } from '../../api/traffic-wire.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Fact, Sentence, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { operations, targets } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { timeOf } from './figures.ts';

/** A question whose answer is known: whether the backend still finds it. */
export function CanaryPanel() {
  const ids = (targets.value.value?.items ?? [])
    .filter(({ not_applicable: none }) => !none.some(({ what }) => what === 'canary'))
    .map(({ id }) => id);
  if (ids.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="canary-title">
      <h2 id="canary-title">Canary</h2>
      {ids.map((id) => (
        <Canary key={id} targetId={id} />
      ))}
    </section>
  );
}

function Canary({ targetId }: { targetId: string }) {
  const path = `api/v1/targets/${encodeURIComponent(targetId)}/canary`;
  const { value, problem, refresh } = useFollowed<CanaryBody>(path, {
    load: (on) => api.get(path, on),
    everyMs: () => 30_000,
  });
  const { act, refusal, busy } = useActing(() => Promise.all([refresh(), operations.refresh()]));
  if (value === undefined)
    return (
      <p class={problem === undefined ? '' : 'empty'}>
        {problem === undefined ? <Unknown /> : <Sentence text={problem} />}
      </p>
    );
  const { verdict } = value;
  return (
    <article aria-label={`Canary of ${targetId}`}>
      <Trouble text={problem} />
      <header class="target-head">
        <h3>{targetId}</h3>
        {verdict === null ? (
          <Unknown text="not asked yet" />
        ) : (
          <Word word={verdict === 'passed' ? 'passed' : 'failed'} text={verdict} />
        )}
        <span class="seen">
          asked <Age at={value.asked_at} none="never" />
          {value.latency_ms !== null && `, ${timeOf(value.latency_ms)}`}
        </span>
        <Action
          label="Ask now"
          why={busy ? 'It is being asked.' : undefined}
          onPress={() => void act(() => api.post(`${path}/run`))}
        />
        {value.can_plant && (
          <Confirm
            label="Plant"
            about={`Plant the canary's document in ${targetId}`}
            question="Its document is put into the backend, where it may turn up in answers."
            why={busy ? 'It is under way.' : undefined}
            onConfirm={() => void act(() => api.post(`${path}/plant`))}
          />
        )}
      </header>
      <Refusal text={refusal} />
      {value.message !== null && <p class={verdict === 'passed' ? 'faint' : 'trouble'}>{value.message}</p>}
      <dl class="facts">
        <Fact name="Question">{value.question}</Fact>
        <Fact name="Expected">{value.expected}</Fact>
        <Fact name="Last found">
          <Age at={value.last_passed_at} none="never" />
        </Fact>
      </dl>
    </article>
  );
}
