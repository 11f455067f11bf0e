import type { CheckResult, HealthCheck } from '../health/index.ts';
import { isoInstantOrNull } from '../platform/clock.ts';
import type { Inspections, Observation, WatchedTarget } from '../targets/index.ts';
import { followQueues, judgeIndexing } from './judge-work.ts';

/** What only some kinds of target have to be looked at for; the target itself is a check of its own. */
export const kindChecks = (
  targets: readonly WatchedTarget[],
  inspections: Pick<Inspections, 'lastOf'>,
): readonly HealthCheck[] => targets.flatMap((watched) => checksOf(watched, inspections));

function checksOf(watched: WatchedTarget, inspections: Pick<Inspections, 'lastOf'>): readonly HealthCheck[] {
  switch (watched.target.kind) {
    case 'lightrag':
      return [indexingCheck(watched), queuesCheck(watched)];
    case 'graphrag':
      return watched.target.stores.some(({ kind }) => kind === 'project-folder')
        ? [indexRunCheck(watched), filesCheck('index tables', watched, inspections)]
        : [];
    case 'custom':
      return watched.target.stores.length > 0 ? [filesCheck('folders', watched, inspections)] : [];
  }
}

/** The pipeline that documents go through, and what lies in it. */
const indexingCheck = (watched: WatchedTarget): HealthCheck => ({
  name: `indexing ${watched.target.id}`,
  kind: 'application',
  about: 'watched',
  targetId: watched.target.id,
  read: () =>
    seenLately(watched, (seen) => judgeIndexing(seen, watched.stuck())) ?? {
      ...{ status: 'unknown', message: 'The pipeline was not looked at lately.', atMs: undefined },
    },
});

/** Calls of models that wait inside of the backend. */
const queuesCheck = (watched: WatchedTarget): HealthCheck => {
  const follow = followQueues();
  return {
    name: `queues ${watched.target.id}`,
    kind: 'application',
    about: 'watched',
    targetId: watched.target.id,
    read: () =>
      seenLately(watched, follow) ?? {
        ...{ status: 'unknown', message: 'The queues were not looked at lately.', atMs: undefined },
      },
  };
};

/** Undefined for a backend that does not answer or was not probed lately: its own check says so. */
function seenLately(watched: WatchedTarget, judge: (seen: Observation) => CheckResult): CheckResult | undefined {
  const seen = watched.observation();
  const { word } = watched.status();
  return seen === undefined || word === 'UNKNOWN' || word === 'OFFLINE' ? undefined : judge(seen);
}

/** The last run of the index, from the stats that GraphRAG writes. */
const indexRunCheck = (watched: WatchedTarget): HealthCheck => ({
  name: `index run ${watched.target.id}`,
  kind: 'application',
  about: 'watched',
  targetId: watched.target.id,
  read() {
    const seen = watched.observation();
    const { run } = seen ?? {};
    if (!seen || !run) return { status: 'unknown', message: 'The project was not looked at yet.', atMs: undefined };
    const { atMs } = seen;
    // Of `stats.json` and the log.
    const details = {
      ...{ kind: run.kind ?? null, documents: run.documents ?? null, steps: run.workflows.length },
      ...{ last_step: run.workflows.at(-1) ?? null, last_sign_at: isoInstantOrNull(run.lastSignMs) },
    };
    const fault = seen.faults.find(({ kind }) => kind === 'run-failed' || kind === 'run-unfinished');
    if (fault)
      return {
        status: 'degraded',
        message: fault.message,
        atMs,
        details: { ...details, failed_step: run.failedAt ?? null },
      };
    if (run.state === 'none') return { status: 'unknown', message: 'Nothing was ever indexed.', atMs };
    const step = run.workflows.at(-1);
    if (run.state === 'running')
      return {
        status: 'healthy',
        message: `A run is under way${step ? `; its last step was ${step}` : ''}.`,
        atMs,
        details,
      };
    return {
      status: 'healthy',
      message: 'The last run ended well.',
      ...{ atMs, details },
      ...(run.runtimeMs === undefined
        ? {}
        : { observedValue: Math.round(run.runtimeMs / 1_000), observedUnit: 'seconds' }),
    };
  },
});

/** What the last look into the files found. */
const filesCheck = (
  what: string,
  { target }: WatchedTarget,
  inspections: Pick<Inspections, 'lastOf'>,
): HealthCheck => ({
  name: `${what} ${target.id}`,
  kind: 'application',
  about: 'watched',
  neededFor: ['answer'],
  targetId: target.id,
  read(): CheckResult {
    const found = inspections.lastOf(target.id);
    if (!found) return { status: 'unknown', message: 'The files were not looked into yet.', atMs: undefined };
    const { atMs, faults, files } = found.report;
    const bad = faults.filter(({ severity }) => severity !== 'info');
    const sound = files.filter(({ state }) => state === 'ok' || state === 'empty').length;
    if (bad.length > 0)
      return {
        status: 'degraded',
        message: bad.map(({ message }) => message).join(' '),
        atMs,
        // A question asks all of the tables.
        ...(bad.some(({ severity }) => severity === 'critical') ? { blocks: ['answer'] as const } : {}),
      };
    return { status: 'healthy', message: 'All of them are there and can be read.', atMs, observedValue: sound };
  },
});
