import type { BackupStatus, Operation, Page, Point } from '../api/wire.ts';
import { formatBytes, formatDuration, formatExact, formatInstant, plural } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { Action, Age, Fact, Trouble, Unknown } from '../parts/text.tsx';
import { verifyPoint, whyNot } from '../state/actions.ts';
import { nowMs } from '../state/page-state.ts';
import { changeUrl, urlState } from '../state/url.ts';

export function Points(props: {
  page: Page<Point> | undefined;
  problem: string | undefined;
  status: BackupStatus | undefined;
  running: Operation | undefined;
}) {
  const { page } = props;
  if (page === undefined) return null;
  if (page.items.length === 0) return <p class="empty">There is no recovery point yet.</p>;
  return (
    <>
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
          {page.items.map((point) => (
            <PointRow key={point.backup_id} point={point} status={props.status} running={props.running} />
          ))}
        </tbody>
      </table>
      {page.next_cursor !== null && (
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
  const reasons = reasonsOf(point);
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
        <td data-name="Grade" title={reasons.join('\n') || undefined}>
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
          {formatBytes(point.user_data.total_size_bytes)}
        </td>
        <td data-name="Verified">
          <Age at={point.verified_at} none="not yet" />
        </td>
        <td data-name="Cause">{point.pinned ? `${point.cause}, pinned` : point.cause}</td>
        <td class="row-actions">
          <Action
            label="Verify"
            about={`Verify the point of ${formatInstant(takenMs, nowMs.value)}`}
            why={whyNot('verify', point, props.status, props.running)}
            onPress={() => void verifyPoint(point.backup_id)}
          />
          <Action
            label="Restore…"
            about={`Restore the point of ${formatInstant(takenMs, nowMs.value)}: shows the plan first`}
            why={whyNot('restore', point, props.status, props.running)}
            onPress={() => changeUrl({ restore: point.backup_id })}
          />
        </td>
      </tr>
      {isOpen && (
        <tr class="detail">
          <td colSpan={6} id={detailId}>
            <Detail point={point} reasons={reasons} />
          </td>
        </tr>
      )}
    </>
  );
}

/** Why the grade is what it is; the point's own reasons name the part that each is about. */
const reasonsOf = (point: Point): string[] =>
  point.reasons.length > 0
    ? point.reasons
    : point.user_data.components.flatMap((one) => one.reasons.map((reason) => `${one.name}: ${reason}`));

function Detail({ point, reasons }: { point: Point; reasons: readonly string[] }) {
  const documents = point.documents && Object.entries(point.documents).filter(([, count]) => count > 0);
  return (
    <div class="point-detail">
      <dl class="facts">
        <Fact name="Id">
          <code>{point.backup_id}</code>
        </Fact>
        <Fact name="Taken in">
          {point.duration === null ? (
            <Unknown />
          ) : point.duration < 10 ? (
            `${point.duration.toFixed(1)} s`
          ) : (
            formatDuration(point.duration)
          )}
        </Fact>
        <Fact name="New in the repository">
          {point.stored_bytes === null ? <Unknown /> : formatBytes(point.stored_bytes)}
        </Fact>
        <Fact name="Documents">
          {documents === null ? (
            <Unknown text="the backend did not say" />
          ) : (
            documents.map(([status, count]) => `${count} ${status}`).join(', ') || 'none'
          )}
        </Fact>
        <Fact name="Backend then">{point.core_version ?? <Unknown text="not known" />}</Fact>
      </dl>
      {reasons.length > 0 && (
        <>
          <h4>Why this grade</h4>
          <ul>
            {reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </>
      )}
      {point.missing.length > 0 && (
        <>
          <h4>Not in this point</h4>
          <ul>
            {point.missing.map((one) => (
              <li key={one.name}>
                <strong>{one.name}</strong>: {one.reason}
              </li>
            ))}
          </ul>
        </>
      )}
      <h4>Parts</h4>
      <ul class="components">
        {point.user_data.components.map((one) => (
          <li key={one.name}>
            <Word word={one.grade} text={one.name} /> {formatBytes(one.size_bytes)} · {plural(one.file_count, 'file')} ·{' '}
            {one.grade}
            {one.path !== null && <code class="path">{one.path}</code>}
            {one.skipped.length > 0 && (
              <details>
                <summary>{plural(one.skipped.length, 'name')} left out</summary>
                <ul>
                  {one.skipped.map((skipped) => (
                    <li key={skipped.path}>
                      <code>{skipped.path}</code>: {skipped.reason}
                      {skipped.loss && <strong> (missing in a restore)</strong>}
                    </li>
                  ))}
                </ul>
              </details>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
