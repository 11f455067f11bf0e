import { useState } from 'preact/hooks';
import type { Checkpoint, RecoveryStatus } from '../../api/failover-wire.ts';
import type { Graph } from '../../api/health-wire.ts';
import { formatAhead, formatDuration, formatExact, plural } from '../../format.ts';
import { Work } from '../../panels/work.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Table } from '../../parts/table.tsx';
import { Action, Age, Sentence } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useAsked, useFollowed } from '../../state/asked.ts';
import { nowMs, operations } from '../../state/page-state.ts';
import { usePaged } from '../../state/paged.ts';
import { api } from '../../state/session.ts';

const recovery = 'api/v1/backup-replication/recovery';
const root = `${recovery}/checkpoints`;
const validates = 'recovery.validate-checkpoint';

/** Named sets of verified points: made, rehearsed, failed over to, given up. */
export function CheckpointsPanel(props: {
  targetId: string;
  mayFailOver: boolean;
  onFailOver(checkpoint: Checkpoint): void;
}) {
  const validating = (operations.value.value?.items ?? []).find(
    ({ kind, state }) => kind === validates && state === 'running',
  );
  const list = usePaged<Checkpoint>(root, { step: 20, everyMs: () => (validating ? 2_000 : 15_000) });
  const { act, refusal, busy } = useActing(() => Promise.all([list.refresh(), operations.refresh()]));
  const under = busy ? 'The last press is under way.' : undefined;
  const pathOf = (one: Checkpoint): string => `${root}/${encodeURIComponent(one.checkpoint_id)}`;
  return (
    <section class="panel" aria-labelledby="checkpoints-title">
      <h2 id="checkpoints-title">Checkpoints</h2>
      <p class="faint">
        A checkpoint names the newest verified point of each graph and keeps it until the checkpoint is removed. It is
        valid when a drill restored every point.
      </p>
      <Automatic newest={list.value?.items[0]?.checkpoint_id} />
      <NewCheckpoint why={under} onCreate={(body) => act(() => api.post(root, body))} />
      <Refusal text={refusal} />
      <Work kinds={[validates]} />
      <Table
        name="Checkpoints, newest first"
        rows={list.value?.items}
        problem={list.problem}
        more={list.more}
        isCut={list.isCut}
        needs={40}
        keyOf={(one) => one.checkpoint_id}
        empty="There is none. Make one before an upgrade or a large import."
        columns={[
          {
            title: 'Checkpoint',
            cell: (one) => (
              <>
                {nameOf(one)}
                <span class="rule-says faint">
                  {one.graphs.join(', ')} · made <Age at={one.created_at} />{' '}
                  {one.cause === 'scheduled' ? 'by the schedule' : `by ${one.created_by}`}
                  {Object.entries(one.metadata).map(([name, value]) => ` · ${name}: ${wordOf(value)}`)}
                </span>
              </>
            ),
          },
          {
            title: 'Points',
            cell: (one) => (
              <>
                {plural(one.points.length, 'point')}
                {one.points[0] !== undefined && (
                  <span class="rule-says faint">
                    taken <Age at={one.points[0].taken_at} />
                  </span>
                )}
              </>
            ),
            hint: (one) => one.points.map(({ backup_id }) => backup_id).join('\n'),
          },
          { title: 'Validated', cell: (one) => <Validity one={one} /> },
          {
            title: 'Actions',
            kind: 'actions',
            cell: (one) => {
              const name =
                one.description ||
                (one.cause === 'scheduled' ? `${nameOf(one)} of ${one.created_at}` : one.checkpoint_id);
              return (
                <>
                  <Action
                    label="Validate"
                    about={`Validate ${name}: a drill of every point`}
                    why={under ?? (validating ? 'One is being validated.' : undefined)}
                    onPress={() => void act(() => api.post(`${pathOf(one)}/validate`))}
                  />
                  <Action
                    label="Fail over…"
                    about={`Fail over… to ${name}: shows the plan first`}
                    why={whyNotTo(one, props)}
                    onPress={() => props.onFailOver(one)}
                  />
                  <Confirm
                    label="Remove"
                    about={`Remove ${name}`}
                    question="Its points stay only as long as retention keeps them."
                    why={under}
                    onConfirm={() => void act(() => api.delete(pathOf(one)))}
                  />
                </>
              );
            },
          },
        ]}
      />
    </section>
  );
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const nameOf = ({ cause, description }: Checkpoint): string =>
  description || (cause === 'scheduled' ? 'automatic' : 'without a description');

/** When the next ones are made by themselves, or why not. @param newest asks anew when another one is there */
function Automatic({ newest }: { newest: string | undefined }) {
  const path = `${recovery}/status`;
  const { value } = useFollowed<RecoveryStatus>(
    path,
    { load: (signal) => api.get(path, signal), everyMs: () => 60_000 },
    newest,
  );
  if (!value) return null;
  return (
    <>
      {value.automatic.map(({ target_id, interval_seconds, keep, next_at, reason }) => (
        <p key={target_id} class="faint">
          {value.automatic.length > 1 && `${target_id}: `}
          {next_at !== null && (
            <>
              The next is made by itself{' '}
              <time dateTime={next_at} title={formatExact(Date.parse(next_at))}>
                {formatAhead(Date.parse(next_at), nowMs.value)}
              </time>
              , one every {formatDuration(interval_seconds)}; the newest {keep} of these are kept.{' '}
            </>
          )}
          {reason !== null && <Sentence text={reason} />}
        </p>
      ))}
    </>
  );
}

const whyNotTo = (one: Checkpoint, { targetId, mayFailOver }: { targetId: string; mayFailOver: boolean }) =>
  !mayFailOver
    ? 'No failover can begin now.'
    : one.points.some((point) => point.target_id !== targetId)
      ? `It holds points of other targets than ${targetId}.`
      : undefined;

function Validity({ one }: { one: Checkpoint }) {
  const failed = one.drills.filter(({ verdict }) => verdict !== 'passed');
  if (one.validated)
    return (
      <>
        <Word word="passed" text="valid" />{' '}
        <span class="faint">
          <Age at={one.validation_timestamp} />
        </span>
      </>
    );
  if (one.drills.length === 0) return <Word word="unknown" text="not yet" />;
  return (
    <>
      <Word word="failed" text="not valid" />
      <span class="rule-says faint">
        {failed.flatMap(({ reasons, verdict }) => (reasons.length > 0 ? reasons : [verdict])).join('; ')}
      </span>
    </>
  );
}

function NewCheckpoint(props: {
  why: string | undefined;
  onCreate(body: { graph_ids: string[]; description: string }): Promise<void>;
}) {
  const graphs = useAsked<{ items: Graph[] }>('api/v1/health-dashboard/graphs').value?.items ?? [];
  const [chosen, setChosen] = useState<readonly string[]>();
  const [description, setDescription] = useState('');
  const ids = chosen ?? graphs.map(({ graph_id }) => graph_id);
  const why = props.why ?? (ids.length === 0 ? 'Choose a graph.' : undefined);
  return (
    <form
      class="new-key"
      aria-label="Make a checkpoint"
      onSubmit={(event) => {
        event.preventDefault();
        void props.onCreate({ graph_ids: [...ids], description }).then(() => setDescription(''));
      }}
    >
      <label>
        What for
        <input
          value={description}
          maxLength={200}
          placeholder="before the upgrade"
          autocomplete="off"
          onInput={(event) => setDescription(event.currentTarget.value)}
        />
      </label>
      {graphs.length > 1 && (
        <fieldset class="ask-group">
          <legend>Graphs</legend>
          {graphs.map(({ graph_id: id }) => (
            <label key={id} class="ask-filter">
              <input
                type="checkbox"
                checked={ids.includes(id)}
                onChange={(event) =>
                  setChosen(event.currentTarget.checked ? [...ids, id] : ids.filter((one) => one !== id))
                }
              />
              {id}
            </label>
          ))}
        </fieldset>
      )}
      <button type="submit" class="button" disabled={why !== undefined} title={why}>
        Make a checkpoint
      </button>
    </form>
  );
}
