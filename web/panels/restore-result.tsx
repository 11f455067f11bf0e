import type { RestoreResult } from '../api/recovery-wire.ts';
import type { Operation } from '../api/wire.ts';
import { formatBytes, formatDuration, plural } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { Sentence, Unknown } from '../parts/text.tsx';
import { useAsked } from '../state/asked.ts';
import { operations } from '../state/page-state.ts';
import { changeUrl, closedRestore } from '../state/url.ts';
import { Progress } from './work.tsx';

/** Follows a restore in the list that is asked for anyway; closing the dialog does not end it. */
export function Carried({ operationId }: { operationId: string }) {
  const list = operations.value.value?.items;
  const listed = list?.find((one) => one.id === operationId);
  // Ended long ago: the address came from somewhere.
  const asked = useAsked<Operation>(
    list !== undefined && listed === undefined ? `api/v1/operations/${encodeURIComponent(operationId)}` : undefined,
  );
  const now = listed ?? asked.value;
  if (now === undefined)
    return <p role="status">{asked.problem ?? <Unknown text="It is being asked how far it is." />}</p>;
  if (now.state === 'running')
    return (
      <>
        <Progress operation={now} />
        <p class="faint">It goes on when this is closed.</p>
      </>
    );
  // What an operation of this kind results in; null when it did not come so far.
  const result = now.result as RestoreResult | null;
  return (
    <div role="status" class="carried">
      <Word word={now.state} text={now.state === 'succeeded' ? 'Restored' : now.state} />
      {now.error !== null && (
        <p>
          <Sentence text={now.error.detail} />
        </p>
      )}
      {result !== null && <Result result={result} />}
    </div>
  );
}

/** `112 files, 5.05 MiB; postgres`. */
export function restoredOf(result: RestoreResult): string {
  const files =
    result.user_data.status === 'success'
      ? [`${plural(result.user_data.file_count, 'file')}, ${formatBytes(result.user_data.total_size_bytes)}`]
      : [];
  const stores = result.database.components.length > 0 ? [result.database.components.join(', ')] : [];
  return [...files, ...stores].join('; ') || 'nothing';
}

function Result({ result }: { result: RestoreResult }) {
  return (
    <dl class="facts">
      <div class="fact">
        <dt>What went back</dt>
        <dd>
          {restoredOf(result)} <span class="faint">in {formatDuration(result.duration)}</span>
        </dd>
      </div>
      <div class="fact">
        <dt>Safety point</dt>
        <dd>
          {result.safety_backup_id === null ? (
            'none was needed'
          ) : (
            <button
              type="button"
              class="link"
              onClick={() => changeUrl({ ...closedRestore, point: result.safety_backup_id ?? undefined })}
            >
              {result.safety_backup_id}
            </button>
          )}
        </dd>
      </div>
      {result.undo.length > 0 && (
        <div class="fact">
          <dt>The former state lies until the next restore in</dt>
          {result.undo.map((one) => (
            <dd key={one.folder}>
              <code>{one.folder}</code>
              {one.bytes !== null && <span class="faint"> · {formatBytes(one.bytes)}</span>}
            </dd>
          ))}
        </div>
      )}
      {result.notes.length > 0 && (
        <div class="fact">
          <dt>Notes</dt>
          {result.notes.map((note) => (
            <dd key={note}>
              <Sentence text={note} />
            </dd>
          ))}
        </div>
      )}
    </dl>
  );
}
