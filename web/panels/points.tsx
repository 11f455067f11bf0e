import type { BackupStatus, Operation, Page, Point } from '../api/wire.ts';
import { formatBytes, formatExact, formatInstant } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { Action, Age, Trouble, Unknown } from '../parts/text.tsx';
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
  if (page.items.length === 0 && !isElsewhere) return <p class="empty">There is no recovery point yet.</p>;
  return (
    <>
      {isElsewhere && <Elsewhere pointId={asked} status={props.status} running={props.running} />}
      <Trouble text={props.problem} />
      <table class="points">
        <caption class="visually-hidden">Recovery points, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Taken</th>
            <th scope="col">Grade</th>
            <th scope="col" class="number">
              Size
            </th>
            <th scope="col">Verified</th>
            <th scope="col">Cause</th>
            <th scope="col">
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {items.map((point) => (
            <PointRow key={point.backup_id} point={point} status={props.status} running={props.running} />
          ))}
        </tbody>
      </table>
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

function PointRow(props: { point: Point; status: BackupStatus | undefined; running: Operation | undefined }) {
  const { point } = props;
  const isOpen = urlState.value.point === point.backup_id;
  const takenMs = Date.parse(point.timestamp);
  const detailId = `detail-${point.backup_id}`;
  return (
    <>
      <tr class={isOpen ? 'is-open' : undefined}>
        <td class="taken">
          <button
            type="button"
            class="opener"
            aria-expanded={isOpen}
            aria-controls={isOpen ? detailId : undefined}
            title={`${point.backup_id}, ${formatExact(takenMs)}`}
            onClick={() => changeUrl({ point: isOpen ? undefined : point.backup_id })}
          >
            <svg class="turn" viewBox="0 0 8 8" aria-hidden="true">
              <path d="M2 .5 6 4 2 7.5" />
            </svg>
            <Age at={point.timestamp} /> <span class="faint at">{formatInstant(takenMs, nowMs.value)}</span>
          </button>
        </td>
        <td data-name="Grade" title={point.reasons.join('\n') || undefined}>
          {/* A point that is whole says no more than how good it is. */}
          {point.status !== 'success' && (
            <>
              <Word word={point.status} />{' '}
            </>
          )}
          {point.grade === null ? <Unknown text="none" /> : <Word word={point.grade} />}
        </td>
        <td
          data-name="Size"
          class="number"
          title={
            point.stored_bytes === null ? undefined : `${formatBytes(point.stored_bytes)} were new in the repository`
          }
        >
          {point.total_size_mb === null ? <Unknown /> : formatBytes(point.total_size_mb * 1024 * 1024)}
        </td>
        <td data-name="Verified">
          <Age at={point.verified_at} none="not yet" />
        </td>
        <td data-name="Cause">
          {point.cause}
          {point.pinned && ', pinned'}
          {point.workspace !== null && `, ${point.workspace === '' ? 'the unnamed workspace' : point.workspace} only`}
        </td>
        <td class="row-actions">
          <PointActions point={point} status={props.status} running={props.running} />
        </td>
      </tr>
      {isOpen && (
        <tr class="detail">
          <td colSpan={6} id={detailId}>
            <PointDetail point={point} />
          </td>
        </tr>
      )}
    </>
  );
}

type Around = { readonly status: BackupStatus | undefined; readonly running: Operation | undefined };

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
