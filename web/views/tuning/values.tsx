import { useState } from 'preact/hooks';
import type { EffectiveValue, ParameterInfo, TuningCheck } from '../../api/tuning-wire.ts';
import type { Page } from '../../api/wire.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { Table } from '../../parts/table.tsx';
import { Action } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useAsked, useFollowed } from '../../state/asked.ts';
import { useSwitch } from '../../state/filter.ts';
import { api } from '../../state/session.ts';
import { CheckResult } from './check-result.tsx';
import { boundsOf, costOf, readTyped, shown } from './read-value.ts';

const root = 'api/v1/tuning';

/** What counts for everybody, where it comes from, and a field to change it, with what a change would do before the button. */
export function ValuesPanel({ onChanged }: { onChanged(): Promise<unknown> }) {
  const { value, problem, refresh } = useFollowed<Page<EffectiveValue>>('tuning', {
    load: (on) => api.get(`${root}/effective`, on),
    everyMs: () => 10_000,
  });
  const catalogue = useAsked<Page<ParameterInfo>>(`${root}/parameters`);
  const [all, setAll] = useSwitch('values', 'all');
  const [open, setOpen] = useState<string>();
  const infos = new Map((catalogue.value?.items ?? []).map((one) => [one.name, one]));
  const items = value?.items ?? [];
  const listed = all ? items : items.filter((one) => one.origin !== 'built-in' || one.parameter === open);
  return (
    <section class="panel" aria-labelledby="values-title">
      <header class="panel-head">
        <h2 id="values-title">Parameters</h2>
        <Action label={all ? 'Only what was set' : 'All of them'} onPress={() => setAll(!all)} />
      </header>
      <Table
        name="Parameters"
        rows={value && listed}
        problem={problem}
        keyOf={(one) => one.parameter}
        empty="Nobody set anything: the backend runs with its own defaults."
        columns={[
          {
            title: 'Parameter',
            hint: (one) => infos.get(one.parameter)?.meaning,
            order: (one) => one.parameter,
            cell: (one) => (
              <>
                {one.parameter}
                {one.backend_name !== null && <span class="faint"> {one.backend_name}</span>}
              </>
            ),
          },
          { title: 'Value', cell: (one) => shown(one.value), look: () => 'is-long' },
          { title: 'From', cell: (one) => one.origin, order: (one) => one.origin, look: () => 'is-short' },
          { title: 'To change it', cell: (one) => costOf[one.class] ?? one.class },
          {
            title: 'Change',
            kind: 'actions',
            cell: (one) => (
              <Action
                label={open === one.parameter ? 'Close' : 'Change'}
                about={`${open === one.parameter ? 'Close' : 'Change'} ${one.parameter}`}
                onPress={() => setOpen(open === one.parameter ? undefined : one.parameter)}
              />
            ),
          },
        ]}
        detail={(one) => {
          const info = infos.get(one.parameter);
          return open === one.parameter && info !== undefined ? (
            <Change key={open} of={info} now={one} onChanged={() => Promise.all([refresh(), onChanged()])} />
          ) : null;
        }}
      />
    </section>
  );
}

/** One parameter with its field. What a change would do is asked first; the button comes after the answer. */
function Change({
  of,
  now,
  onChanged,
}: {
  of: ParameterInfo;
  now: EffectiveValue | undefined;
  onChanged(): Promise<unknown>;
}) {
  const [typed, setTyped] = useState(now?.value === null || now === undefined ? '' : String(now.value));
  const [check, setCheck] = useState<TuningCheck>();
  const { act, refusal, busy } = useActing(onChanged);
  const values = { [of.name]: readTyped(of, typed) };
  const put = (): void =>
    void act(async () => {
      await api.put(`${root}/values`, { values, confirm: true });
      setCheck(undefined);
    });
  return (
    <form
      class="tuning-change"
      aria-label={`Change ${of.name}`}
      onSubmit={(event) => {
        event.preventDefault();
        void act(async () => setCheck(await api.post<TuningCheck>(`${root}/check`, { values })));
      }}
    >
      <p>
        <strong>{of.name}</strong>{' '}
        <span class="faint">
          ({boundsOf(of)}
          {of.unit === null ? '' : ` ${of.unit}`})
        </span>{' '}
        {of.meaning}
      </p>
      <label>
        Value{' '}
        <input
          value={typed}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setCheck(undefined);
          }}
        />
      </label>{' '}
      <button type="submit" class="button is-plain" disabled={busy}>
        What would it do?
      </button>
      <Refusal text={refusal} />
      {check !== undefined && (
        <CheckResult check={check} label={values[of.name] === null ? 'Take it away' : 'Set it'} onSet={put} />
      )}
    </form>
  );
}
