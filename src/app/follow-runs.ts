import type { NewEvent } from '../events/index.ts';
import type { Observation } from '../targets/index.ts';
import type { Ground } from './ground.ts';
import type { Watch } from './watch-target.ts';

type Run = NonNullable<Observation['run']>;

/** Writes down when a run of an index begins and how it ends, as far as looks show it. What was before the first look is no news. */
export function followRuns(
  { db, events, logOf }: Pick<Ground, 'db' | 'events' | 'logOf'>,
  watch: Pick<Watch, 'watched' | 'onObservation'>,
  onChange: () => void,
): void {
  const targetId = watch.watched.target.id;
  /** As it is written down: a look that cannot be leaves it to the next. */
  let told: Run['state'] | undefined;
  let telling = false;
  watch.onObservation(({ run }) => {
    if (run === undefined || telling) return;
    told ??= run.state;
    if (told === run.state) return;
    onChange();
    telling = true;
    db.unit((tx) => events.record(tx, eventOf(targetId, run)))
      .then(
        () => {
          told = run.state;
        },
        (err: unknown) =>
          logOf('targets').warn({ err, target: targetId }, 'a run of the index could not be written down'),
      )
      .finally(() => {
        telling = false;
      });
  });
}

function eventOf(targetId: string, run: Run): NewEvent {
  const { state, kind = 'index', documents, runtimeMs, failedAt } = run;
  const data = { run: kind, state, documents: documents ?? null, failed_at: failedAt ?? null };
  const shared = {
    targetId,
    data: { ...data, seconds: runtimeMs === undefined ? null : Math.round(runtimeMs / 1_000) },
  };
  switch (state) {
    case 'running':
      return {
        ...shared,
        type: 'target.index-run-began',
        severity: 'info',
        message: `A run (${kind}) of ${targetId} began.`,
      };
    case 'finished':
      return {
        ...shared,
        type: 'target.index-run-ended',
        severity: 'info',
        message: `The run (${kind}) of ${targetId} ended well.`,
      };
    case 'failed':
      return {
        ...{ ...shared, type: 'target.index-run-ended', severity: 'error' },
        message: `The run (${kind}) of ${targetId} failed at ${failedAt}.`,
      };
    case 'unfinished':
      return {
        ...{ ...shared, type: 'target.index-run-ended', severity: 'warning' },
        message: `The run (${kind}) of ${targetId} did not end, and nothing of it moves any more.`,
      };
    case 'none':
      return {
        ...shared,
        type: 'target.index-run-ended',
        severity: 'warning',
        message: `The index of ${targetId} is gone.`,
      };
  }
}
