import { readFile } from 'node:fs/promises';
import type { Backup } from '../backup/index.ts';
import type { ModelProviderHalf } from '../config/index.ts';
import type { MetricHistory } from '../metrics/index.ts';
import type { Settlers } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError, systemCode } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import {
  type BackendLifecycle,
  type Canary,
  type Inspections,
  parseEnvFile,
  type WatchedTarget,
} from '../targets/index.ts';
import {
  type ApplyTarget,
  type ApplyTargetRest,
  applyRoutes,
  createApply,
  createChangeWatch,
  createDriftWatch,
  createProviderSwitch,
  createTuning,
  graphragTarget,
  type IndexFacts,
  keysOf,
  lightragConfigRoutes,
  lookAtProvider,
  nameOfRunning,
  type PastWork,
  providerRoutes,
  type RunningBackend,
  readFigures,
  readPastWork,
  readProjectSettings,
  type SwitchTarget,
  type Tuning,
  tuningRoutes,
} from '../tuning/index.ts';
import type { Ground } from './ground.ts';
import { settingsFileOf } from './settings-file-of.ts';

export type TuningWiring = {
  readonly tuning: Tuning;
  readonly tuningRoutes: RoutePlugin;
  running(): Promise<RunningBackend[]>;
  /** Told after each change that was made here. */
  onChanged(listener: () => void): void;
  /** What a killed process left half-done, by kind of operation. */
  readonly tuningSettlers: Settlers;
  /** Looks at drift, and at how it goes after a change. */
  readonly tuningJob: Reconciler;
};

/** The backend's parameters: what they are for whom, how they came to be so, what the backend runs with, and telling it. */
export function createTuningWiring(
  { config, db, events, clock, live, operations, registry, http, logOf }: Ground,
  seen: {
    readonly targets: readonly WatchedTarget[];
    readonly inspections: Pick<Inspections, 'lastOf'>;
    readonly watch: { readonly watched: WatchedTarget; readonly backend: BackendLifecycle } | undefined;
  },
  backup: Pick<Backup, 'take'>,
  later: {
    history(): Pick<MetricHistory, 'query'>;
    readonly canaries: readonly Canary[];
    /** Of the vectors of the first target, where they lie in a database. */
    databaseDimension(): number | undefined;
  },
): TuningWiring {
  const past = rememberPast({
    ...{ clock, history: () => later.history(), targets: seen.targets, log: logOf('tuning') },
  });
  const factsOf = (one: WatchedTarget): IndexFacts => ({
    ...indexFacts(one, seen.inspections, one === seen.targets[0] ? later.databaseDimension() : undefined),
    past: past.of(one.target.id),
    parallel: parallelOf(one),
  });
  const listeners: (() => void)[] = [];
  const tuning = createTuning({
    ...{ db, events, clock },
    firstValues: () => live.config().tuning.first,
    indexes: () => seen.targets.map(factsOf),
    lookBack: past.refresh,
    changed() {
      for (const listener of listeners) listener();
    },
  });
  const running = async (): Promise<RunningBackend[]> => {
    const environment = await readEnvironment(config.tuning.environmentFile);
    return Promise.all(
      seen.targets.map(async (one): Promise<RunningBackend> => {
        const { kind, id } = one.target;
        const { configuration, coreVersion: version } = one.observation() ?? {};
        const settings = kind === 'graphrag' ? await readProjectSettings(settingsFileOf(one)) : undefined;
        return {
          graphId: id,
          kind: kind === 'custom' ? undefined : kind,
          running: { configuration, environment, settings, version, index: factsOf(one) },
        };
      }),
    );
  };
  const changes = createChangeWatch({
    ...{ db, events, clock, tuning, operations },
    figures: (targetId, fromMs, toMs) => readFigures(later.history(), targetId, fromMs, toMs),
    askCanary: (targetId) => askCanaries(later.canaries.filter(({ place }) => place.targetId === targetId)),
    policy: () => live.config().tuning.watch,
    apply(targetId, only) {
      const target = targets.find(({ id }) => id === targetId);
      if (!target) throw new AppError('target/unknown', `There is no target "${targetId}" any more.`);
      return apply.begin(target, { requestedBy: 'ragwarden', confirm: false, watched: false, only });
    },
  });
  const apply = createApply({ tuning, operations, db, events, watch: changes });
  const drift = createDriftWatch({ db, events, clock, registry, tuning, running });
  const { watch } = seen;
  const targets: readonly SwitchTarget[] = watch
    ? [
        applied(watch, config.tuning.environmentFile, {
          index: () => factsOf(watch.watched),
          lookBack: past.refresh,
          probe: () => watch.watched.probe(),
          async currentProvider() {
            const told = watch.watched.observation()?.configuration;
            const written = await readEnvironment(config.tuning.environmentFile);
            const of = (name: string): string | undefined => {
              const value = told?.[name.toLowerCase()];
              return typeof value === 'string' ? value : written?.get(name);
            };
            return nameOfRunning(config.tuning.providers, { binding: of('LLM_BINDING'), model: of('LLM_MODEL') });
          },
          async takePoint(requestedBy, signal) {
            const begun = await backup.take({ targetId: watch.watched.target.id, requestedBy, cause: 'safety' });
            const ended = await operations.wait(begun.id, { signal });
            signal.throwIfAborted();
            if (ended.state === 'succeeded') return;
            throw new AppError(
              'backup/capture-failed',
              `No recovery point was taken before the change, so nothing was changed: ${ended.error?.detail ?? ended.state}`,
            );
          },
        }),
      ]
    : [];
  const switching = createProviderSwitch({
    ...{ tuning, apply, operations, db, events, watch: changes },
    providers: () => config.tuning.providers,
    look: (provider, dimension, signal) =>
      lookAtProvider({ http, clock, readKey: readModelKey }, provider, dimension, signal),
    keys: (provider) => keysOf(provider, readModelKey),
  });
  return {
    tuning,
    running,
    onChanged: (listener) => listeners.push(listener),
    async tuningRoutes(app) {
      await app.register(lightragConfigRoutes({ tuning }));
      await app.register(tuningRoutes({ tuning, running, watches: changes.of }));
      await app.register(applyRoutes({ apply, operations, targets }));
      const providers = () => config.tuning.providers;
      await app.register(providerRoutes({ providers, switching, operations, targets: targets.filter(hasEnvironment) }));
    },
    tuningSettlers: {
      'tuning.apply': (operation) => apply.settle(operation),
      'tuning.provider-switch': (operation) => switching.settle(operation),
    },
    tuningJob: createReconciler({
      name: 'tuning',
      intervalMs: config.tuning.checkIntervalMs,
      // What is compared has to be looked at first.
      runAtStart: false,
      clock,
      log: logOf('tuning'),
      async run() {
        // What cannot be compared does not keep a change from being judged.
        try {
          await drift.look();
        } finally {
          await changes.step();
        }
      },
    }),
  };
}

/** LightRAG reads its environment file at its start, GraphRAG its settings at its next run. */
function applied<Rest extends ApplyTargetRest>(
  { watched, backend }: { readonly watched: WatchedTarget; readonly backend: BackendLifecycle },
  environmentFile: string | undefined,
  rest: Rest,
): ApplyTarget & Rest {
  const { id, kind } = watched.target;
  if (kind !== 'graphrag') return { id, environmentFile, lifecycle: backend, ...rest };
  const settingsFile = (): string | undefined => settingsFileOf(watched);
  return graphragTarget({ id, settingsFile, observation: watched.observation, rest });
}

/** Whose models are named in settings.yaml asks them in another way. */
const hasEnvironment = ({ format }: ApplyTarget): boolean => format === undefined;
/** What reading took in the last month: asked for when a change is weighed, and then good for a while. */
function rememberPast(options: {
  readonly clock: Clock;
  history(): Pick<MetricHistory, 'query'>;
  readonly targets: readonly WatchedTarget[];
  readonly log: Logger;
}) {
  const goodForMs = 60_000;
  const known = new Map<string, PastWork>();
  let readMs = Number.NEGATIVE_INFINITY;
  return {
    of: (targetId: string) => known.get(targetId),
    async refresh(): Promise<void> {
      const nowMs = options.clock.now();
      if (nowMs - readMs < goodForMs) return;
      readMs = nowMs;
      for (const { target } of options.targets)
        try {
          known.set(target.id, await readPastWork(options.history(), target.id, nowMs));
        } catch (err) {
          // A change waits for no figure: it is told as unknown.
          options.log.warn({ err, target: target.id }, 'what reading documents took before could not be looked up');
          known.delete(target.id);
        }
    },
  };
}

/** As the backend tells, else as LightRAG does by itself. */
function parallelOf({ observation }: WatchedTarget): { chat: number; embeddings: number } {
  const told = observation()?.configuration;
  const of = (name: string, usual: number): number => (typeof told?.[name] === 'number' ? told[name] : usual);
  return { chat: of('max_async', 4), embeddings: of('embedding_func_max_async', 8) };
}

/** From what was inspected last; without an inspection only what the backend tells. */
function indexFacts(
  { target, observation }: WatchedTarget,
  inspections: Pick<Inspections, 'lastOf'>,
  elsewhere: number | undefined,
): IndexFacts {
  const inspected = inspections.lastOf(target.id);
  const told = observation();
  if (inspected?.kind === 'graphrag') {
    const { counts, isFresh } = inspected.report;
    const { documents, text_units: chunks, entities, relationships: relations } = counts;
    const figures = { documents: isFresh ? 0 : documents, chunks, entities, relations };
    return { graphId: target.id, ...figures, dimension: undefined, embeddingModel: undefined };
  }
  const report = inspected?.kind === 'lightrag' ? inspected.report : undefined;
  const counts = report?.audit.counts;
  const dimensions = new Set(report?.dimension.files.filter(({ rows }) => rows > 0).map(({ dimension }) => dimension));
  return {
    graphId: target.id,
    documents: counts?.doc_status ?? sumOf(told?.documents),
    chunks: counts?.text_chunks,
    entities: counts?.vdb_entities,
    relations: counts?.vdb_relationships,
    dimension: dimensions.size === 1 ? [...dimensions][0] : dimensions.size === 0 ? elsewhere : undefined,
    embeddingModel: told?.embeddingModel,
  };
}

/** @throws AppError `conflict/state` for a file that cannot be read, or holds nothing */
async function readModelKey(key: NonNullable<ModelProviderHalf['key']>): Promise<string> {
  if ('value' in key) return key.value;
  try {
    const found = (await readFile(key.file, 'utf8')).trim();
    if (found !== '') return found;
  } catch (err) {
    if (systemCode(err) === undefined) throw err;
  }
  throw new AppError('conflict/state', `The key of the provider cannot be read from ${key.file}.`);
}

/** Null: there is none, or one that could not be asked. */
async function askCanaries(canaries: readonly Canary[]): Promise<boolean | null> {
  const asked = await Promise.all(
    canaries.map((one) =>
      one.check().then(
        ({ verdict }) => verdict === 'passed',
        () => null,
      ),
    ),
  );
  return asked.length === 0 || asked.includes(null) ? null : asked.every((passed) => passed === true);
}

const sumOf = (counts: Readonly<Record<string, number>> | undefined): number | undefined =>
  counts && Object.values(counts).reduce((sum, one) => sum + one, 0);

/** A file that is not there or cannot be read says nothing. */
async function readEnvironment(path: string | undefined): Promise<ReadonlyMap<string, string> | undefined> {
  if (path === undefined) return undefined;
  try {
    return parseEnvFile(await readFile(path, 'utf8')).values();
  } catch (err) {
    if (systemCode(err) === undefined) throw err;
    return undefined;
  }
}
