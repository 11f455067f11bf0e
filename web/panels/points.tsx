import type { BackupStatus, Operation, Page, Point } from '../api/wire.ts';
import { formatBytes, formatExact, formatInstant } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { Action, Age, Unknown } from '../parts/text.tsx';
import { verifyPoint, whyNot } from '../state/actions.ts';
import { useAsked } from '../state/asked.ts';
import { nowMs } from '../state/page-state.ts';
import { changeUrl, urlState } from '../state/url.ts';
import { PointDetail } from './point-detail.tsx';

/** The course above shows all of them; the table is for the next thing to do. */
const shortTable = 8;

export function Points(props: {
  page: Page<Point> | undefined;
  problem: string | undefined;
  status: BackupStatus | undefined;
  running: Operation | undefined;
}) {
  const { page } = props;
  if (page === undefined) return null;
  const asked = urlState.value.point;
  const isLong = urlState.value.rows === 'all' || page.items.length <= shortTable + 1;
  const items = isLong ? page.items : page.items.slice(0, shortTable);
  const isElsewhere = asked !== undefined && !items.some((point) => point.backup_id === asked);
  return (
    <>
      {isElsewhere && <Elsewhere pointId={asked} status={props.status} running={props.running} />}
      <Table
        name="Recovery points, newest first"
        rows={items}
        problem={props.problem}
        keyOf={(point) => point.backup_id}
        empty="There is no recovery point yet."
        columns={columnsOf(props)}
        detail={(point) => (asked === point.backup_id ? <PointDetail point={point} /> : null)}
        detailId={detailIdOf}
      />
      {!isLong && (
        <Action label={`Show ${page.items.length - items.length} more`} onPress={() => changeUrl({ rows: 'all' })} />
      )}
      {isLong && page.next_cursor !== null && (
        <p class="faint">
          The newest {page.items.length} are shown; <code>ragwarden backup list</code> has all.
        </p>
      )}
    </>
  );
}

type Around = { readonly status: BackupStatus | undefined; readonly running: Operation | undefined };

const detailIdOf = (point: Point): string => `detail-${point.backup_id}`;

const columnsOf = (around: Around): Column<Point>[] => [
  { title: 'Taken', cell: (point) => <Opener point={point} /> },
  {
    title: 'Grade',
    hint: (point) => point.reasons.join('\n') || undefined,
    // A point that is whole says no more than how good it is.
    cell: (point) => (
      <>
        {point.status !== 'success' && (
          <>
            <Word word={point.status} />{' '}
          </>
        )}
        {point.grade === null ? <Unknown text="none" /> : <Word word={point.grade} />}
      </>
    ),
  },
  {
    title: 'Size',
    kind: 'figure',
    hint: ({ stored_bytes: stored }) =>
      stored === null ? undefined : `${formatBytes(stored)} were new in the repository`,
    cell: (point) => (point.total_size_mb === null ? <Unknown /> : formatBytes(point.total_size_mb * 1024 * 1024)),
  },
  { title: 'Verified', cell: (point) => <Age at={point.verified_at} none="not yet" /> },
  {
    title: 'Cause',
    cell: (point) =>
      [
        point.cause,
        ...(point.pinned ? ['pinned'] : []),
        ...(point.workspace === null
          ? []
          : [`${point.workspace === '' ? 'the unnamed workspace' : point.workspace} only`]),
      ].join(', '),
  },
  { title: 'Actions', kind: 'actions', cell: (point) => <PointActions point={point} {...around} /> },
];

function Opener({ point }: { point: Point }) {
  const isOpen = urlState.value.point === point.backup_id;
  const takenMs = Date.parse(point.timestamp);
  return (
    <button
      type="button"
      class="opener"
      aria-expanded={isOpen}
      aria-controls={isOpen ? detailIdOf(point) : undefined}
      title={`${point.backup_id}, ${formatExact(takenMs)}`}
      onClick={() => changeUrl({ point: isOpen ? undefined : point.backup_id })}
    >
      <svg class="turn" viewBox="0 0 8 8" aria-hidden="true">
        <path d="M2 .5 6 4 2 7.5" />
      </svg>
      <Age at={point.timestamp} /> <span class="faint at">{formatInstant(takenMs, nowMs.value)}</span>
    </button>
  );
}

function PointActions(props: Around & { point: Point }) {
  const { point } = props;
  const taken = formatInstant(Date.parse(point.timestamp), nowMs.value);
  return (
    <>
      <Action
        label="Verify"
        about={`Verify the point of ${taken}`}
        why={whyNot('verify', point, props.status, props.running)}
        onPress={() => void verifyPoint(point.backup_id)}
      />
      <Action
        label="Restore…"
        about={`Restore the point of ${taken}: shows the plan first`}
        why={whyNot('restore', point, props.status, props.running)}
        onPress={() => changeUrl({ restore: point.backup_id })}
      />
    </>
  );
}

/** A point that was picked and is not among the newest: an old one, one that was forgotten, a run that failed. */
function Elsewhere(props: Around & { pointId: string }) {
  const { value: point, problem } = useAsked<Point>(`api/v1/backup/points/${encodeURIComponent(props.pointId)}`);
  return (
    <section class="elsewhere" aria-label="Chosen point">
      <div class="panel-head">
        <h3>
          <code>{props.pointId}</code>
        </h3>
        {point && <Word word={point.status} />}
        {point?.grade && <Word word={point.grade} />}
        {point && <Age at={point.timestamp} />}
        {point && point.allowed_actions.length > 0 && (
          <PointActions point={point} status={props.status} running={props.running} />
        )}
        <Action label="Close" onPress={() => changeUrl({ point: undefined })} />
      </div>
      {problem !== undefined && <p class="empty">{problem}</p>}
      {point && <PointDetail point={point} />}
    </section>
  );
}
