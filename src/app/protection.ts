import { join } from 'node:path';
import {
  anchorsOfCatalogue,
  anchorsOfRepository,
  type Backup,
  type BackupSchedule,
  countMissing,
  createBackup,
  createBackupSchedule,
  createPointStore,
  createResticRepository,
  ensurePasswordFile,
  type PointAnchor,
  type PointStore,
  type ProtectedTarget,
  type RecoveryPoint,
  type Repository,
  rpoSlackMs,
  type WriteBarrier,
} from '../backup/index.ts';
import type { TargetConfig } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import { productVersion } from '../platform/product-version.ts';
import { createCheckpointStore } from '../recovery/index.ts';
import { findWorkspaceFolders, inspectProject, isIdle, measureFolder, storesElsewhere } from '../targets/index.ts';
import { protectCommand, protectSqlite } from './file-stores.ts';
import type { Ground } from './ground.ts';
import { protectPostgres } from './postgres-store.ts';
import { inspectionOf, inspectionOfFolders, type ProtectedStore, protectTarget } from './protected-target.ts';
import { protectQdrant } from './qdrant-store.ts';
import { protectRedis } from './redis-store.ts';
import { registerRepositoryMetrics } from './repository-metrics.ts';
import { repositoryOptions } from './repository-options.ts';
import type { Watching } from './watching.ts';

/** Databases of the backend. The sample has none, whatever the environment names. */
const storesOf = ({ config, children, clock, http }: Ground, target: TargetConfig | undefined): ProtectedStore[] => {
  if (config.target === undefined) return [];
  const { postgres, postgresDump, redis, qdrant, sqlite, commands } = config.targetDatabases;
  const forCommands = { children, dataDir: config.dataDir, environment: config.target.commandEnvironment };
  return [
    ...(postgres === undefined
      ? []
      : [
          protectPostgres(postgres, {
            workspace: target?.workspace ?? '',
            // Of a kind whose tables are not known here, all of the database is the target's.
            ...(target?.kind === 'lightrag' ? { dump: postgresDump, whole: false } : { dump: 'database', whole: true }),
            children,
          }),
        ]),
    ...(redis === undefined ? [] : [protectRedis(redis, { workspace: target?.workspace ?? '', children, clock })]),
    ...(qdrant === undefined
      ? []
      : [
          protectQdrant(qdrant, {
            workspace: target?.workspace ?? '',
            workspaces: () =>
              target?.kind === 'lightrag' && target.workingDir !== undefined
                ? findWorkspaceFolders(target.workingDir)
                : [],
            http,
            dataDir: config.dataDir,
          }),
        ]),
    ...sqlite.map(protectSqlite),
    ...commands.map((command) => protectCommand(command, forCommands)),
  ];
};

export type Protection = {
  readonly points: PointStore;
  readonly backup: Backup;
  readonly schedule: BackupSchedule;
  readonly guarded: ProtectedTarget | undefined;
  /** The one that points are stored in; whoever else works on it stands in the same line. */
  readonly repository: Repository;
  /** Told of every point that came to exist. */
  onPoint(listener: (point: RecoveryPoint) => void): void;
  /** What the repository takes where it is. */
  repositoryBytes(): Promise<number>;
  /** Heads of the audit trail that recovery points noted, as the catalogue or as the repository has them. */
  auditAnchors(from: 'catalogue' | 'repository', signal: AbortSignal): Promise<readonly PointAnchor[]>;
};

/** Recovery points of what is watched: the repository, the target as backup sees it, the schedule. Nothing of it runs yet. */
export async function createProtection(
  ground: Ground,
  watching: Watching,
  ports: {
    step(name: string): void | Promise<void>;
    /** Whoever can keep inserts waiting. */
    readonly barrier: WriteBarrier;
    /** @throws AppError `storage/full` while the disk has no room for a point */
    requireSpace(what: string): void;
  },
): Promise<Protection> {
  const { config, clock, random, logOf, children, db, events, eventLog, operations, documentMetrics } = ground;
  const { watch, targets, targetConfig, inspector } = watching;
  const points = createPointStore(db, () => clock.now());
  for (const { target } of targets) documentMetrics.backupSnapshots.labels(target.id, 'success').inc(0);
  const opened = await repositoryOptions(config);
  const { location } = opened;
  await ensurePasswordFile(config.backup.passwordFile, random);
  const repository = createResticRepository({
    ...opened,
    passwordFile: config.backup.passwordFile,
    cacheDir: join(config.dataDir, 'cache', 'restic'),
    children,
    log: logOf('backup'),
    clock,
  });
  const inspectFiles: ProtectedTarget['inspect'] = async (folder, signal, { workspace, extracts } = {}) => {
    const seen = watch?.watched.observation();
    if (watch?.watched.target.kind === 'graphrag')
      return inspectionOfFolders(await inspectProject(folder, { clock, signal }));
    if (watch?.watched.target.kind === 'custom') return undefined;
    const report = await inspector.inspect({
      folder,
      workspace: workspace ?? targetConfig?.workspace ?? '',
      signal,
      elsewhere: storesElsewhere(seen),
      ...(extracts ? { extracts } : {}),
      ...(seen ? { idle: isIdle(seen) } : {}),
    });
    return inspectionOf(report);
  };
  const configFiles = [
    ...(targetConfig?.configFiles ?? []),
    ...(config.settingsFile === undefined ? [] : [config.settingsFile]),
  ];
  const guarded =
    watch &&
    protectTarget({
      watched: watch.watched,
      lifecycle: watch.backend,
      configFiles,
      copyState: (path) => db.copyTo(path),
      stores: storesOf(ground, targetConfig),
      inspect: inspectFiles,
    });
  const repositoryMetrics = registerRepositoryMetrics(ground.registry, () => backup.upkeep.lastStates());
  const missingParts = ground.registry.gauge({
    name: 'ragwarden_recovery_point_missing_parts',
    help: 'What the target has and the newest recovery point lacks, without what nobody asked for.',
    labels: ['target'],
  });
  const listeners: ((point: RecoveryPoint) => void)[] = [];
  const backup = createBackup({
    db,
    points,
    events,
    auditHead: async () => ({ ...(await eventLog.auditHead()), trail: await eventLog.trailId() }),
    repository,
    clock,
    random,
    log: logOf('backup'),
    stagingDir: join(config.dataDir, 'staging'),
    wardenVersion: productVersion(),
    unfold: {
      get enabled() {
        return ground.config.backup.unfold;
      },
    },
    allowedRoots: config.backup.allowedRoots,
    barrier: ports.barrier,
    quiet: {
      get idleWaitMs() {
        return ground.config.backup.idleWaitMs;
      },
      get holdMs() {
        return ground.config.backup.holdMs;
      },
    },
    requireTarget(id) {
      if (!guarded || guarded.target.id !== id)
        throw new AppError('target/unknown', `There is no target "${id}". \`ragwarden target list\` shows them.`);
      return guarded;
    },
    step: async (name) => ports.step(name),
    operations,
    enabled: config.backup.enabled,
    targetIds: targets.map((one) => one.target.id),
    policy: {
      get frequencyMs() {
        return ground.config.backup.frequencyMs;
      },
      get rpoMs() {
        return ground.config.recovery.rpoMs ?? ground.config.backup.frequencyMs + rpoSlackMs;
      },
      get retentionDays() {
        return ground.config.backup.retentionDays;
      },
      get pruneIntervalMs() {
        return ground.config.backup.pruneIntervalMs;
      },
      get checkIntervalMs() {
        return ground.config.backup.checkIntervalMs;
      },
      get checkParts() {
        return ground.config.backup.checkParts;
      },
      get dailyRetentionDays() {
        return ground.config.backup.dailyRetentionDays;
      },
    },
    requireSpace: ports.requireSpace,
    onUpkeepFailed: (kind) => repositoryMetrics.failed(kind),
    onPoint(point) {
      documentMetrics.backupSnapshots.labels(point.targetId, point.status).inc();
      for (const tell of listeners) tell(point);
    },
    onPinned: createCheckpointStore(db).keepPin,
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
    random,
    jitterMs: () => ground.config.backup.jitterMs,
    version: () => watch?.watched.observation()?.coreVersion,
    observed: () => !ground.probing || watch?.watched.observation() !== undefined,
    onStatus(status) {
      documentMetrics.setRecoveryPoints(status.targetId, status.count);
      const point = status.newestVerified ?? status.newest;
      if (point) documentMetrics.backupSizeBytes.labels(status.targetId).set(point.logicalBytes);
      if (status.newest) missingParts.labels(status.targetId).set(countMissing(status.newest));
    },
  });
  const auditAnchors: Protection['auditAnchors'] = (from, signal) =>
    from === 'catalogue' ? anchorsOfCatalogue(points) : anchorsOfRepository(repository, signal);
  const onPoint = (listener: (point: RecoveryPoint) => void): void => void listeners.push(listener);
  const repositoryBytes = async (): Promise<number> =>
    location.kind === 'folder'
      ? (await measureFolder(location.resticArgument, AbortSignal.timeout(600_000))).bytes
      : (await repository.stats()).storedBytes;
  return { points, backup, schedule, guarded, repository, repositoryBytes, onPoint, auditAnchors };
}
