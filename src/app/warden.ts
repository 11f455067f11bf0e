import { join } from 'node:path';
import {
  type Access,
  accessRoutes,
  createAccess,
  createAccessExpiry,
  createAccessTrail,
  createTokenUseJob,
} from '../access/index.ts';
import {
  type Backup,
  type BackupSchedule,
  backupRoutes,
  createBackup,
  createBackupSchedule,
  createPointStore,
  createResticRepository,
  ensurePasswordFile,
  type Inspection,
  parseRepositoryLocation,
} from '../backup/index.ts';
import { type ConfigReading, createLiveConfig, requireConfig } from '../config/index.ts';
import {
  createEventLog,
  createEventRetention,
  type EventLog,
  type EventRecorder,
  eventRoutes,
} from '../events/index.ts';
import { createHealth, type Health, healthRoutes } from '../health/index.ts';
import { createHostSampler, decideHostHealth, hostRoutes, registerHostMetrics } from '../host/index.ts';
import {
  createDocumentMetrics,
  createMetricHistory,
  createMetricRegistry,
  createMetricsHandler,
  createProcessMetrics,
  setBuildInfo,
  statusClass,
} from '../metrics/index.ts';
import { createOperationRetention, createOperations, type Operations, operationRoutes } from '../operations/index.ts';
import { createChildProcesses } from '../platform/child-processes/index.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { lockDataFolder } from '../platform/data-folder.ts';
import { AppError } from '../platform/errors.ts';
import { createHttpServer, type HttpServer } from '../platform/http/index.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { type RandomSource, systemRandom } from '../platform/ids.ts';
import { createJobs, type Jobs } from '../platform/jobs.ts';
import { createLifecycle, type Part } from '../platform/lifecycle.ts';
import type { Logger, LogLevels } from '../platform/logging.ts';
import { productVersion } from '../platform/product-version.ts';
import {
  createHeartbeat,
  createSettingsControl,
  growthRoutes,
  jobsRoutes,
  readRuntimeSettings,
  type SettingsControl,
  settingsRoutes,
} from '../system/index.ts';
import {
  createFolderSizes,
  createInspections,
  createInspector,
  isIdle,
  storesElsewhere,
  targetsRoutes,
  type WatchedTarget,
} from '../targets/index.ts';
import { dashboardRoutes, findDashboard } from './dashboard-files.ts';
import { followSettings, haveOtherLevels, levelsOf } from './follow-settings.ts';
import {
  backupCheck,
  heartbeatCheck,
  hostCheck,
  jobsCheck,
  nothingWatched,
  ownDiskCheck,
  targetCheck,
} from './health-checks.ts';
import { recordOomKills } from './host-events.ts';
import { createListeners, type Listening } from './listeners.ts';
import { openSamples, openState } from './open-state.ts';
import { openapiRoute } from './openapi-route.ts';
import { createOwnGrowth, createOwnLowDisk } from './own-growth.ts';
import { inspectionOf, protectTarget } from './protected-target.ts';
import { rememberCallers } from './remembered-callers.ts';
import { prepareSample, type SampleSize } from './sample.ts';
import { createStateWatch } from './state-watch.ts';
import { registerTargetMetrics } from './target-metrics.ts';
import { targetTimings } from './target-timings.ts';
import { watchTarget } from './watch-target.ts';

export type WardenOptions = {
  /** What the settings say, as `readConfig` found it. */
  readonly reading: ConfigReading;
  readonly log: Logger;
  /** Told when the levels of the log change while it runs. */
  readonly setLogLevels?: (levels: LogLevels) => void;
  /**
   * `up` brings the sample backend when no target is configured; `serve` then watches nothing, except in the development
   * profile, where the sample stands for the service that is not there.
   */
  readonly command: 'serve' | 'up';
  /** The admin token that this start made. Shown or written down here, or lost: only its hash is kept. */
  readonly onAdminToken?: (token: string) => Promise<void>;
  /** Of the sample workspace that is generated at the first `up`. */
  readonly sampleSize?: SampleSize;
  readonly clock?: Clock;
  readonly random?: RandomSource;
  /** Called at named boundaries of backup and restore, so that tests can end the process at each of them. */
  readonly step?: (name: string) => void | Promise<void>;
};

export type Warden = {
  /** Brings everything up. What had begun is stopped again when something fails. */
  start(): Promise<StartedWarden>;
  stop(reason: string): Promise<void>;
};

export type StartedWarden = Listening & {
  readonly sample: boolean;
  readonly targetIds: readonly string[];
  readonly server: HttpServer;
  readonly access: Access;
  readonly events: EventLog;
  readonly operations: Operations;
  readonly backup: Backup;
  readonly schedule: BackupSchedule;
  readonly health: Health;
  readonly targets: readonly WatchedTarget[];
  readonly settings: SettingsControl;
  /** Background work, as it stands. */
  readonly jobs: Jobs;
};

/**
 * The composition root: builds every slice, hands each what it needs, starts them in order. Building does nothing yet.
 * @throws AppError `config/invalid` when the settings are not right
 */
export function createWarden(options: WardenOptions): Warden {
  const { reading, log } = options;
  // Follows the runtime settings: what is read from it later is what is in force then.
  let config = requireConfig(reading);
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const lifecycle = createLifecycle(log);

  const start = async (): Promise<StartedWarden> => {
    const startedMs = clock.now();
    const lock = lockDataFolder(config.dataDir, options.command, startedMs);
    lifecycle.add({ name: 'data folder', stop: () => lock.release() });
    const children = createChildProcesses({ log, clock, recordDir: join(config.dataDir, 'children') });
    lifecycle.add({ name: 'child processes', stop: () => children.stop() });
    // Begun at once, so that a failure below releases what stands already.
    await lifecycle.start();
    try {
      return await build(startedMs, children);
    } catch (err) {
      await lifecycle.stop('the start failed');
      throw err;
    }
  };

  const build = async (
    startedMs: number,
    children: ReturnType<typeof createChildProcesses>,
  ): Promise<StartedWarden> => {
    const survivors = await children.endSurvivors();
    if (survivors.length > 0) log.warn({ count: survivors.length }, 'child processes of an earlier life were ended');

    const jobs = createJobs();
    /** Starts a part and keeps an eye on what it does in the background. */
    const begin = async (part: Part): Promise<void> => {
      jobs.add(part);
      await lifecycle.begin(part);
    };

    const { instance } = config.state;
    const db = await openState({ config, lifecycle, clock, log });
    const metricsDb = await openSamples({ config, lifecycle, clock, log });

    const live = createLiveConfig(reading, await readRuntimeSettings(db));
    live.onChange((now) => {
      config = now;
    });
    config = live.config();
    for (const { place, message, mend } of live.state().inForce.notices)
      log.warn({ place }, `${place}: ${message}. ${mend}`);
    const setLogLevels = options.setLogLevels ?? (() => undefined);
    // Whoever started the process may have chosen a quieter log; only what was set over the API overrules that.
    if (haveOtherLevels(config, reading.config)) setLogLevels(levelsOf(config));
    const logOf = (slice: string): Logger => log.child({ slice });

    const probing = config.monitoring.enabled && config.healthCheckEnabled;
    const eventLog = createEventLog({ db, clock, instance });
    // Switched off, the log stays as it is; the audit trail goes on whatever is switched off.
    const events: EventRecorder = config.events.enabled
      ? eventLog
      : { audit: (tx, entry) => eventLog.audit(tx, entry), record: async () => 0 };
    const operations = createOperations({ db, clock, log: logOf('operations'), events, instance });
    const http = createHttpClient();
    await lifecycle.begin({ name: 'outgoing http', stop: () => http.close() });

    const access = createAccess({
      db,
      clock,
      log: logOf('access'),
      events,
      dataDir: config.dataDir,
      adminToken: config.server.adminToken,
      jwt: config.access.jwt,
      adminUserIds: config.access.adminUserIds,
      http,
      random,
    });

    const callers = rememberCallers(access, clock);
    // A file is there or it is not; a server comes and goes.
    const stateWatch =
      config.state.place.kind === 'postgres'
        ? createStateWatch({ db, events, lastSeq: eventLog.lastSeq, clock, log: logOf('platform') })
        : undefined;

    // Metrics of ourselves, then what is watched.
    const registry = createMetricRegistry({ clock, log: logOf('metrics') });
    const documentMetrics = createDocumentMetrics(registry);
    setBuildInfo(registry, productVersion());
    await begin(createProcessMetrics(registry));

    const sample =
      config.target === undefined && (options.command === 'up' || config.profile === 'development')
        ? await prepareSample({
            dataDir: config.dataDir,
            size: options.sampleSize ?? 'small',
            timings: targetTimings(live, true),
            children,
            log: logOf('targets'),
          })
        : undefined;
    const targetConfig = config.target ?? sample?.config;
    const inspector = createInspector({ log: logOf('targets'), clock });
    await lifecycle.begin(inspector);
    const watch =
      targetConfig &&
      watchTarget({
        from: targetConfig,
        timings: () => targetTimings(live, sample !== undefined),
        sample,
        children,
        http,
        db,
        events,
        metrics: documentMetrics,
        clock,
        log: logOf('targets'),
      });
    const targets = watch ? [watch.watched] : [];

    const sampler = createHostSampler({
      clock,
      log: logOf('host'),
      intervalMs: config.monitoring.sampleIntervalMs,
      directoriesIntervalMs: config.monitoring.directorySizesIntervalMs,
      dataDir: targetConfig?.userDataDir,
      diskPaths: [config.dataDir],
      targetPid: () => watch?.process.pid(),
    });
    registerHostMetrics(registry, sampler, clock);
    recordOomKills({ sampler, db, events, log: logOf('host') });
    const sizes = createFolderSizes({
      targets: targets.map((one) => one.target),
      intervalMs: config.metrics.collectionIntervalMs,
      clock,
      log: logOf('targets'),
    });
    registerTargetMetrics(registry, { targets, sizes, clock });

    const inspections = createInspections({ targets, inspector, clock, log: logOf('targets') });

    // Recovery points.
    const points = createPointStore(db);
    const location = parseRepositoryLocation(config.backup.location, 'environment');
    await ensurePasswordFile(config.backup.passwordFile, random);
    const repository = createResticRepository({
      location,
      passwordFile: config.backup.passwordFile,
      cacheDir: join(config.dataDir, 'cache', 'restic'),
      environment: {},
      children,
      log: logOf('backup'),
      clock,
    });
    const inspectFiles = async (folder: string, signal: AbortSignal): Promise<Inspection | undefined> => {
      const seen = watch?.watched.observation();
      const report = await inspector.inspect({
        folder,
        workspace: targetConfig?.workspace ?? '',
        signal,
        elsewhere: storesElsewhere(seen),
        ...(seen ? { idle: isIdle(seen) } : {}),
      });
      return inspectionOf(report);
    };
    const configFiles = [
      ...(targetConfig?.configFiles ?? []),
      ...(config.settingsFile === undefined ? [] : [config.settingsFile]),
    ];
    const guarded =
      watch && protectTarget({ watched: watch.watched, lifecycle: watch.backend, configFiles, inspect: inspectFiles });
    const backup = createBackup({
      db,
      points,
      events,
      auditHead: () => eventLog.auditHead(),
      repository,
      clock,
      random,
      log: logOf('backup'),
      stagingDir: join(config.dataDir, 'staging'),
      wardenVersion: productVersion(),
      requireTarget(id) {
        if (!guarded || guarded.target.id !== id)
          throw new AppError('target/unknown', `There is no target "${id}". \`ragwarden target list\` shows them.`);
        return guarded;
      },
      step: async (name) => options.step?.(name),
      operations,
      enabled: config.backup.enabled,
      policy: {
        get frequencyMs() {
          return config.backup.frequencyMs;
        },
        get retentionDays() {
          return config.backup.retentionDays;
        },
        get dailyRetentionDays() {
          return config.backup.dailyRetentionDays;
        },
      },
      requireSpace: (what) => lowDisk.requireSpace(what),
      onPoint(point) {
        documentMetrics.backupSnapshots.labels(point.targetId, point.status).inc();
      },
    });
    const schedule = createBackupSchedule({
      backup,
      points,
      operations,
      db,
      events,
      clock,
      log: logOf('backup'),
      targetIds: targets.map((one) => one.target.id),
      atStart: config.backup.atStart,
      observed: () => !probing || watch?.watched.observation() !== undefined,
      onStatus(status) {
        documentMetrics.setRecoveryPoints(status.targetId, status.count);
        const point = status.newestVerified ?? status.newest;
        if (point) documentMetrics.backupSizeBytes.labels(status.targetId).set(point.logicalBytes);
      },
    });

    // Settled before anything is served: a restore that a kill interrupted is completed or undone here.
    const settled = await operations.settle({ settlers: backup.settlers });
    for (const operation of settled)
      log.warn({ operation: operation.id, kind: operation.kind }, 'a half-done operation was settled');
    if (sample)
      await lifecycle.begin({
        name: 'sample backend',
        // Until it answers: the first probe would say OFFLINE otherwise.
        start: (signal) => watch?.backend.start(signal),
        stop: () => sample.driver.stop(lifecycle.signal),
      });
    await lifecycle.begin({ name: 'operations', stop: () => operations.stop() });

    const hostHealth = () =>
      decideHostHealth(sampler.latest(), config.monitoring.thresholds, sampler.recent(), {
        nowMs: clock.now(),
        staleAfterMs: sampler.staleAfterMs(),
      });
    const history = createMetricHistory({ registry, db: metricsDb, clock, log: logOf('metrics'), instance });
    const lowDisk = createOwnLowDisk({
      limits: () => live.config().lowDisk,
      db,
      metricsDb,
      samplesHere: config.state.place.kind !== 'postgres',
      pauseSamples: (paused) => history.pause(paused),
      events,
      operations,
      dataDir: config.dataDir,
      clock,
      log: logOf('system'),
    });
    const growth = createOwnGrowth({
      caps: () => live.config().growth,
      db,
      metricsDb,
      events: eventLog,
      operations,
      points,
      dataDir: config.dataDir,
      roots: targets.flatMap((one) => one.target.stores.map((store) => store.path)),
      clock,
      log,
    });
    const heartbeat =
      config.heartbeat &&
      createHeartbeat({ ...config.heartbeat, http, jobs, db, registry, clock, log: logOf('system') });
    const health = createHealth({
      clock,
      checks: [
        jobsCheck(jobs, clock),
        ownDiskCheck(lowDisk),
        ...(stateWatch ? [stateWatch.check] : []),
        ...(heartbeat ? [heartbeatCheck(heartbeat)] : []),
        ...(probing ? (targets.length > 0 ? targets.map(targetCheck) : [nothingWatched]) : []),
        ...(config.monitoring.enabled ? [hostCheck(hostHealth, () => sampler.latest()?.takenAtMs)] : []),
        ...(config.backup.enabled
          ? targets.map((one) => backupCheck(one.target.id, () => schedule.lastStatus(one.target.id), clock, startedMs))
          : []),
      ],
    });

    const dashboard = findDashboard();
    const server = createHttpServer({
      log: logOf('http'),
      clock,
      authenticate: callers.authenticate,
      allowedHosts: () => [config.server.host, ...config.server.publicHosts],
      trustedProxies: config.server.trustedProxies,
      onResponse({ method, route, status, durationMs }) {
        documentMetrics.requestDurationSeconds.labels(method, route, statusClass(status)).observe(durationMs / 1000);
      },
    });
    // Before the routes, since a hook reaches only what is registered after it.
    server.addHook('onResponse', createAccessTrail({ db, clock, log, events }));
    const defaultTargetId = (): string => {
      const [first] = targets;
      if (!first)
        throw new AppError('target/unknown', 'No target is configured. Set RAGWARDEN_TARGET_URL and WORKING_DIR.');
      return first.target.id;
    };
    await server.register(healthRoutes({ health, dashboard }));
    await server.register(dashboardRoutes(dashboard));
    await server.register(openapiRoute());
    await server.register(accessRoutes({ access, now: () => clock.now() }));
    await server.register(eventRoutes({ events: eventLog, log: logOf('events'), enabled: config.events.enabled }));
    const settings = createSettingsControl({ live, db, events, clock, log: logOf('system') });
    await server.register(settingsRoutes({ settings }));
    await server.register(operationRoutes({ operations, log: logOf('operations') }));
    await server.register(
      hostRoutes({
        sampler,
        clock,
        enabled: config.monitoring.enabled,
        thresholds: () => config.monitoring.thresholds,
      }),
    );
    await server.register(
      targetsRoutes({
        targets,
        inspections,
        operations,
        sizes: (id) => sizes.sizes(id),
        lifecycle: () => watch?.backend ?? noLifecycle,
      }),
    );
    await server.register(
      backupRoutes({ backup, schedule, points, operations, enabled: config.backup.enabled, defaultTargetId }),
    );

    await server.register(jobsRoutes({ jobs, clock }));
    await server.register(growthRoutes({ growth }));

    const { created } = await access.open();
    if (created !== undefined) await options.onAdminToken?.(created);
    await lifecycle.begin({ name: 'access', stop: () => access.close() });
    if (stateWatch) await begin(stateWatch);
    await begin(createAccessExpiry({ access, clock, log: logOf('access') }));
    await begin(createTokenUseJob({ access, clock, log: logOf('access') }));
    access.onEnded(() => server.recheckStreams());
    const retained = (slice: string) => ({
      db,
      clock,
      log: logOf(slice),
      get retentionDays() {
        return config.events.retentionDays;
      },
    });
    const eventRetention = createEventRetention(retained('events'));
    const operationRetention = createOperationRetention(retained('operations'));
    await begin(eventRetention);
    await begin(operationRetention);
    if (config.monitoring.enabled) await begin(sampler);
    if (config.metrics.enabled) await begin(history);
    if (probing) for (const one of targets) await begin(one);
    if (config.monitoring.enabled) {
      await begin(sizes);
      await begin(inspections);
    }
    if (config.backup.enabled) await begin(schedule);
    await begin(growth);
    await begin(lowDisk);
    if (heartbeat) await begin(heartbeat);
    followSettings({
      live,
      sample: sample !== undefined,
      sampler,
      sizes,
      targets,
      heartbeat,
      wakes: [eventRetention, operationRetention, schedule, growth],
      setLogLevels,
    });
    const listeners = createListeners({ config, server, log, access: callers, expose: createMetricsHandler(registry) });
    await lifecycle.begin(listeners);
    health.setReady(true);
    await lifecycle.begin({ name: 'readiness', stop: () => health.setReady(false) });
    await db.unit((tx) =>
      events.record(tx, {
        type: 'warden.started',
        severity: 'info',
        message: `ragwarden ${productVersion()} started.`,
        data: { sample: sample !== undefined },
      }),
    );
    return {
      ...listeners.listening(),
      sample: sample !== undefined,
      targetIds: targets.map((one) => one.target.id),
      server,
      access,
      events: eventLog,
      operations,
      backup,
      schedule,
      health,
      targets,
      settings,
      jobs,
    };
  };

  return { start, stop: (reason) => lifecycle.stop(reason) };
}

const noLifecycle = { automatic: false, describe: { stop: 'nothing to stop', start: 'nothing to start' } };
