import { useState } from 'preact/hooks';
import type { AlertRule } from '../../api/alert-wire.ts';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Trouble, Unknown } from '../../parts/text.tsx';
import type { Followed } from '../../state/asked.ts';
import { Runbook } from './active.tsx';
import { TryOut } from './try-out.tsx';
import { stateOfRule } from './wording.ts';

const isWorthALook = ({ status }: AlertRule): boolean =>
  status !== null && (status.firing > 0 || status.pending > 0 || status.error !== null);

/** The rules with what their last evaluation found, and what one would have done. */
export function RulesPanel({ asked: { value, problem } }: { asked: Followed<{ items: AlertRule[] }> }) {
  const [all, setAll] = useState(false);
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
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : items.length === 0 ? (
        <p class="empty">There is none, so nothing can fire.</p>
      ) : (
        <>
          <TryOut key={chosen} rules={items} chosen={chosen} />
          <table class="figures">
            <thead>
              <tr>
                <th scope="col">Rule</th>
                <th scope="col">State</th>
                <th scope="col">Severity</th>
                <th scope="col">Evaluated</th>
                <th scope="col">From</th>
                <th scope="col">
                  <span class="visually-hidden">Try out</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {listed.map((one) => (
                <Rule key={one.name} of={one} onChoose={() => setChosen(one.name)} />
              ))}
            </tbody>
          </table>
        </>
      )}
    </section>
  );
}

function Rule({ of, onChoose }: { of: AlertRule; onChoose(): void }) {
  return (
    <tr>
      <th scope="row" title={of.description}>
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
      </th>
      <td data-name="State">
        <Word {...stateOfRule(of)} />
      </td>
      <td data-name="Severity">{of.severity}</td>
      <td data-name="Evaluated">
        <Age at={of.status?.evaluated_at ?? null} none="–" />
      </td>
      <td data-name="From">{of.origin}</td>
      <td>
        <Action label="Try out" about={`Try out ${of.name} on what is stored`} onPress={onChoose} />
      </td>
    </tr>
  );
}
