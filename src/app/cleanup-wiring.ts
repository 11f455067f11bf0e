import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ActionRunners } from '../alerts/index.ts';
import {
  type Backup,
  connectPostgres,
  findLostRows,
  openRedis,
  type PointStore,
  readRedisUrl,
} from '../backup/index.ts';
import {
  type AnyStrategy,
  boundedCleanupHistory,
  boundedQuarantine,
  type Cleanup,
  type CleanupFolder,
  type CleanupRedis,
  type CleanupScheduler,
  type CleanupTask,
  cleanupRoutes,
  createCleanup,
  createCleanupMetrics,
  createCleanupScheduler,
  createCleanupStore,
  createDatabaseSessions,
  createExpiredQuarantine,
  createGraphragUpdates,
  createLlmCache,
  createOldDataCleanup,
  createOldLogs,
  createOrphanRows,
  createQuarantine,
  createRecordQuarantine,
  createRedisKeys,
  createRedisQuarantine,
  createRegisteredResources,
  createRepositoryCleanup,
  createResourceQuarantine,
  createRowQuarantine,
  createTaskStore,
  createTemporaryFiles,
  createWorkspaceCleanup,
  createWorkspaceStats,
  type FileOrphans,
  type FindFreeing,
  fileQuarantine,
  type OrphanDatabase,
  taskFrom,
  taskSchema,
  workspaceRoutes,
} from '../cleanup/index.ts';
import { createOldEvents } from '../events/index.ts';
import type { Health } from '../health/index.ts';
import { createOldSamples, type Metrics } from '../metrics/index.ts';
import type { Operation } from '../operations/index.ts';
import type { Bounded } from '../platform/bounded.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import { createReconciler } from '../platform/reconciler.ts';
import type { ResourceRegistry } from '../resources/index.ts';
import { cleanableTarget } from './cleanable-target.ts';
import { createContainedInPoint } from './contained-in-point.ts';
import type { Ground } from './ground.ts';
import { connectionOf } from './postgres-store.ts';
import type { Watching } from './watching.ts';

export type CleanupWiring = {
  readonly cleanup: Cleanup;
  readonly cleanupScheduler: CleanupScheduler;
  readonly cleanupRoutes: RoutePlugin;
  readonly workspaceCleanupRoutes: RoutePlugin;
  /** To be begun when everything that is cleaned up runs. */
  readonly cleanupParts: readonly Part[];
  readonly cleanupGrowth: { readonly 'cleanup-history': Bounded; readonly quarantine: Bounded };
  /** What alerts may have done. */
  readonly cleanupRunners: ActionRunners;
  /** Before anything is served. */
  openCleanup(): Promise<void>;
};

/** What is cleaned up, by which ways, and when. Nothing of it runs yet. */
export function createCleanupWiring(
  ground: Ground,
  watching: Watching,
  deps: {
    readonly points: PointStore;
    readonly backup: Backup;
    // Made later than half-done cleanups are settled.
    resources(): ResourceRegistry;
    history(): Metrics['history'];
    health(): Health;
    fileOrphans: FileOrphans;
    findFreeing: FindFreeing;
    step(name: string): void | Promise<void>;
  },
): CleanupWiring {
  const { config, live, clock, random, db, metricsDb, events, eventLog, operations, registry, logOf } = ground;
  const { targets, watch, targetConfig, sampler } = watching;
  const resources = laterResources(deps.resources);
  const log = logOf('cleanup');
  const settings = () => live.config().cleanup;
  const store = createCleanupStore(db);
  const endpointWorkspaces = (config.target?.endpoints ?? []).map(({ workspace }) => workspace);
  const cleanable = watch ? [cleanableTarget(watch, { operations, clock, endpointWorkspaces })] : [];
  const contained = createContainedInPoint({
    points: deps.points,
    targets,
    stagingDir: join(config.dataDir, 'staging'),
    clock,
  });
  const folders = (): readonly CleanupFolder[] => [
    ...cleanable.flatMap((target): CleanupFolder[] => {
      if (target.workspaceRoot === undefined) return [];
      const common = { path: target.workspaceRoot, patterns: [], holdsData: true };
      return [
        {
          ...{ ...common, id: `${target.id}-files`, use: 'temporary' },
          graceMs: settings().graceMs,
          backend: () => target.backend(),
        },
        { ...common, id: `${target.id}-logs`, use: 'logs', graceMs: 3_600_000 },
      ];
    }),
    ...settings().folders.map((one) => ({ ...one, holdsData: one.use === 'graphrag' })),
  ];
  const database = createDatabaseAccess(ground, targetConfig?.id, targetConfig?.workspace);
  const redis = createRedisAccess(ground, targetConfig?.id);
  const folder = join(config.dataDir, 'quarantine');
  const quarantine = createQuarantine({
    ...{ folder, store, db, clock, log, step: deps.step },
    kinds: [
      fileQuarantine,
      createRecordQuarantine(() => cleanable),
      createRowQuarantine(() => database),
      createRedisQuarantine(() => redis),
      createResourceQuarantine(resources),
    ],
  });
  const stats = createWorkspaceStats({ store, db, clock });
  const workspaces = createWorkspaceCleanup({
    ...{ targets: () => cleanable, limits: () => settings().workspaces, contained, clock },
    onCleaned: (causes, errors) => stats.add(causes, errors),
  });
  const ofFolders = { folders, contained, clock };
  const strategies: AnyStrategy[] = [
    createTemporaryFiles(ofFolders),
    createOldLogs(ofFolders),
    createGraphragUpdates(ofFolders),
    createLlmCache({ targets: () => cleanable, database: () => database, contained }),
    createOrphanRows({
      ...{ targets: () => cleanable, files: deps.fileOrphans, contained },
      database: () => (config.target?.kind === 'lightrag' ? database : undefined),
    }),
    workspaces,
    createRegisteredResources({ ...ofFolders, resources, findFreeing: deps.findFreeing }),
    createDatabaseSessions({ database: () => database, clock }),
    createRedisKeys({ redis: () => redis, contained }),
    createOldDataCleanup({
      ...{ name: 'metrics', unit: 'blocks of samples', data: createOldSamples(metricsDb), clock },
      about: 'Samples of our own in full resolution; their coarser tiers stay.',
    }),
    createOldDataCleanup({
      ...{ name: 'events', unit: 'events', data: createOldEvents(db), clock },
      about: 'Events of our own log; the audit trail is never touched.',
    }),
    createRepositoryCleanup(
      repositoryUpkeep(
        ground,
        deps.backup,
        targets.map(({ target }) => target.id),
      ),
    ),
    createExpiredQuarantine({ store, quarantine }),
  ];
  const metrics = createCleanupMetrics(registry, store);
  const cleanup = createCleanup({
    ...{
      strategies,
      store,
      quarantine,
      quarantineFolder: folder,
      operations,
      db,
      events,
      clock,
      random,
      log,
      settings,
    },
    findPressure() {
      const percent = sampler.latest()?.cpu.percent;
      const most = live.config().monitoring.thresholds.critical.cpuPercent;
      return percent !== undefined && percent !== null && percent >= most
        ? `the machine is busy (CPU ${Math.round(percent)} %)`
        : undefined;
    },
    targets: () => cleanable,
    onRun: (run) => metrics.note(run),
  });
  const scheduler = createCleanupScheduler({
    ...{ cleanup, tasks: createTaskStore(db), db, events, clock, log },
    checkIntervalMs: settings().checkIntervalMs,
    async readMetric({ metric: name, match, aggregation, windowMs }) {
      const toMs = clock.now();
      const { series } = await deps.history().query({
        ...{ name, match, aggregation, groupBy: [], fromMs: toMs - windowMs, toMs, limit: 1 },
      });
      return series[0]?.values[0] ?? null;
    },
    readHealth(check) {
      const report = deps.health().report();
      return check === null ? report.status : report.checks.find(({ name }) => name === check)?.result.status;
    },
    async *followEvents(signal) {
      yield* eventLog.follow({ afterSeq: await eventLog.lastSeq(), signal });
    },
  });

  const sweep = createReconciler({
    name: 'resource sweep',
    intervalMs: live.config().resources.cleanupIntervalMs,
    runAtStart: false,
    ...{ clock, log },
    async run() {
      // What leaks and cannot be freed from here is no reason for an operation every few minutes.
      if (deps.resources().totals().leaks === 0 || (await cleanup.countItems('resources', {})) === 0) return;
      await runQuietly(() =>
        cleanup.run({ strategy: 'resources', params: {} }, { requestedBy: 'ragwarden', cause: 'scheduled' }),
      );
    },
  });
  const workspaceJob = createReconciler({
    name: 'workspace cleanup',
    intervalMs: settings().workspaces.intervalMs,
    runAtStart: false,
    ...{ clock, log },
    async run() {
      if (!settings().workspaces.enabled || (await cleanup.countItems('workspaces', {})) === 0) return;
      await runQuietly(() =>
        cleanup.run({ strategy: 'workspaces', params: {} }, { requestedBy: 'ragwarden', cause: 'scheduled' }),
      );
    },
  });
  live.onChange((now) => {
    sweep.setIntervalMs(now.resources.cleanupIntervalMs);
    workspaceJob.setIntervalMs(now.cleanup.workspaces.intervalMs);
    scheduler.setIntervalMs(now.cleanup.checkIntervalMs);
  });
  const { enabled } = config.cleanup;
  return {
    cleanup,
    cleanupScheduler: scheduler,
    cleanupRoutes: cleanupRoutes({ cleanup, scheduler, store, operations, enabled }),
    workspaceCleanupRoutes: workspaceRoutes({
      ...{ cleanup, operations, enabled, settings: () => settings().workspaces, stats: () => stats.read() },
      requireIdle: (workspace) => workspaces.requireIdle(workspace),
      isRunning: () => enabled && settings().workspaces.enabled,
    }),
    cleanupParts: enabled ? [scheduler, sweep, workspaceJob] : [],
    cleanupGrowth: { 'cleanup-history': boundedCleanupHistory(db), quarantine: boundedQuarantine(db, quarantine) },
    cleanupRunners: {
      'run-cleanup-task': {
        async describe({ taskId }) {
          const { task } = await scheduler.require(taskId);
          const { strategy, params } = task;
          return `the cleanup task ${taskId} is run, which would take ${await cleanup.countItems(strategy, params)} now.`;
        },
        async run({ taskId }) {
          const operation = await scheduler.runTask(taskId, { startedBy: 'alerts', cause: 'alert' });
          return { detail: `The cleanup task ${taskId} runs.`, operationId: operation.id };
        },
      },
    },
    async openCleanup() {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      await scheduler.open(tasksOf(ground), { metricDays: config.metrics.history.retention.values / 86_400_000 });
    },
  };
}

type SomeResources = Parameters<typeof createRegisteredResources>[0]['resources'];

const laterResources = (registry: () => ResourceRegistry): SomeResources => ({
  list: (filter) => registry().list(filter),
  leaks: (severity) => registry().leaks(severity),
  require: (id) => registry().require(id),
  release: (id, failure) => registry().release(id, failure),
  unregister: (id) => registry().unregister(id),
  register: (given, by) => registry().register(given, by),
  nowMs: () => registry().nowMs(),
});

/** Of the settings file. @throws AppError `config/invalid` naming the task */
function tasksOf({ config }: Ground): CleanupTask[] {
  return config.cleanup.tasks.map((written) => {
    const place = `cleanup.tasks ${written.task_id}`;
    const parsed = taskSchema.safeParse(written);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new AppError('config/invalid', `${place}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}.`);
    }
    try {
      return taskFrom(parsed.data, 'file');
    } catch (err) {
      throw new AppError('config/invalid', `${place}: ${err instanceof AppError ? err.detail : 'cannot be read'}`, {
        cause: err,
      });
    }
  });
}

/** Begun by ourselves: that the same is under way is as good. */
async function runQuietly(run: () => Promise<Operation>): Promise<void> {
  try {
    await run();
  } catch (err) {
    if (!(err instanceof AppError && err.code === 'operation/busy')) throw err;
  }
}

function createDatabaseAccess(
  { config }: Ground,
  targetId: string | undefined,
  served: string | undefined,
): (OrphanDatabase & { workspaceOf(name: string): string }) | undefined {
  const { postgres } = config.targetDatabases;
  if (config.target === undefined || postgres === undefined || targetId === undefined) return undefined;
  return {
    targetId,
    lostRows: (session) => findLostRows(session, postgres.workspace ?? served ?? ''),
    workspaceOf: (name) => (name === served ? (postgres.workspace ?? name) : name) || 'default',
    async open(signal) {
      signal.throwIfAborted();
      const session = await connectPostgres(connectionOf(postgres), { failsAs: 'target/inspection-failed' });
      return { rows: (sql, parameters) => session.rows(sql, parameters), close: () => session.close() };
    },
  };
}

function createRedisAccess({ config }: Ground, targetId: string | undefined): CleanupRedis | undefined {
  const { redis } = config.targetDatabases;
  if (config.target === undefined || redis === undefined || targetId === undefined) return undefined;
  return {
    targetId,
    open: (signal) =>
      openRedis(
        readRedisUrl(redis.url),
        signal,
        (cause, err) =>
          new AppError('target/unreachable', `The Redis of ${targetId} does not let us in: ${cause}.`, { cause: err }),
      ),
  };
}

function repositoryUpkeep({ config, operations }: Ground, backup: Backup, targetIds: readonly string[]) {
  const finish = async (operation: Operation, signal: AbortSignal): Promise<void> => {
    const ended = await operations.wait(operation.id, { signal });
    if (ended.state === 'failed' || ended.state === 'interrupted')
      throw new AppError('repository/failed', ended.error?.detail ?? `${ended.kind} failed.`);
  };
  return {
    targetIds,
    missing: () => (config.backup.enabled ? undefined : 'Backups are switched off by BACKUP_ENABLED (backup.enabled).'),
    planForget: async (targetId: string) =>
      (await backup.planRetention(targetId))
        .filter(({ action }) => action === 'forget')
        .map((item) => ({ id: item.point.id, reason: item.reason, bytes: null })),
    async forget(targetId: string, requestedBy: string, signal: AbortSignal) {
      await finish(await backup.upkeep.forget({ targetId, requestedBy }), signal);
    },
    async prune(requestedBy: string, signal: AbortSignal) {
      await finish(await backup.upkeep.prune({ requestedBy }), signal);
    },
  };
}
