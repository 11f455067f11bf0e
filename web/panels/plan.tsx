import type { RestorePlan } from '../api/wire.ts';
import { formatBytes, formatCount, formatExact, plural } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { Sentence } from '../parts/text.tsx';

const actions: Readonly<Record<string, string>> = {
  replace: 'replaced',
  add: 'added',
  remove: 'moved out',
  keep: 'left alone',
};

/** What would happen, to what, and what would be gone. */
export function Plan({ plan }: { plan: RestorePlan }) {
  // What is left alone has a section of its own.
  const alone = new Set(plan.left_alone.map(({ name, reason }) => `${name} is left alone: ${reason}.`));
  const warnings = plan.warnings.filter((one) => !alone.has(one));
  return (
    <div class="plan">
      {plan.blockers.length > 0 && (
        <section class="refusal">
          <h3>It cannot be carried out as things stand</h3>
          <ul>
            {plan.blockers.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        </section>
      )}
      {warnings.length > 0 && (
        <ul class="warnings">
          {warnings.map((one) => (
            <li key={one}>
              <Word word="warning" />
              <span>
                <Sentence text={one} />
              </span>
            </li>
          ))}
        </ul>
      )}
      <p>
        <strong>{scopeOf(plan.scope)}</strong>
      </p>
      <Lost plan={plan} />
      {plan.components.map((component) => (
        <section key={component.name} class="plan-part">
          <h3>
            {component.name} <span class="faint">{component.kind}</span> <code class="path">{component.folder}</code>
          </h3>
          <p>{roomOf(component)}</p>
          <p class="faint">{component.method}</p>
          {component.warnings.map((one) => (
            <p key={one} class="reason">
              <Sentence text={one} />
            </p>
          ))}
          <details>
            <summary>{summaryOf(component.items)}</summary>
            <ul class="plan-items">
              {component.items.map((item) => (
                <li key={item.name} title={item.reason}>
                  <span class={`plan-action is-${item.action}`}>{actions[item.action]}</span>
                  <code>{item.name}</code>
                  <span class="number">{changeOf(item)}</span>
                </li>
              ))}
            </ul>
          </details>
        </section>
      ))}
      {plan.left_alone.length > 0 && (
        <section>
          <h3>Left alone</h3>
          <ul>
            {plan.left_alone.map((one) => (
              <li key={one.name}>
                <strong>{one.name}</strong>: <Sentence text={one.reason} />
              </li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h3>What happens</h3>
        <ol class="steps">
          {plan.steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
        <p class="faint">
          {plan.backend.stopped ? (
            <>
              The backend is stopped {plan.backend.automatic ? 'by ragwarden' : 'by you; ragwarden waits for it'}:{' '}
              {plan.backend.stop}. Afterwards: {plan.backend.start}.
            </>
          ) : (
            'The backend goes on; it is not stopped.'
          )}
        </p>
        {plan.versions.point !== plan.versions.now && (
          <p class="faint">
            The point was taken of version {plan.versions.point ?? 'unknown'}; now it is{' '}
            {plan.versions.now ?? 'unknown'}.
          </p>
        )}
      </section>
    </div>
  );
}

function Lost({ plan }: { plan: RestorePlan }) {
  const files = plan.components.reduce((sum, one) => sum + one.lost.files, 0);
  const bytes = plan.components.reduce((sum, one) => sum + one.lost.bytes, 0);
  const examples = plan.components.flatMap((one) => one.lost.examples);
  const stores = plan.components.filter((one) => (one.lost.rows ?? 0) > 0);
  // Where rows cannot be counted, that nothing is lost would be a guess.
  const uncounted = plan.components.filter((one) => one.lost.rows === null).map((one) => one.name);
  return (
    <section class={files + stores.length > 0 ? 'lost is-some' : 'lost'}>
      <h3>What will be lost</h3>
      {stores.map((one) => (
        <p key={one.name}>
          {plural(one.lost.rows ?? 0, 'row')} of {one.name}, written since then
          {(one.lost.row_examples ?? []).length > 0 && `: ${(one.lost.row_examples ?? []).slice(0, 5).join(', ')}`}.
        </p>
      ))}
      {uncounted.length > 0 && <p>Not known for {uncounted.join(', ')}: nobody can count it.</p>}
      {files === 0 ? (
        stores.length + uncounted.length === 0 && <p>Nothing was written since the point was taken.</p>
      ) : (
        <>
          <p>
            Changes in {plural(files, 'file')} ({formatBytes(bytes)}), written since{' '}
            {formatExact(Date.parse(plan.taken_at))}. They stay in the safety point.
          </p>
          <details>
            <summary>
              {examples.length === files ? plural(files, 'file') : `${examples.length} of ${plural(files, 'file')}`}
            </summary>
            <ul class="plan-items">
              {examples.map((one) => (
                <li key={one.path}>
                  <code>{one.path}</code>
                  <span class="number">{formatBytes(one.bytes)}</span>
                  <span class="faint">{formatExact(Date.parse(one.modified_at))}</span>
                </li>
              ))}
            </ul>
          </details>
        </>
      )}
    </section>
  );
}

/** `12 names replaced, 1 moved out`. */
export function summaryOf(items: readonly { readonly action: string }[]): string {
  const parts = Object.entries(actions).flatMap(([action, word]) => {
    const count = items.filter((item) => item.action === action).length;
    return count === 0 ? [] : [{ count, word }];
  });
  const [first, ...rest] = parts;
  if (!first) return 'nothing to move';
  return [`${plural(first.count, 'name')} ${first.word}`, ...rest.map(({ count, word }) => `${count} ${word}`)].join(
    ', ',
  );
}

/** What of the point goes back, and where to. */
export function scopeOf(scope: RestorePlan['scope']): string {
  const what =
    scope.workspace === null
      ? 'All workspaces'
      : scope.workspace === ''
        ? 'The unnamed workspace'
        : `The workspace ${scope.workspace}`;
  if (scope.aside) return `${what}, beside the live data`;
  return scope.as_workspace === null ? `${what}, in place` : `${what}, under the name ${scope.as_workspace}`;
}

/** Rows where they are counted, bytes otherwise: `120 → 100 rows`, `2.00 KiB → 4.00 KiB`. */
export function changeOf(item: RestorePlan['components'][number]['items'][number]): string {
  const rows = [item.old_rows ?? null, item.new_rows ?? null];
  if (rows.some((one) => one !== null))
    return `${rows.map((one) => (one === null ? 'none' : formatCount(one))).join(' → ')} rows`;
  return `${formatBytes(item.old_bytes)} → ${formatBytes(item.new_bytes)}`;
}

function roomOf(component: RestorePlan['components'][number]): string {
  const comes = `${formatBytes(component.bytes_in)} come in`;
  const goes = component.bytes_out === null ? '' : `, ${formatBytes(component.bytes_out)} go out`;
  const needs =
    component.free_needed_bytes === null
      ? ''
      : `; needs ${formatBytes(component.free_needed_bytes)} of ${formatBytes(component.free_available_bytes)} free`;
  return `${comes}${goes}${needs}.`;
}
