import type { Operation } from '../api/wire.ts';
import { formatBytes, formatDuration, formatPercent, formatRate, plural } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { Action, Age } from '../parts/text.tsx';
import { cancelOperation, nameOfKind } from '../state/actions.ts';
import { nowMs, operations, phasesSeen } from '../state/page-state.ts';

/** Ended work stays in sight this long. Milliseconds. */
const recentMs = 5 * 60_000;

/**
 * What runs, and how the last things ended.
 * @param kinds only operations of these
 * @param about what an operation is about, where somebody knows it
 */
export function Work({
  kinds,
  about,
}: {
  kinds?: readonly string[];
  about?(operation: Operation): string | undefined;
}) {
  const all = operations.value.value?.items ?? [];
  const list = kinds === undefined ? all : all.filter((one) => kinds.includes(one.kind));
  const running = list.filter((one) => one.state === 'running');
  const ended = list
    .filter((one) => one.finished_at !== null && nowMs.value - Date.parse(one.finished_at) < recentMs)
    .slice(0, 3);
  if (running.length + ended.length === 0) return null;
  return (
    <div class="work">
      {running.map((one) => (
        <Progress key={one.id} operation={one} about={about?.(one)} />
      ))}
      {ended.length > 0 && (
        <ul class="ended" aria-label="Just ended">
          {ended.map((one) => (
            <li key={one.id}>
              <Word word={one.state} />
              <span>{nameOfKind[one.kind] ?? one.kind}</span>
              {one.error !== null && <span class="ended-why">{one.error.detail}</span>}
              <Age at={one.finished_at} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** One running operation: phase, how far, how fast, how long still; and the way to stop it. */
export function Progress({ operation, about }: { operation: Operation; about?: string | undefined }) {
  const { progress } = operation;
  const name = `${nameOfKind[operation.kind] ?? operation.kind}${about === undefined ? '' : ` · ${about}`}`;
  const label = `${name}: ${operation.phase}`;
  const before = (phasesSeen.value.get(operation.id) ?? []).filter((phase) => phase !== operation.phase);
  const mayCancel = operation.allowed_actions.includes('cancel');
  return (
    <section class="progress" aria-label={name}>
      <div class="progress-head">
        <strong>{name}</strong>
        <span class="phase">
          {before.length > 0 && <span class="phases-before">{before.join(' › ')} › </span>}
          {operation.phase === '' ? 'beginning' : operation.phase}
        </span>
        {progress.percent !== null && <span class="percent">{formatPercent(progress.percent)}</span>}
        <Action
          label="Cancel"
          why={mayCancel ? undefined : 'It was asked to end already, or is past the point of no return.'}
          onPress={() => void cancelOperation(operation.id)}
        />
      </div>
      {progress.percent === null ? (
        <progress aria-label={label} />
      ) : (
        <progress aria-label={label} max={100} value={progress.percent} />
      )}
      <p class="progress-facts">
        {[
          `for ${formatDuration((nowMs.value - Date.parse(operation.created_at)) / 1000)}`,
          ...progressFacts(operation),
        ].join(' · ')}
      </p>
    </section>
  );
}

/** Only what is known. */
export function progressFacts({ kind, progress }: Pick<Operation, 'kind' | 'progress'>): string[] {
  // A transfer to another place counts whole points.
  const word = kind === 'replication.sync' ? 'point' : 'file';
  const facts: string[] = [];
  if (progress.bytes_total !== null)
    facts.push(`${formatBytes(progress.bytes_done)} of ${formatBytes(progress.bytes_total)}`);
  else if (progress.bytes_done > 0) facts.push(formatBytes(progress.bytes_done));
  if (progress.files_total !== null) facts.push(`${progress.files_done} of ${plural(progress.files_total, word)}`);
  else if (progress.files_done > 0) facts.push(plural(progress.files_done, 'file'));
  if (progress.rate_bytes_per_second !== null && progress.rate_bytes_per_second > 0)
    facts.push(formatRate(progress.rate_bytes_per_second));
  if (progress.remaining_seconds !== null && progress.remaining_seconds > 0)
    facts.push(`about ${formatDuration(progress.remaining_seconds)} left`);
  return facts;
}
