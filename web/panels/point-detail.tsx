import type { Audit, ContentsComponent, PointContents } from '../api/recovery-wire.ts';
import type { Point } from '../api/wire.ts';
import { formatBytes, formatCount, formatDuration, plural } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { Action, Age, Fact, Trouble, Unknown } from '../parts/text.tsx';
import { pinPoint } from '../state/actions.ts';
import { useAsked } from '../state/asked.ts';
import { drills } from '../state/page-state.ts';

const exists = (point: Point): boolean => point.status === 'success' || point.status === 'partial';

export function PointDetail({ point }: { point: Point }) {
  const contents = useAsked<PointContents>(
    exists(point) ? `api/v1/backup/points/${encodeURIComponent(point.backup_id)}/contents` : undefined,
  );
  const documents = point.documents && Object.entries(point.documents).filter(([, count]) => count > 0);
  const drill = drills.value.value?.items.find((one) => one.backup_id === point.backup_id && one.verdict !== null);
  const pin = point.allowed_actions.find((one) => one === 'pin' || one === 'unpin');
  return (
    <div class="point-detail">
      {point.error !== undefined && <p class="refusal">{point.error}</p>}
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
          {point.stored_bytes === null ? (
            <Unknown />
          ) : (
            <>
              {formatBytes(point.stored_bytes)}
              <span class="faint"> of {formatBytes(sizeOf(point))}</span>
            </>
          )}
        </Fact>
        <Fact name="Documents">
          {documents === null ? (
            <Unknown text="the backend did not say" />
          ) : (
            documents.map(([status, count]) => `${formatCount(count)} ${status}`).join(', ') || 'none'
          )}
        </Fact>
        <Fact name="Backend then">{point.core_version ?? <Unknown text="not known" />}</Fact>
        <Fact name="Drilled">
          {drill?.verdict ? (
            <>
              <Word word={drill.verdict} /> <Age at={drill.started_at} />
            </>
          ) : (
            <Unknown text="not that is known of" />
          )}
        </Fact>
        {pin !== undefined && (
          <Fact name="Retention">
            {point.pinned ? 'pinned ' : 'as its age says '}
            <Action
              label={point.pinned ? 'Unpin' : 'Pin'}
              about={point.pinned ? 'Leave this point to retention again' : 'Pin this point: it is never forgotten'}
              onPress={() => void pinPoint(point.backup_id, !point.pinned)}
            />
          </Fact>
        )}
      </dl>
      {point.reasons.length > 0 && (
        <>
          <h4>Why this grade</h4>
          <ul>
            {point.reasons.map((reason) => (
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
      {contents.problem !== undefined && <Trouble text={contents.problem} />}
      {contents.value && (
        <>
          <h4>Do its stores belong together</h4>
          <AuditFacts audit={contents.value.audit} faults={contents.value.faults} />
          <h4>Parts</h4>
          <ul class="components">
            {contents.value.components.map((one) => (
              <Component key={one.name} component={one} />
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

const sizeOf = (point: Point): number | null =>
  point.total_size_mb === null ? null : Math.round(point.total_size_mb * 1024 * 1024);

function Component({ component }: { component: ContentsComponent }) {
  const { streams, counts } = component;
  return (
    <li>
      <Word word={component.grade} text={component.name} /> {component.kind} · {formatBytes(component.size_bytes)}
      {component.file_count > 0 && ` · ${plural(component.file_count, 'file')}`}
      {component.unfolded_files > 0 && `, ${formatCount(component.unfolded_files)} by record`}
      {streams.length > 0 &&
        ` · ${plural(streams.length, 'dump')}: ${streams.map((one) => `${one.name} ${formatBytes(one.size_bytes)}`).join(', ')}`}
      {` · ${component.grade}`}
      {component.partial && ', not whole'}
      {component.place !== null && <code class="path">{component.place}</code>}
      {counts !== null && (
        <span class="component-counts">
          {Object.entries(counts)
            .map(([store, count]) => `${store} ${formatCount(count)}`)
            .join(' · ')}
        </span>
      )}
      <Names what="left out" list={component.skipped} />
      <Names what="damaged" list={component.damaged} />
      {component.notes.map((note) => (
        <span key={note} class="component-counts">
          {note}
        </span>
      ))}
    </li>
  );
}

function Names(props: { what: string; list: readonly { path: string; reason: string; loss?: boolean }[] }) {
  if (props.list.length === 0) return null;
  return (
    <details>
      <summary>
        {plural(props.list.length, 'name')} {props.what}
      </summary>
      <ul>
        {props.list.map((one) => (
          <li key={one.path}>
            <code>{one.path}</code>: {one.reason}
            {one.loss && <strong> (missing in a restore)</strong>}
          </li>
        ))}
      </ul>
    </details>
  );
}

function AuditFacts({ audit, faults }: { audit: Audit | null; faults: PointContents['faults'] }) {
  if (audit === null)
    return (
      <p>
        <Unknown text="nobody looked" />
      </p>
    );
  const broken = brokenRelations(audit);
  return (
    <>
      <p>
        <Word word={audit.verdict} />
        {broken.length === 0 &&
          audit.unchecked.length === 0 &&
          ' All that is referred to is there, and nothing besides.'}
      </p>
      <ul class="audit">
        {broken.map(({ relation, count, examples }) => (
          <li key={relation}>
            <strong>{formatCount(count)}</strong> {relation}{' '}
            <span class="faint">
              {examples.slice(0, 3).join(', ')}
              {count > 3 && examples.length > 0 && ' …'}
            </span>
          </li>
        ))}
        {audit.unchecked.length > 0 && (
          <li class="faint">Not checked: {audit.unchecked.map(wordsOfRelation).join(', ')}</li>
        )}
        {faults.map((fault) => (
          <li key={`${fault.code} ${fault.message}`}>
            <code>{fault.code}</code> {fault.message}
          </li>
        ))}
      </ul>
    </>
  );
}

const wordsOfRelation = (name: string): string => name.replaceAll('_', ' ');

/** Relations that do not hold, the most frequent first. */
export const brokenRelations = (
  audit: Pick<Audit, 'dangling'>,
): { relation: string; count: number; examples: readonly string[] }[] =>
  Object.entries(audit.dangling)
    .filter(([, { count }]) => count > 0)
    .map(([name, found]) => ({ relation: wordsOfRelation(name), ...found }))
    .sort((a, b) => b.count - a.count);
