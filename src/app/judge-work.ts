import type { CheckResult } from '../health/index.ts';
import type { Observation, StuckWork } from '../targets/index.ts';

/** What lies in the pipeline of a backend: degraded while it does not go on, or takes no writes. */
export function judgeIndexing(seen: Observation, stuck: StuckWork | undefined): CheckResult {
  const { atMs, documents, pipeline, pipelineBusy } = seen;
  const facts = {
    metrics: {
      ...(documents === undefined ? {} : { documents }),
      pipeline: {
        busy: pipeline?.busy ?? pipelineBusy ?? null,
        job: pipeline?.jobName ?? null,
        pending_enqueues: pipeline?.pendingEnqueues ?? null,
        recovery_required: pipeline?.recoveryRequired ?? null,
        stuck_documents: stuck?.documents ?? 0,
      },
    },
  };
  if (pipeline?.recoveryRequired)
    return {
      ...{ status: 'degraded', message: 'The backend takes no documents until its recovery is dealt with.', atMs },
      ...{ blocks: ['ingest'], ...facts },
    };
  if (stuck !== undefined)
    return {
      status: 'degraded',
      message:
        stuck.cause === 'pipeline-idle'
          ? `${stuck.documents} document(s) are unfinished, and nothing works on them.`
          : `The pipeline says that it works, and nothing moves; ${stuck.documents} document(s) are unfinished.`,
      ...{ atMs, ...facts },
    };
  if (documents === undefined && pipeline === undefined)
    return { status: 'unknown', message: 'The backend does not say what it works on.', atMs, ...facts };
  const busy = pipeline?.busy ?? pipelineBusy;
  return { status: 'healthy', message: busy ? 'Documents are worked on.' : 'Nothing is worked on.', atMs, ...facts };
}

/** A queue this full is about to turn calls away. */
const fullShare = 0.8;

/** Judges each probe with the one before: a queue that turned calls away since then was full, even when it is empty again. */
export function followQueues(): (seen: Observation) => CheckResult {
  let before: Observation | undefined;
  let result: CheckResult | undefined;
  return (seen) => {
    // The same probe is read many times.
    if (result === undefined || before !== seen) result = judgeQueues(before, seen);
    before = seen;
    return result;
  };
}

function judgeQueues(before: Observation | undefined, seen: Observation): CheckResult {
  const { atMs, queues } = seen;
  if (queues === undefined)
    return { status: 'healthy', message: 'The backend tells nothing of queues (it needs the API key to).', atMs };
  const bad: string[] = [];
  for (const { name, queued, mostQueued, rejected } of queues) {
    const earlier = before?.queues?.find((one) => one.name === name)?.rejected;
    const turnedAway = rejected === undefined || earlier === undefined ? 0 : rejected - earlier;
    if (turnedAway > 0) bad.push(`The queue ${name} turned ${turnedAway} call(s) away.`);
    else if (mostQueued > 0 && queued >= fullShare * mostQueued)
      bad.push(`In the queue ${name} ${queued} of at most ${mostQueued} calls wait.`);
  }
  const waiting = queues.reduce((sum, { queued }) => sum + queued, 0);
  return {
    status: bad.length > 0 ? 'degraded' : 'healthy',
    message: bad.join(' ') || (waiting === 0 ? 'No call of a model waits.' : `${waiting} call(s) of models wait.`),
    ...{ atMs, observedValue: waiting, observedUnit: 'calls' },
    metrics: Object.fromEntries(
      queues.map(({ name, queued, running, mostRunning, mostQueued, failed, rejected }) => [
        name,
        {
          ...{ queued, running, max_async: mostRunning, max_queue_size: mostQueued },
          ...{ failed_total: failed ?? null, rejected_total: rejected ?? null },
        },
      ]),
    ),
  };
}
