import { useState } from 'preact/hooks';
import type { AlertRule } from '../../api/alert-wire.ts';
import { Word } from '../../parts/mark.tsx';
import { Table } from '../../parts/table.tsx';
import { Action, Age } from '../../parts/text.tsx';
import type { Followed } from '../../state/asked.ts';
import { useSwitch } from '../../state/filter.ts';
import { Runbook } from './active.tsx';
import { TryOut } from './try-out.tsx';
import { stateOfRule } from './wording.ts';

const isWorthALook = ({ status }: AlertRule): boolean =>
  status !== null && (status.firing > 0 || status.pending > 0 || status.error !== null);

/** The rules with what their last evaluation found, and what one would have done. */
export function RulesPanel({ asked: { value, problem } }: { asked: Followed<{ items: AlertRule[] }> }) {
  const [all, setAll] = useSwitch('rules', 'all');
  const [chosen, setChosen] = useState<string>();
  const items = value?.items ?? [];
  const own = items.filter((one) => one.origin !== 'default' || isWorthALook(one) || one.name === chosen);
  const listed = all || own.length === 0 ? items : own;
  return (
    <section class="panel" aria-labelledby="rules-title">
      <header class="panel-head">
        <h2 id="rules-title">Rules</h2>
        {own.length > 0 && own.length < items.length && (
          <Action label={all ? 'Only own and loud ones' : `All ${items.length}`} onPress={() => setAll(!all)} />
        )}
      </header>
      {items.length > 0 && <TryOut key={chosen} rules={items} chosen={chosen} />}
      <Table
        name="Rules"
        rows={value && listed}
        problem={problem}
        keyOf={(one) => one.name}
        empty="There is none, so nothing can fire."
        columns={[
          { title: 'Rule', cell: nameOf, hint: (one) => one.description, order: (one) => one.name },
          { title: 'State', cell: (one) => <Word {...stateOfRule(one)} /> },
          { title: 'Severity', cell: (one) => one.severity },
          { title: 'Evaluated', cell: (one) => <Age at={one.status?.evaluated_at ?? null} none="–" /> },
          { title: 'From', cell: (one) => one.origin },
          {
            title: 'Try out',
            kind: 'actions',
            cell: (one) => (
              <Action
                label="Try out"
                about={`Try out ${one.name} on what is stored`}
                onPress={() => setChosen(one.name)}
              />
            ),
          },
        ]}
      />
    </section>
  );
}

const nameOf = (of: AlertRule) => (
  <>
    {of.name}
    <span class="rule-says faint">
      {of.says}
      {of.runbook_url !== undefined && (
        <>
          {' '}
          · <Runbook at={of.runbook_url} />
        </>
      )}
    </span>
    {of.status?.error != null && <span class="rule-says is-failed">{of.status.error}</span>}
  </>
);
