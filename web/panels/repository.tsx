import type { Repository as RepositoryState, UpkeepKind } from '../api/recovery-wire.ts';
import { formatAhead, formatDuration, formatExact } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { Table } from '../parts/table.tsx';
import { Action, Age, Fact, Sentence, Trouble, Unknown } from '../parts/text.tsx';
import { runUpkeep, whyNoUpkeep } from '../state/actions.ts';
import { backup, nowMs, operations, repository } from '../state/page-state.ts';

const names: Readonly<Record<UpkeepKind, { what: string; button: string; about: string }>> = {
  check: { what: 'Checked', button: 'Check', about: 'Check the repository and read the part whose turn it is' },
  forget: { what: 'Old points forgotten', button: 'Forget', about: 'Forget the points that retention gives up' },
  prune: { what: 'Space freed', button: 'Prune', about: 'Prune: free the bytes that no point refers to' },
};

/** Where the points lie, and when that was last kept in order. */
export function Repository() {
  const state = repository.value.value;
  const problem = repository.problem.value;
  return (
    <section class="panel" aria-labelledby="repository-title">
      <div class="panel-head">
        <h2 id="repository-title">Repository</h2>
        {state && <Word word={state.state === 'ok' ? 'healthy' : 'error'} text={state.state} />}
      </div>
      {state === undefined ? (
        problem === undefined ? (
          <p>
            <Unknown />
          </p>
        ) : (
          <p class="empty">{problem}</p>
        )
      ) : (
        <>
          <Trouble text={problem} />
          <Facts state={state} />
        </>
      )}
    </section>
  );
}

function Facts({ state }: { state: RepositoryState }) {
  return (
    <>
      {state.reason !== null && (
        <p class="refusal">
          <Sentence text={state.reason} />
        </p>
      )}
      <dl class="facts">
        <Fact name="Where">
          {state.kind}
          {state.tool !== null && <span class="faint"> · {state.tool}</span>}
          <code class="path">{state.location}</code>
        </Fact>
        {state.locks.length > 0 && (
          <Fact name="Locks">
            {state.locks.map((lock) => (
              <div key={lock.id}>
                {lock.host}, process {lock.pid}, <Age at={lock.created_at} />
                <span class="faint">
                  {' '}
                  · {lock.exclusive ? 'nobody else may use it' : 'shared'} · holder {lock.holder}
                </span>
              </div>
            ))}
          </Fact>
        )}
      </dl>
      <Table
        name="Upkeep"
        rows={state.upkeep}
        keyOf={(one) => one.operation}
        empty="Nothing of it is kept in order by itself."
        columns={[
          { title: 'What', cell: (one) => names[one.operation].what },
          { title: 'Last success', cell: (one) => <LastSuccess one={one} /> },
          { title: 'Next', cell: (one) => <Next at={one.next_at} /> },
          {
            title: 'Actions',
            kind: 'actions',
            cell: ({ operation }) => (
              <Action
                label={names[operation].button}
                about={names[operation].about}
                why={whyNoUpkeep(operation, backup.value.value, operations.value.value?.items ?? [])}
                onPress={() => void runUpkeep(operation, backup.value.value?.target_id)}
              />
            ),
          },
        ]}
      />
    </>
  );
}

function LastSuccess({ one }: { one: RepositoryState['upkeep'][number] }) {
  const failedLast =
    one.last_failure_at !== null &&
    (one.last_success_at === null || Date.parse(one.last_failure_at) > Date.parse(one.last_success_at));
  return (
    <>
      <Age at={one.last_success_at} none="never yet" />
      {one.late && (
        <>
          {' '}
          <Word
            word="warning"
            text={
              one.allowed_age_seconds === null ? 'late' : `late: allowed ${formatDuration(one.allowed_age_seconds)}`
            }
          />
        </>
      )}
      {failedLast && (
        <span class="upkeep-failed">
          failed <Age at={one.last_failure_at} />
          {one.last_error !== null && `: ${one.last_error}`}
        </span>
      )}
    </>
  );
}

function Next({ at }: { at: string | null }) {
  if (at === null) return <Unknown text="not by itself" />;
  return (
    <time dateTime={at} title={formatExact(Date.parse(at))}>
      {formatAhead(Date.parse(at), nowMs.value)}
    </time>
  );
}
