import { join } from 'node:path';
import {
  type Access,
  createAccess,
  createAccessExpiry,
  createGatewayKeys,
  createTokenUseJob,
} from '../access/index.ts';
import type { Backup, BackupSchedule } from '../backup/index.ts';
import type { Cleanup } from '../cleanup/index.ts';
import { type ConfigReading, createLiveConfig, requireConfig } from '../config/index.ts';
import { createEventLog, createEventRetention, type EventLog, type EventRecorder } from '../events/index.ts';
import type { Health } from '../health/index.ts';
import { decideHostHealth } from '../host/index.ts';
import {
  createDocumentMetrics,
  createMetricRegistry,
  createMetrics,
  createMetricsHandler,
  createProcessMetrics,
  createRemoteWrite,
  createScraper,
  type MetricRegistry,
  type Metrics,
  setBuildInfo,
} from '../metrics/index.ts';
import { createOperationRetention, createOperations, type Operations } from '../operations/index.ts';
import { createChildProcesses } from '../platform/child-processes/index.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { lockDataFolder } from '../platform/data-folder.ts';
import type { HttpServer } from '../platform/http/index.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { type RandomSource, systemRandom } from '../platform/ids.ts';
import { createJobs, type Jobs } from '../platform/jobs.ts';
import { createLifecycle, type Part } from '../platform/lifecycle.ts';
import type { Logger, LogLevels } from '../platform/logging.ts';
import { productVersion } from '../platform/product-version.ts';
import { type DrillSchedule, readActivePlace } from '../recovery/index.ts';
import { createHeartbeat, createSettingsControl, readRuntimeSettings, type SettingsControl } from '../system/index.ts';
import type { WatchedTarget } from '../targets/index.ts';
import { createPriceTable, trafficDefinitions } from '../traffic/index.ts';
import { createAdviceWiring } from './advice-wiring.ts';
import { createAlertWiring } from './alert-wiring.ts';
import { createAnalyticsWiring } from './analytics-wiring.ts';
import { createApiServer } from './api-server.ts';
import { createCleanupWiring } from './cleanup-wiring.ts';
import { createDiskForecast } from './disk-forecast.ts';
import { wireDocuments } from './document-wiring.ts';
import { createDrilling, drillCheck } from './drilling.ts';
import { countingEvents, createEventMetrics, type EventMetrics, registerGraphMetrics } from './event-metrics.ts';
import { externalChecks, indexDimension } from './external-checks.ts';
import { createFailoverWiring } from './failover-wiring.ts';
import { followSettings, haveOtherLevels, levelsOf } from './follow-settings.ts';
import { createFronting } from './fronting.ts';
import { writeKeysFile } from './gateway-alone.ts';
import type { Ground } from './ground.ts';
import {
  backupCheck,
  heartbeatCheck,
  hostCheck,
  jobsCheck,
  nothingWatched,
  ownDiskCheck,
  remoteStoreCheck,
  targetCheck,
} from './health-checks.ts';
import { createHealthWiring } from './health-wiring.ts';
import { createListeners, type Listening } from './listeners.ts';
import { createNotifyWiring } from './notify-wiring.ts';
import { openSamples, openState } from './open-state.ts';
import { createOrphanWiring, inFiles } from './orphan-wiring.ts';
import { createOverrideJob } from './override-wiring.ts';
import { createOwnGrowth, createOwnLowDisk } from './own-growth.ts';
import { createOwnMetrics } from './own-metrics.ts';
import { createOwnParts } from './own-parts.ts';
import { foldersOfPlaces } from './places.ts';
import { createProtection } from './protection.ts';
import { createQuotaLevels } from './quota-levels.ts';
import { createQuotaWiring } from './quota-wiring.ts';
import { rememberCallers } from './remembered-callers.ts';
import { createReplicationWiring } from './replication-wiring.ts';
import { createResourceWiring } from './resource-wiring.ts';
import type { SampleSize } from './sample.ts';
import { createServices } from './service-wiring.ts';
import { createStateWatch } from './state-watch.ts';
import { storeChecks } from './store-checks.ts';
import { createSystemWiring } from './system-wiring.ts';
import { kindChecks } from './target-checks.ts';
import { tellDocuments } from './tell-documents.ts';
import { createTrafficWiring } from './traffic-wiring.ts';
import { createTuningWiring } from './tuning-wiring.ts';
import { createWatching } from './watching.ts';

export type WardenOptions = {
  /** What the settings say, as `readConfig` found it. */
  readonly reading: ConfigReading;
  readonly log: Logger;
  /** Opens the log anew after ragwarden moved it; for a log that is a file. */
  readonly reopenLog?: () => void;
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
  /** How the program around it frees what it registered, by its id; undefined: it does not say. */
  readonly findFreeing?: (resourceId: string) => (() => Promise<void>) | undefined;
  /** Called at named boundaries of backup and restore, so that tests can end the process at each of them. */
  readonly step?: (name: string) => void | Promise<void>;
};

export type Warden = {
  /** Brings everything up. What had begun is stopped again when something fails. */
  start(): Promise<StartedWarden>;
  stop(reason: string): Promise<void>;
};

export type StartedWarden = Listening & {
  readonly gateway: string | undefined;
  readonly sample: boolean;
  readonly targetIds: readonly string[];
  readonly server: HttpServer;
  readonly access: Access;
  readonly events: EventLog;
  readonly operations: Operations;
  readonly backup: Backup;
  readonly schedule: BackupSchedule;
  readonly drillSchedule: DrillSchedule;
  readonly health: Health;
  readonly targets: readonly WatchedTarget[];
  /** What is recorded, and what was; `metrics` is where it is exposed. */
  readonly recording: Metrics;
  /** Everything that `/metrics` shows, with its labels. */
  readonly registry: MetricRegistry;
  readonly settings: SettingsControl;
  /** Background work, as it stands. */
  readonly jobs: Jobs;
  readonly cleanup: Cleanup;
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
    const recorded: EventRecorder = config.events.enabled
      ? eventLog
      : { audit: (tx, entry) => eventLog.audit(tx, entry), record: async () => 0 };
    // Made further down: the counters lean on what leans on the events.
    let eventMetrics: EventMetrics | undefined;
    const events = countingEvents(recorded, (event) => eventMetrics?.count(event));
    const operations = createOperations({ db, clock, log: logOf('operations'), events, instance });
    /** Of our own listeners, once they listen: nobody may have us call them. */
    let ownUrls: readonly (string | undefined)[] = [];
    const http = createHttpClient({
      ownPorts: () => ownUrls.flatMap((url) => (url === undefined ? [] : [Number(new URL(url).port)])),
    });
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
    eventMetrics = createEventMetrics({ registry, operations, clock });
    setBuildInfo(registry, productVersion());
    await begin(createProcessMetrics(registry));

    const base = {
      get config() {
        return live.config();
      },
      live,
      probing,
      clock,
      random,
      log,
      logOf,
      children,
      db,
      metricsDb,
      eventLog,
      events,
      operations,
      http,
      registry,
      documentMetrics,
    };
    const notifying = createNotifyWiring(base, instance);
    // Its settings stay those of the moment: a copy would freeze them.
    const ground: Ground = Object.assign(base, { notifier: notifying.notify.notifier });
    const wantsSample = options.command === 'up' || config.profile === 'development';
    const watching = await createWatching(ground, {
      wantsSample,
      sampleSize: options.sampleSize,
      activePlace: (targetId) => readActivePlace(db, targetId),
    });
    const { sample, watch, targets, sampler, sizes, inspections } = watching;
    for (const { target } of targets) eventMetrics.begin(target.id);
    const quotaWiring = await createQuotaWiring(ground, watching.targetConfig?.id ?? null);
    const fronting = createFronting(ground, { target: watching.targetConfig, quota: quotaWiring.gatewayQuota });
    const documentWiring = wireDocuments(ground, watch, inspections, fronting.barrier);
    await lifecycle.begin(watching.inspector);
    // One after the other: an earlier list must not come to lie over a later one.
    let written = Promise.resolve();
    const gatewayKeys = createGatewayKeys({
      ...{ db, clock, random, events, log: logOf('access') },
      onChange(keys) {
        fronting.setKeys(keys);
        // Then it may run in a process of its own.
        const onlyIfThere = config.gateway.enabled;
        written = written.then(() => writeKeysFile(config.dataDir, keys, log, { onlyIfThere }));
      },
    });
    fronting.onObservations((items) => {
      for (const { keyId, atMs } of items) if (keyId !== null) gatewayKeys.noteUse(keyId, atMs);
    });
    const protection = await createProtection(ground, watching, {
      barrier: fronting.barrier,
      step: (name) => options.step?.(name),
      requireSpace(what) {
        lowDisk.requireSpace(what);
        quotaLevels.requireBackupRoom();
      },
    });
    const quotaLevels = createQuotaLevels({
      ...{ quotas: quotaWiring.quotas, clock, log: logOf('quotas') },
      targetId: watching.targetConfig?.id ?? null,
      repositoryBytes: protection.repositoryBytes,
    });
    protection.onPoint((point) => quotaLevels.notePoint(point));
    sizes.onMeasured((target, measured) => quotaLevels.noteStored(target, measured));
    const { backup, schedule, points } = protection;
    const drilling = await createDrilling(ground, watching, protection, {
      step: (name) => options.step?.(name),
      requireSpace: (what) => lowDisk.requireSpace(what, 'low'),
    });
    const { drills, drillSchedule } = drilling;
    const replicating = createReplicationWiring(ground, watching, protection, { step: (name) => options.step?.(name) });
    const failoverWiring = createFailoverWiring(ground, {
      ...{ watching, protection, drilling, fronting, canaries: documentWiring.canaries },
      replication: replicating.replication,
      step: (name) => options.step?.(name),
    });
    const { failovers } = failoverWiring;

    const tuningWiring = createTuningWiring(ground, watching, backup, {
      history: () => metrics.history,
      canaries: documentWiring.canaries,
      databaseDimension: () => indexDimension(targets[0], inspections, health),
    });
    const adviceWiring = createAdviceWiring(ground, watching, tuningWiring, () => traffic.traffic);
    const cleanupWiring = createCleanupWiring(ground, watching, {
      ...{ points, backup, step: (name: string) => options.step?.(name) },
      resources: () => resourceWiring.resources,
      history: () => metrics.history,
      health: () => health,
      fileOrphans: (targetId) => inFiles(orphanWiring.orphans, targetId),
      findFreeing: ({ id }) => options.findFreeing?.(id),
    });

    // Settled before anything is served: a restore that a kill interrupted is completed or undone here.
    const settled = await operations.settle({
      settlers: {
        ...{ ...backup.settlers, ...drills.settlers, ...failovers.settlers, ...tuningWiring.tuningSettlers },
        ...cleanupWiring.cleanup.settlers,
        ...replicating.replicationSettlers,
      },
    });
    for (const operation of settled)
      log.warn({ operation: operation.id, kind: operation.kind }, 'a half-done operation was settled');
    await backup.settleUnsettled(instance);
    await drills.sweep();
    if (sample)
      await lifecycle.begin({
        name: 'sample backend',
        // Until it answers: the first probe would say OFFLINE otherwise.
        start: (signal) => watch?.backend.start(signal),
        stop: async () => {
          for (const driver of Object.values(sample.drivers)) await driver.stop(lifecycle.signal);
        },
      });
    await lifecycle.begin({ name: 'operations', stop: () => operations.stop() });

    const hostHealth = () =>
      decideHostHealth(sampler.latest(), config.monitoring.thresholds, sampler.recent(), {
        nowMs: clock.now(),
        staleAfterMs: sampler.staleAfterMs(),
      });
    const metrics = await createMetrics({
      registry,
      db: metricsDb,
      clock,
      log: logOf('metrics'),
      instance,
      settings: config.metrics.history,
      own: trafficDefinitions,
      priceOf: createPriceTable(config.traffic.prices).find,
    });
    const traffic = createTrafficWiring(ground, watching, metrics);
    quotaWiring.remember(traffic.traffic);
    fronting.onObservations((items) => traffic.traffic.observe(items));
    fronting.onObservations((items) => quotaWiring.gatewayQuota.observe(items));
    fronting.onObservations((items) => tellDocuments(items, documentWiring));
    const resourceWiring = createResourceWiring(ground, {
      ...{ recorder: metrics.recorder, sampler, watching },
      quota: quotaWiring.resourceQuota,
    });
    const analyticsWiring = createAnalyticsWiring(ground, {
      ...{ metrics, quotas: quotaWiring.quotas, leaks: resourceWiring.observedLeaks, sampler },
      // Known once everything stands.
      instances: () => services.list(),
    });
    const orphanWiring = createOrphanWiring(ground, watching);
    const ownMetrics = createOwnMetrics({ recorder: metrics.recorder, registry, sampler, clock });
    const remoteWrite = createRemoteWrite({
      stores: config.metrics.enabled ? config.metrics.remoteWrite : [],
      instance,
      folder: join(config.dataDir, 'remote-write'),
      ...{ registry, http, clock, random },
      log: logOf('metrics'),
    });
    const scraper = createScraper({
      targets: config.metrics.enabled ? config.metrics.scrape : [],
      ...{ recorder: metrics.recorder, counters: metrics.intakeCounters, registry, http, clock, random },
      log: logOf('metrics'),
    });
    const lowDisk = createOwnLowDisk({
      limits: () => live.config().lowDisk,
      db,
      metricsDb,
      samplesHere: config.state.place.kind !== 'postgres',
      pauseSamples(paused) {
        metrics.history.pause(paused);
        remoteWrite.pause(paused);
      },
      drills,
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
      drills: drilling.drillStore,
      failovers: failoverWiring.failoverStore,
      dataDir: config.dataDir,
      roots: () => foldersOfPlaces(watching),
      cleanup: cleanupWiring.cleanupGrowth,
      clock,
      log,
    });
    const heartbeat =
      config.heartbeat &&
      createHeartbeat({ ...config.heartbeat, http, jobs, db, registry, clock, log: logOf('system') });
    const rehearses = config.backup.enabled && config.recovery.enabled;
    const alertWiring = createAlertWiring(ground, {
      ...{ history: metrics.history, backup, barrier: fronting.barrier },
      runners: { ...cleanupWiring.cleanupRunners, ...quotaWiring.quotaRunners },
    });
    const diskForecast = createDiskForecast({ history: metrics.history, instance, clock, log: logOf('health') });
    const ownParts = createOwnParts(ground, { ...notifying.notify, ...alertWiring, startedMs });
    const { health, parts: healthParts } = createHealthWiring(ground, [
      jobsCheck(jobs, clock),
      notifying.check,
      ownDiskCheck(lowDisk),
      ...fronting.checks,
      quotaWiring.quotaCheck,
      ...remoteWrite.stores().map(({ name }) => remoteStoreCheck(remoteWrite, name, clock)),
      ...(stateWatch ? [stateWatch.check] : []),
      ...ownParts.checks,
      ...(heartbeat ? [heartbeatCheck(heartbeat)] : []),
      ...(probing ? (targets.length > 0 ? targets.map(targetCheck) : [nothingWatched]) : []),
      ...(probing ? kindChecks(targets, inspections) : []),
      ...(config.monitoring.enabled ? [hostCheck(hostHealth, sampler.latest, diskForecast.read)] : []),
      ...(config.backup.enabled
        ? targets.map((one) => backupCheck(one.target.id, () => schedule.lastStatus(one.target.id), clock, startedMs))
        : []),
      ...(config.backup.enabled && targets.length > 0 ? [replicating.replicationCheck] : []),
      ...(rehearses ? targets.map((one) => drillCheck(one.target.id, drillSchedule)) : []),
      ...storeChecks(ground, targets[0]),
      ...externalChecks(ground, () => indexDimension(targets[0], inspections, health)),
    ]);
    registerGraphMetrics(registry, { targets, inspections });
    const settings = createSettingsControl({ live, db, events, clock, log: logOf('system') });
    const gatewayUrl = () => fronting.gateway?.url();
    const services = createServices(ground, { startedMs, jobs, gatewayUrl });
    const system = createSystemWiring(ground, {
      ...{ watch, targets, callers, settings, jobs, growth, health },
      reopenLog: options.reopenLog ?? (() => undefined),
    });
    const server = await createApiServer(ground, {
      ...system,
      ...watching,
      ...protection,
      ...drilling,
      ...replicating,
      ...failoverWiring,
      ...traffic,
      ...resourceWiring,
      ...analyticsWiring,
      ...tuningWiring,
      ...adviceWiring,
      ...alertWiring,
      ...orphanWiring,
      notifyRoutes: notifying.notifyRoutes,
      ...cleanupWiring,
      ...documentWiring,
      ...quotaWiring,
      fronting,
      gatewayKeys,
      metrics,
      ownMetrics,
      startedMs,
      access,
      callers,
      health,
      settings,
      jobs,
      growth,
      services,
    });

    const { created } = await access.open();
    if (created !== undefined) await options.onAdminToken?.(created);
    await lifecycle.begin({ name: 'access', stop: () => access.close() });
    if (stateWatch) await begin(stateWatch);
    await begin(createAccessExpiry({ access, clock, log: logOf('access') }));
    await begin(gatewayKeys.job);
    const overrides = createOverrideJob(ground, tuningWiring, fronting);
    if (overrides) await begin(overrides);
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
    if (config.metrics.enabled) await begin(metrics);
    await begin(remoteWrite);
    await begin(scraper);
    for (const part of notifying.parts) await begin(part);
    for (const part of quotaWiring.quotaParts) await begin(part);
    // Before all that looks and works by itself: its first turns take the cores that traffic waits for.
    if (fronting.gateway) await begin(fronting.gateway);
    if (probing) {
      // Before the probes: the first one tells them what to begin with.
      for (const one of documentWiring.documents) {
        await begin(one.watch);
        await begin(one.reprocessing);
      }
      for (const one of documentWiring.canaries) await begin(one);
      for (const one of documentWiring.endpoints) await begin(one);
      for (const one of targets) await begin(one);
    }
    if (config.monitoring.enabled) {
      await begin(sizes);
      await begin(inspections);
      await begin(orphanWiring.orphans);
      await begin(tuningWiring.tuningJob);
    }
    // Before points are taken again: what was half-done goes on first.
    if (rehearses && targets.length > 0) await begin(failovers.job);
    if (config.backup.enabled) await begin(schedule);
    await begin(replicating.receiving);
    if (config.backup.enabled) await begin(replicating.replicationJob);
    if (rehearses) await begin(drillSchedule);
    if (rehearses && targets.length > 0) await begin(failoverWiring.checkpointSchedule);
    for (const part of resourceWiring.resourceParts) await begin(part);
    if (config.alerts.enabled && config.metrics.enabled) await begin(alertWiring.job);
    if (analyticsWiring.analyticsJob) await begin(analyticsWiring.analyticsJob);
    await begin(growth);
    if (system.logs.job) await begin(system.logs.job);
    await begin(lowDisk);
    if (heartbeat) await begin(heartbeat);
    await begin(ownParts.job);
    if (config.monitoring.enabled && config.metrics.enabled) await begin(diskForecast.job);
    for (const part of healthParts) await begin(part);
    if (services.job) await begin(services.job);
    await cleanupWiring.openCleanup();
    for (const part of cleanupWiring.cleanupParts) await begin(part);
    followSettings({
      live,
      sample: sample !== undefined,
      sampler,
      sizes,
      metrics: metrics.history,
      targets: [...targets, ...documentWiring.endpoints],
      heartbeat,
      wakes: [eventRetention, operationRetention, schedule, drillSchedule, failoverWiring.checkpointSchedule, growth],
      setLogLevels,
    });
    const listeners = createListeners({ config, server, log, access: callers, expose: createMetricsHandler(registry) });
    await lifecycle.begin(listeners);
    ownUrls = [...Object.values(listeners.listening()), fronting.gateway?.url()];
    services.setListening(listeners.listening());
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
      gateway: gatewayUrl(),
      sample: sample !== undefined,
      targetIds: targets.map((one) => one.target.id),
      server,
      access,
      events: eventLog,
      operations,
      backup,
      schedule,
      drillSchedule,
      health,
      targets,
      recording: metrics,
      registry,
      settings,
      jobs,
      cleanup: cleanupWiring.cleanup,
    };
  };

  return { start, stop: (reason) => lifecycle.stop(reason) };
}
