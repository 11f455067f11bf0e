import { useState } from 'preact/hooks';
import type { Replica, ReplicationStatus } from '../../api/replication-wire.ts';
import { formatBytes, formatCount, formatDuration } from '../../format.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { Action, Sentence, Unknown } from '../../parts/text.tsx';
import type { Asked } from '../../state/asked.ts';
import { lagOf, sumOf } from './figures.ts';
import { NewPlaceForm } from './new-place.tsx';
import { ReplicaItem } from './replica-item.tsx';

/** A few places stand open; of many the one that is asked for. */
const openAtOnce = 2;

/** Every place that points are copied to. */
export function ReplicasPanel(props: { asked: Asked<ReplicationStatus>; onChanged(): Promise<unknown> }) {
  const { asked } = props;
  return (
    <section class="panel" aria-labelledby="replicas-title">
      <h2 id="replicas-title">Copies elsewhere</h2>
      <Loaded asked={asked}>
        {(value) => (
          <>
            <p role="status">
              <Word word={value.status} /> <Sentence text={value.message} />
            </p>
            {!value.enabled && value.configured && (
              <p class="faint">
                <Sentence text="`replication.enabled` (LIGHTRAG_REPLICATION_ENABLED) switches it on, also while ragwarden runs." />
              </p>
            )}
            {value.paused !== null && !value.message.includes(value.paused) && (
              <p class="trouble">
                Nothing is copied: <Sentence text={value.paused} />
              </p>
            )}
            {value.refused.map((one) => (
              <p key={one.backup_id} class="trouble">
                {one.backup_id} is not handed on: {one.reason}.
              </p>
            ))}
            <Places places={value.targets} onChanged={props.onChanged} />
            <NewPlaceForm onChanged={props.onChanged} />
          </>
        )}
      </Loaded>
    </section>
  );
}

function Places({ places, onChanged }: { places: readonly Replica[]; onChanged(): Promise<unknown> }) {
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const isOpen = ({ target_id: id }: Replica): boolean => turned.has(id) !== places.length <= openAtOnce;
  const turn = ({ target_id: id }: Replica): void =>
    setTurned(new Set(turned.has(id) ? [...turned].filter((one) => one !== id) : [...turned, id]));
  return (
    <Table
      name="Places that points are copied to"
      rows={places}
      keyOf={(one) => one.target_id}
      empty={
        <Sentence text="No place is registered yet: add one here, with `ragwarden replicate add`, or in `replication.targets` of the settings file." />
      }
      columns={columnsOf(isOpen, turn)}
      detail={(one) => (isOpen(one) ? <ReplicaItem replica={one} onChanged={onChanged} /> : null)}
      detailId={(one) => `place-${one.target_id}`}
    />
  );
}

const columnsOf = (isOpen: (one: Replica) => boolean, turn: (one: Replica) => void): Column<Replica>[] => [
  {
    title: 'Place',
    order: (one) => one.name,
    cell: (one) => (
      <>
        <strong>{one.name}</strong>
        <span class="rule-says faint">
          {one.kind}
          {one.zone !== null && ` · zone ${one.zone}`}
          {one.offline && ' · offline'}
        </span>
      </>
    ),
  },
  {
    title: 'State',
    order: (one) => (one.enabled ? one.status : 'paused'),
    cell: (one) => <StateOf one={one} />,
  },
  { title: 'Lag', kind: 'figure', order: lagOf, cell: (one) => <Lag seconds={lagOf(one)} /> },
  {
    title: 'Points',
    kind: 'figure',
    order: (one) => sumOf(one, 'missing_points'),
    cell: (one) => `${formatCount(sumOf(one, 'copies'))} there, ${formatCount(sumOf(one, 'missing_points'))} missing`,
  },
  {
    title: 'Stored',
    kind: 'figure',
    order: (one) => one.stored_bytes,
    cell: (one) => (one.stored_bytes === null ? <Unknown text="unknown" /> : formatBytes(one.stored_bytes)),
  },
  {
    title: 'Open',
    kind: 'actions',
    cell: (one) => (
      <Action
        label={isOpen(one) ? 'Close' : 'Open'}
        about={`${isOpen(one) ? 'Close' : 'Open'} ${one.name}`}
        onPress={() => turn(one)}
      />
    ),
  },
];

const words = { healthy: 'healthy', degraded: 'degraded', unreachable: 'lost', unknown: 'unknown' } as const;

function StateOf({ one }: { one: Replica }) {
  if (!one.enabled) return <Word word="off" text="paused" />;
  const word = one.findings.length > 0 || one.conflict !== null ? 'damaged' : words[one.status];
  return <Word word={word} text={word === 'damaged' ? 'damaged' : one.status} />;
}

function Lag({ seconds }: { seconds: number | null }) {
  if (seconds === null) return <Unknown text="no point yet" />;
  return <>{seconds === 0 ? 'none' : formatDuration(seconds)}</>;
}
