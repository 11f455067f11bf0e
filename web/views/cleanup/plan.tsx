import { useState } from 'preact/hooks';
import type { CleanupPlan, CleanupStrategy } from '../../api/cleanup-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatBytes, plural } from '../../format.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Table } from '../../parts/table.tsx';
import { Age, Sentence, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useAsked } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { containedOf, paramsText, questionOf, readParams } from './figures.ts';

const root = 'api/v1/metrics/cleanup';
/** A page of thousands of rows is read by nobody; the command prints them all. */
const rowsShown = 100;

/** What would go is found and shown; the button that does it comes after. */
export function PlanPanel({ onChanged }: { onChanged(): Promise<unknown> }) {
  const { value, problem } = useAsked<Page<CleanupStrategy>>(`${root}/strategies`);
  const [name, setName] = useState('temporary-files');
  const [typed, setTyped] = useState('');
  const [plan, setPlan] = useState<CleanupPlan>();
  const { act, refusal, busy } = useActing(onChanged);
  const chosen = value?.items.find((one) => one.name === name);
  const params = readParams(typed);
  const wrong = typeof params === 'string' ? `"${params}" is not written as name=value.` : undefined;
  const why = chosen?.available === false ? (chosen.missing ?? 'It cannot work here.') : wrong;
  return (
    <section class="panel" aria-labelledby="plan-title">
      <h2 id="plan-title">Clean up</h2>
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <form
          class="new-key"
          onSubmit={(event) => {
            event.preventDefault();
            void act(async () => {
              setPlan(undefined);
              setPlan(await api.post<CleanupPlan>(`${root}/plans`, { strategy: name, params }));
            });
          }}
        >
          <label>
            What
            <select
              aria-label="What to clean up"
              value={name}
              onChange={(event) => {
                setName(event.currentTarget.value);
                setPlan(undefined);
              }}
            >
              {value.items.map((one) => (
                <option key={one.name} value={one.name}>
                  {one.name}
                  {one.available ? '' : ' (not here)'}
                </option>
              ))}
            </select>
          </label>
          <label>
            Parameters
            <input
              value={typed}
              placeholder="days_to_keep=14"
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              onInput={(event) => {
                setTyped(event.currentTarget.value);
                setPlan(undefined);
              }}
            />
          </label>
          <button type="submit" class="button" disabled={busy || why !== undefined} title={why}>
            Show the plan
          </button>
        </form>
      )}
      {chosen !== undefined && (
        <p class="faint">
          <Sentence text={chosen.about} />
          {chosen.no_undo_reason !== null && (
            <>
              {' '}
              Cannot be undone: <Sentence text={chosen.no_undo_reason} />
            </>
          )}
        </p>
      )}
      {why !== undefined && (
        <p class="trouble">
          <Sentence text={why} />
        </p>
      )}
      <Refusal text={refusal} />
      {plan !== undefined && (
        <ShownPlan
          key={plan.plan_id}
          plan={plan}
          busy={busy}
          carryOut={(onlyContained) =>
            void act(async () => {
              await api.post(`${root}/runs`, {
                plan_id: plan.plan_id,
                ...(onlyContained ? { only_contained: true } : {}),
              });
              setPlan(undefined);
            })
          }
        />
      )}
    </section>
  );
}

function ShownPlan(props: { plan: CleanupPlan; busy: boolean; carryOut(onlyContained: boolean): void }) {
  const { plan } = props;
  const [onlyContained, setOnlyContained] = useState(false);
  const rows = plan.items.slice(0, rowsShown);
  return (
    <article class="shown-plan" aria-label={`Plan for ${plan.strategy}`}>
      <p role="status">
        <strong>
          {plan.item_count === 0
            ? 'Nothing would go.'
            : `${plural(plan.item_count, 'item')} would go, ${formatBytes(plan.size_bytes)}.`}
        </strong>{' '}
        <span class="faint">
          {paramsText(plan.params)} · planned <Age at={plan.created_at} />, can be carried out for an hour
        </span>
      </p>
      {!plan.complete && <p class="trouble">There is more than one plan holds; the next one takes the rest.</p>}
      {plan.item_count > 0 && (
        <Table
          name={`What would go with ${plan.strategy}`}
          rows={rows}
          keyOf={(one) => one.what}
          empty=""
          atOnce={20}
          leftOut={plan.item_count - rows.length}
          columns={[
            { title: 'What', cell: (one) => one.what, order: (one) => one.what },
            { title: 'Why', cell: (one) => one.why },
            {
              title: 'Size',
              kind: 'figure',
              cell: (one) => (one.size_bytes === null ? <Unknown text="unknown" /> : formatBytes(one.size_bytes)),
              order: (one) => one.size_bytes,
            },
            { title: 'Risk', cell: (one) => one.risk, look: (one) => (one.risk === 'high' ? 'is-failed' : undefined) },
            { title: 'In the newest point', cell: containedOf, hint: (one) => one.contained.reason },
          ]}
        />
      )}
      {plan.kept.length > 0 && (
        <details>
          <summary>{plural(plan.kept.length, 'thing')} that stay</summary>
          <ul class="kept">
            {plan.kept.map((one) => (
              <li key={one.what}>
                {one.what} <span class="faint">{one.why}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
      {plan.item_count > 0 && (
        <p class="carry-out">
          <label>
            <input
              type="checkbox"
              checked={onlyContained}
              onChange={(event) => setOnlyContained(event.currentTarget.checked)}
            />{' '}
            Only what the newest point holds
          </label>{' '}
          <Confirm
            label="Carry out"
            question={questionOf(plan, onlyContained)}
            why={props.busy ? 'It is under way.' : undefined}
            onConfirm={() => props.carryOut(onlyContained)}
          />
        </p>
      )}
    </article>
  );
}
