import type { Revision, Watch } from '../../api/tuning-wire.ts';
import type { Page } from '../../api/wire.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Age, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import type { Followed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { shown } from './read-value.ts';

/** Every change with who, when and why, and the way back. */
export function HistoryPanel({ asked, onChanged }: { asked: Followed<Page<Revision>>; onChanged(): Promise<unknown> }) {
  const { value, problem } = asked;
  const { act, refusal, busy } = useActing(onChanged);
  return (
    <section class="panel" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      <Refusal text={refusal} />
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : value.items.length === 0 ? (
        <p class="empty">Nothing was changed yet.</p>
      ) : (
        <ol class="revisions">
          {value.items.map((one, index) => (
            <li key={one.revision}>
              <strong>{one.revision}</strong> {one.actor} <Age at={one.at} />
              {one.reason !== null && <span class="faint"> · {one.reason}</span>}
              {one.rolled_back_to !== null && <span class="faint"> · back to {one.rolled_back_to}</span>}
              <ul>
                {one.changes.map((change) => (
                  <li key={`${change.scope} ${change.parameter}`}>
                    {change.scope === 'default' ? '' : `${change.scope} `}
                    {change.parameter}: {shown(change.before)} → {shown(change.after)}
                  </li>
                ))}
              </ul>
              {one.watch !== null && <Since of={one.watch} />}
              {index > 0 && (
                <Confirm
                  label="Go back to it"
                  about={`Go back to it, revision ${one.revision}`}
                  question={`What counted after revision ${one.revision} comes back, of users and workspaces too.`}
                  why={busy ? 'It is under way.' : undefined}
                  onConfirm={() =>
                    void act(() => api.post(`api/v1/tuning/revisions/${one.revision}/rollback`, { confirm: true }))
                  }
                />
              )}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

const words: Readonly<Record<string, string>> = {
  watching: 'Applied, and watched',
  kept: 'Applied, and not worse since',
  unjudged: 'Applied; too little was asked to judge it',
  worse: 'Applied, and worse since',
  superseded: 'Applied, until another change came',
  'rolling-back': 'Worse since; it is taken back',
  'rolled-back': 'Worse since, and taken back',
  'rollback-failed': 'Worse since, and it could not be taken back',
};
const bad = ['worse', 'rolling-back', 'rolled-back', 'rollback-failed'];

/** How it went since the backend runs with a revision. */
function Since({ of }: { of: Watch }) {
  const word = words[of.state];
  if (word === undefined) return null;
  return (
    <p class={bad.includes(of.state) ? 'trouble' : 'faint'}>
      {word}
      {of.state === 'watching' && (
        <>
          {' '}
          since <Age at={of.from} />
        </>
      )}
      {of.reasons.length === 0 ? '.' : `: ${of.reasons.join(' ')}`}
    </p>
  );
}
