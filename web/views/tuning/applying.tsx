import type { ApplyPlan, Drift } from '../../api/tuning-wire.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Sentence, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { type Followed, useFollowed } from '../../state/asked.ts';
import { operations, targets } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';

/** What the backend does not run with yet, and telling it: the file, the restart, and what the index would suffer. */
export function ApplyingPanel({ plan }: { plan: Followed<ApplyPlan> }) {
  const drift = useFollowed<Drift>('drift', {
    load: (on) => api.get('api/v1/tuning/drift', on),
    everyMs: () => 30_000,
  });
  const { act, refusal, busy } = useActing(() => Promise.all([plan.refresh(), drift.refresh(), operations.refresh()]));
  if ((targets.value.value?.items ?? []).length === 0) return null;
  const { value, problem } = plan;
  const running = operations.value.value?.items.find((one) => one.state === 'running');
  return (
    <section class="panel" aria-labelledby="apply-title">
      <h2 id="apply-title">At the backend</h2>
      {drift.value?.items.map((one) => (
        <p key={one.message} class="trouble">
          {one.message}
        </p>
      ))}
      {drift.value !== undefined && drift.value.unseen.length > 0 && (
        <p class="faint">Could be seen nowhere: {drift.value.unseen.join(', ')}</p>
      )}
      <Refusal text={refusal} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>
          {problem === undefined ? <Unknown /> : <Sentence text={problem} />}
        </p>
      ) : (
        <>
          <Trouble text={problem} />
          {value.blockers.map((one) => (
            <p key={one} class="empty">
              {one}
            </p>
          ))}
          {value.changes.length === 0 ? (
            value.blockers.length === 0 && <p class="empty">Its environment file says all of it.</p>
          ) : (
            <>
              <p class="faint">{value.environment_file}</p>
              <ul class="to-write">
                {value.changes.map((one) => (
                  <li key={one.variable}>
                    <code>{one.after === null ? `# ${one.variable}` : `${one.variable}=${one.after}`}</code>{' '}
                    <span class="faint">{one.before === null ? 'new' : `was ${one.before}`}</span>
                  </li>
                ))}
              </ul>
              {value.consequences.map((one) => (
                <p key={one.message} class={one.destructive ? 'refusal' : 'faint'}>
                  {one.parameter}: {one.message}
                </p>
              ))}
              <Confirm
                label="Apply"
                question={`${value.takes_point ? 'A recovery point is taken. ' : ''}The file is written and the backend restarted${value.restart.automatic ? '' : ', which you have to do'}. What fails is put back.`}
                why={
                  value.blockers.length > 0
                    ? 'See above.'
                    : busy || running !== undefined
                      ? 'Something else is under way.'
                      : undefined
                }
                // Confirmed is what is told here; what else asks to be, such as a key that would go elsewhere, is refused.
                onConfirm={() => void act(() => api.post('api/v1/tuning/apply', { confirm: value.takes_point }))}
              />
            </>
          )}
        </>
      )}
    </section>
  );
}
