import type { Replica, ReplicationLogEntry } from '../../api/replication-wire.ts';
import { formatBytes, formatExact, formatSeconds } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { Table } from '../../parts/table.tsx';
import { Age, Sentence } from '../../parts/text.tsx';
import { useFilter } from '../../state/filter.ts';
import { usePaged } from '../../state/paged.ts';
import { factsOf } from './figures.ts';

const types: Readonly<Record<string, string>> = {
  '': 'everything',
  sync: 'copies',
  validate: 'verifications',
  heal: 'mends',
  health_check: 'changes of a place',
  forget: 'what was forgotten there',
  prune: 'room freed there',
  receive: 'what was received here',
};
const statuses: Readonly<Record<string, string>> = {
  '': 'any',
  in_progress: 'under way',
  completed: 'completed',
  validated: 'validated',
  failed: 'failed',
};
/** What was done, in the words of the page. */
const said: Readonly<Record<string, string>> = {
  sync: 'copy',
  validate: 'verification',
  heal: 'mend',
  health_check: 'place',
  forget: 'forgotten',
  prune: 'room freed',
  receive: 'received',
};
const aboutOf = ({ operation_type: type, backup_id: point, target_id: place }: ReplicationLogEntry): string => {
  if (point === null) return place;
  return type === 'receive'
    ? `${point} from ${place}`
    : type === 'forget'
      ? `${point} at ${place}`
      : `${point} → ${place}`;
};
const wordOf = (status: string): string =>
  status === 'completed' || status === 'validated' ? 'success' : status === 'in_progress' ? 'running' : status;

/** What was copied, verified and mended, newest first. @param changed another one asks at once */
export function LogPanel({ places, changed }: { places: readonly Replica[]; changed: string }) {
  const [place, setPlace] = useFilter('place');
  const [type, setType] = useFilter('what', Object.keys(types));
  const [status, setStatus] = useFilter('ended', Object.keys(statuses));
  const query = new URLSearchParams(
    Object.entries({ target_id: place, operation_type: type, status }).filter(([, value]) => value !== ''),
  );
  const asked = usePaged<ReplicationLogEntry>(`api/v1/backup-replication/replication/logs?${query}`, {
    step: 20,
    everyMs: () => 10_000,
    renewed: changed,
  });
  const isNarrowed = query.size > 0;
  return (
    <section class="panel" aria-labelledby="replication-log-title">
      <h2 id="replication-log-title">What was done</h2>
      <div class="event-filters">
        <Choice
          name="Place"
          value={place}
          onChange={setPlace}
          of={{ '': 'any', ...(place === '' ? {} : { [place]: place }), ...namesOf(places) }}
        />
        <Choice name="What" value={type} onChange={setType} of={types} />
        <Choice name="How it ended" value={status} onChange={setStatus} of={statuses} />
      </div>
      <Table
        name="What was done, newest first"
        rows={asked.value?.items}
        problem={asked.problem}
        more={asked.more}
        isCut={asked.isCut}
        keyOf={(one) => one.log_id}
        needs={30}
        empty={isNarrowed ? 'Nothing of that.' : 'Nothing was copied, verified or healed yet.'}
        columns={[
          {
            title: 'What',
            cell: (one) => (
              <>
                <Word word={wordOf(one.status)} text={said[one.operation_type] ?? one.operation_type} /> {aboutOf(one)}
                {one.error_message !== null && (
                  <span class="rule-says is-failed">
                    <Sentence text={one.error_message} />
                  </span>
                )}
                <More of={one} />
              </>
            ),
          },
          {
            title: 'When',
            cell: (one) => <Age at={one.started_at} />,
            hint: (one) => formatExact(Date.parse(one.started_at)),
          },
          {
            title: 'Took',
            kind: 'figure',
            cell: (one) =>
              one.duration_seconds === null
                ? one.status === 'in_progress'
                  ? 'under way'
                  : ''
                : one.duration_seconds === 0
                  ? ''
                  : formatSeconds(one.duration_seconds),
          },
          {
            title: 'Bytes',
            kind: 'figure',
            cell: (one) => (one.bytes_transferred === null ? '' : formatBytes(one.bytes_transferred)),
          },
        ]}
      />
    </section>
  );
}

/** What else is written of it; the place says the kind. */
function More({ of }: { of: ReplicationLogEntry }) {
  const facts = [
    ...(of.graph_id === null ? [] : [{ name: 'graph', says: of.graph_id }]),
    ...(of.data_hash === null ? [] : [{ name: 'hash', says: of.data_hash }]),
    ...factsOf(of.metadata).filter(({ name, says }) => name !== 'kind' && says !== of.data_hash),
    ...(of.operation_id === null ? [] : [{ name: 'operation', says: of.operation_id }]),
  ];
  return facts.length === 0 ? null : (
    <details class="rule-says faint">
      <summary>Details</summary>
      <dl class="event-facts">
        {facts.map(({ name, says }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{says}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

const namesOf = (places: readonly Replica[]): Record<string, string> =>
  Object.fromEntries(places.map(({ target_id, name }) => [target_id, name]));

function Choice(props: {
  name: string;
  value: string;
  of: Readonly<Record<string, string>>;
  onChange(value: string): void;
}) {
  return (
    <label>
      {props.name}
      <select value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {Object.entries(props.of).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
