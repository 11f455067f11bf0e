import { useState } from 'preact/hooks';
import type { Advice, AdviceProposal, TuningCheck } from '../../api/tuning-wire.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { Action, Sentence, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { targets } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { CheckResult } from './check-result.tsx';
import { costOf, figureOf, shown } from './read-value.ts';

const root = 'api/v1/tuning';

/** What the figures suggest to change, each with the figures it rests on. A button prepares the change; the backend is told elsewhere. */
export function AdvicePanel({ onChanged }: { onChanged(): Promise<unknown> }) {
  const { value, problem, refresh } = useFollowed<Advice>('advice', {
    load: (on) => api.get(`${root}/advice`, on),
    everyMs: () => 60_000,
  });
  if ((targets.value.value?.items ?? []).length === 0) return null;
  const unknown = value?.backends.flatMap((one) => one.unknown) ?? [];
  const fine = value?.backends.flatMap((one) => one.fine) ?? [];
  return (
    <section class="panel" aria-labelledby="advice-title">
      <h2 id="advice-title">Advice</h2>
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>
          {problem === undefined ? <Unknown /> : <Sentence text={problem} />}
        </p>
      ) : (
        <>
          {value.items.length === 0 && (
            <p class="empty">
              {fine.length === 0 ? 'Nothing was measured yet that a rule could judge.' : 'Nothing has to be changed.'}
            </p>
          )}
          <ol class="revisions">
            {value.items.map((one) => (
              <Proposal
                key={`${one.graph_id} ${one.rule}`}
                of={one}
                onChanged={() => Promise.all([refresh(), onChanged()])}
              />
            ))}
          </ol>
          {fine.length > 0 && <p class="faint">{fine.length} rules were asked and find nothing to change.</p>}
          {unknown.length > 0 && (
            <details>
              <summary>{unknown.length} rules cannot tell</summary>
              <ul class="to-write">
                {unknown.map((one) => (
                  <li key={one.rule}>
                    {one.rule} <span class="faint">is missing: {one.missing.join(' ')}</span>
                  </li>
                ))}
              </ul>
            </details>
          )}
        </>
      )}
    </section>
  );
}

function Proposal({ of, onChanged }: { of: AdviceProposal; onChanged(): Promise<unknown> }) {
  const [check, setCheck] = useState<TuningCheck>();
  const { act, refusal, busy } = useActing(onChanged);
  const values = Object.fromEntries(of.changes.map(({ parameter, to }) => [parameter, to]));
  const what = of.changes.map(({ parameter, from, to }) => `${parameter}: ${shown(from)} → ${shown(to)}`).join(', ');
  return (
    <li>
      <strong>{what}</strong> <span class="faint">{of.rule}</span>
      <p>{of.because}</p>
      <ul>
        {of.evidence.map((one) => (
          <li key={one.what}>
            {one.what}: {figureOf(one)}
          </li>
        ))}
      </ul>
      <p>
        {of.effect} To change it: {costOf[of.class] ?? of.class}.{' '}
        <span class="faint">Ends when: {of.withdrawn_when}</span>
      </p>
      <Refusal text={refusal} />
      {of.already_set ? (
        <p class="trouble">It is set, and the backend does not run with it yet: it waits to be applied.</p>
      ) : check === undefined ? (
        <Action
          label="Prepare it"
          about={`Prepare it: ${what}`}
          why={busy ? 'It is under way.' : undefined}
          onPress={() => void act(async () => setCheck(await api.post<TuningCheck>(`${root}/check`, { values })))}
        />
      ) : (
        <CheckResult
          check={check}
          label="Set it"
          onSet={() =>
            void act(async () => {
              await api.put(`${root}/values`, { values, reason: `advice: ${of.rule}`, confirm: true });
              setCheck(undefined);
            })
          }
        />
      )}
    </li>
  );
}
