import { stat } from 'node:fs/promises';
import type { Clock } from '../../platform/clock.ts';
import { systemCode } from '../../platform/errors.ts';
import type { TargetAdapter } from '../adapter.ts';
import { type Fault, type IndexRun, nothingObserved, type TargetFact, unreachableObservation } from '../observation.ts';
import type { GraphragService } from './graphrag-service.ts';
import { findIndexProcess } from './index-process.ts';
import { decideRun, listUpdates, readRunTraces } from './last-run.ts';
import { readProjectLayout } from './project-layout.ts';

/** What the folder of a project showed. */
type ProjectSeen = {
  readonly run: IndexRun | undefined;
  readonly isProject: boolean;
  readonly facts: readonly TargetFact[];
  readonly faults: readonly Fault[];
};

/**
 * Looks at a GraphRAG project: GraphRAG itself is a library that answers nobody, so what its folder shows is what there is, and
 * the service before it where one is named. A look reads small files only.
 */
export function createGraphragAdapter(options: {
  /** Absolute; undefined where only the service can be seen. */
  project: string | undefined;
  service: GraphragService | undefined;
  clock: Clock;
  /** An unfinished run without a sign of life for this long is over. Read at each look. */
  quietMs(): number;
  findProcess?: (project: string) => Promise<number | undefined>;
}): TargetAdapter {
  const { project, service, clock } = options;
  const findProcess = options.findProcess ?? findIndexProcess;

  const lookAtProject = async (folder: string): Promise<ProjectSeen> => {
    const hindrance = await stat(folder).then(
      (found) => (found.isDirectory() ? undefined : 'it is no folder'),
      (err: unknown) => systemCode(err) ?? 'unknown error',
    );
    if (hindrance !== undefined)
      return {
        ...{ run: undefined, isProject: false, facts: [] },
        faults: [
          { kind: 'unreachable', message: `The folder of the project, ${folder}, cannot be read (${hindrance}).` },
        ],
      };
    const layout = readProjectLayout(folder);
    const traces = await readRunTraces(layout);
    const nowMs = clock.now();
    const isDone = traces.stats?.read !== undefined && traces.stats.read.runtimeMs > 0;
    // Looking through all processes costs more than the rest, and a run that began has unfinished stats.
    const isIndexing = !isDone && (await findProcess(folder)) !== undefined;
    const run = decideRun(traces, { process: isIndexing, nowMs, quietMs: options.quietMs() });
    const updates = await listUpdates(layout);
    const fault = layout.fault === undefined ? [] : [{ kind: 'settings-unreadable' as const, message: layout.fault }];
    return {
      run,
      isProject: layout.settingsFile !== undefined || run.state !== 'none',
      facts: [...factsOf(run), { name: 'update_folders', value: updates.length, unit: 'folders' }],
      faults: [...fault, ...faultsOf(run, nowMs)],
    };
  };

  return {
    async probe(signal) {
      const atMs = clock.now();
      const [seen, heard] = await Promise.all([
        project === undefined ? undefined : lookAtProject(project),
        service?.look(signal),
      ]);
      const faults = [...(heard?.faults ?? []), ...(seen?.faults ?? [])];
      const hidden = faults.find(({ kind }) => kind === 'unreachable' || kind === 'timeout');
      // One of the two that cannot be reached is enough: a service without its project, or a project nobody serves.
      if (hidden)
        return {
          ...unreachableObservation(atMs, hidden),
          ...(seen?.run ? { run: seen.run } : {}),
          facts: seen?.facts ?? [],
        };
      const run = seen?.run;
      const busy =
        heard?.runningJobs === undefined
          ? run && run.state === 'running'
          : heard.runningJobs > 0 || run?.state === 'running';
      const step = run?.workflows.at(-1);
      return {
        ...nothingObserved(atMs),
        reachable: true,
        latencyMs: heard?.latencyMs,
        kind: heard?.speaks === false || seen?.isProject === false ? 'unknown' : 'graphrag',
        apiVersion: heard?.version,
        pipelineBusy: busy,
        pipeline:
          busy === undefined
            ? undefined
            : {
                busy,
                jobName: run?.state === 'running' ? `graphrag ${run.kind ?? 'index'}` : busy ? 'indexing' : '',
                latestMessage: step === undefined ? '' : `last finished step: ${step}`,
                unflushed: undefined,
                recoveryRequired: false,
              },
        run,
        facts: [...(seen?.facts ?? []), ...(heard?.facts ?? [])],
        faults,
      };
    },
    async answers(signal) {
      if (await service?.answers(signal)) return true;
      return project !== undefined && (await findProcess(project)) !== undefined;
    },
  };
}

function factsOf(run: IndexRun): TargetFact[] {
  const facts: TargetFact[] = [{ name: 'last_run', value: run.state }];
  if (run.kind !== undefined) facts.push({ name: 'last_run_kind', value: run.kind });
  if (run.lastSignMs !== undefined)
    facts.push({ name: 'last_run_sign', value: new Date(run.lastSignMs).toISOString(), unit: 'time' });
  if (run.runtimeMs !== undefined)
    facts.push({ name: 'last_run_duration', value: Math.round(run.runtimeMs / 100) / 10, unit: 'seconds' });
  if (run.documents !== undefined) facts.push({ name: 'last_run_documents', value: run.documents, unit: 'documents' });
  if (run.failedAt !== undefined) facts.push({ name: 'last_run_failed_at', value: run.failedAt });
  return facts;
}

/** What became of the last run, where it is no good news. */
function faultsOf(run: IndexRun, nowMs: number): Fault[] {
  const mixed =
    'The tables may be of two runs. Run it again: answers of the model are in the cache, so what was done costs nothing.';
  if (run.state === 'failed')
    return [
      {
        kind: 'run-failed',
        message: `The last ${run.kind ?? 'index'} run failed at ${run.failedAt}; the log of the project says why. ${mixed}`,
      },
    ];
  if (run.state !== 'unfinished') return [];
  const hours = run.lastSignMs === undefined ? '' : ` for ${Math.round((nowMs - run.lastSignMs) / 60_000)} min`;
  const step = run.workflows.at(-1);
  return [
    {
      kind: 'run-unfinished',
      message: `The last ${run.kind ?? 'index'} run did not end${step === undefined ? '' : ` (its last step was ${step})`}, and nothing of it has moved${hours}. ${mixed}`,
    },
  ];
}
