import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createResticRepository, ensurePasswordFile, type Repository } from '../backup/index.ts';
import type { HealthCheck } from '../health/index.ts';
import { findProgram, systemSearchPath } from '../platform/child-processes/index.ts';
import { AppError } from '../platform/errors.ts';
import { createLeases } from '../platform/leases.ts';
import { productVersion } from '../platform/product-version.ts';
import {
  createDrillSchedule,
  createDrillStore,
  createDrills,
  createRecoveryMetrics,
  type DrillSchedule,
  type DrillStore,
  type Drills,
  drillLeaseMs,
  jitterOf,
  readRecovery,
  type TargetRecovery,
} from '../recovery/index.ts';
import type { Ground } from './ground.ts';
import type { Protection } from './protection.ts';
import { repositoryOptions } from './repository-options.ts';
import type { Watching } from './watching.ts';

export type Drilling = {
  readonly drills: Drills;
  readonly drillStore: DrillStore;
  readonly drillSchedule: DrillSchedule;
  recoveryStatus(targetId: string): Promise<TargetRecovery>;
};

/** Rehearsed restores of what is protected, and the objectives they are held against. Nothing of it runs yet. */
export async function createDrilling(
  ground: Ground,
  watching: Watching,
  protection: Protection,
  ports: {
    step(name: string): void | Promise<void>;
    /** @throws AppError `storage/full` while the disk has little room */
    requireSpace(what: string): void;
  },
): Promise<Drilling> {
  const { config, clock, random, logOf, children, db, events, eventLog, operations, registry } = ground;
  const { targets, targetConfig } = watching;
  const { backup, points, guarded } = protection;
  const log = logOf('recovery');
  const repositoryAt = (
    opened: Awaited<ReturnType<typeof repositoryOptions>>,
    passwordFile: string,
    cacheDir: string,
  ): Repository =>
    createResticRepository({
      ...opened,
      passwordFile,
      cacheDir,
      environment: {
        ...opened.environment,
        ...(config.drill.cpus > 0 ? { GOMAXPROCS: String(config.drill.cpus) } : {}),
      },
      through: config.drill.lowPriority ? lowPriority() : [],
      children,
      log,
      clock,
    });
  const repository = repositoryAt(
    await repositoryOptions(config),
    config.backup.passwordFile,
    join(config.dataDir, 'cache', 'restic'),
  );
  const drillStore = createDrillStore(db);
  const metrics = createRecoveryMetrics(registry);
  const recoveryStatus = (targetId: string): Promise<TargetRecovery> =>
    readRecovery(
      {
        points,
        drills: drillStore,
        backup,
        clock,
        objectives: () => ({ frequencyMs: ground.config.drill.frequencyMs, rtoMs: ground.config.recovery.rtoMs }),
        jitterOf,
      },
      targetId,
    );
  const drills = createDrills({
    db,
    drills: drillStore,
    events,
    auditHead: () => eventLog.auditHead(),
    repository,
    async makeRepository(folder) {
      const home = `${folder}-home`;
      await mkdir(home, { recursive: true, mode: 0o700 });
      const passwordFile = join(home, 'password');
      await ensurePasswordFile(passwordFile, randomBytes);
      // A cache of its own: what is missing in the repository must not be found elsewhere.
      return repositoryAt(await repositoryOptions(config, folder), passwordFile, join(home, 'cache'));
    },
    children,
    clock,
    random,
    log,
    wardenVersion: productVersion(),
    async toolVersions() {
      const { name, version } = await repository.version();
      return { [name]: version };
    },
    limits: () => ground.config.drill,
    rtoObjectiveMs: () => ground.config.recovery.rtoMs,
    requireTarget(id) {
      if (!guarded || guarded.target.id !== id)
        throw new AppError('target/unknown', `There is no target "${id}". \`ragwarden target list\` shows them.`);
      const [program, ...args] = targetConfig?.drillCheckCommand ?? [];
      return {
        restorerOf: (component) => guarded.restorerOf(component),
        inspect: (folder, signal, options) => guarded.inspect(folder, signal, options),
        checkCommand: program === undefined ? undefined : [program, ...args],
        checkEnvironment: { PATH: systemSearchPath, ...targetConfig?.commandEnvironment },
      };
    },
    requireSpace: ports.requireSpace,
    step: async (name) => ports.step(name),
    operations,
    backup,
    points,
    leases: createLeases({ db, clock, instance: config.state.instance, ttlMs: drillLeaseMs }),
    instance: config.state.instance,
    enabled: config.backup.enabled && config.recovery.enabled,
    onEnd(drill) {
      metrics.count(drill);
      if (drill.kind === 'restore') metrics.showPhases(drill.targetId, drill.phases);
      drillSchedule.wake();
    },
  });
  const drillSchedule = createDrillSchedule({
    drills,
    store: drillStore,
    operations,
    db,
    events,
    clock,
    log,
    targetIds: targets.map((one) => one.target.id),
    choice: () => ground.config.drill.choice,
    status: recoveryStatus,
    onStatus: (status) => metrics.show(status),
  });
  return { drills, drillStore, drillSchedule, recoveryStatus };
}

/** The backend goes first; each of the two becomes the program it is given. */
function lowPriority(): string[] {
  const through: string[] = [];
  if (findProgram('nice', systemSearchPath)) through.push('nice', '-n', '19');
  if (findProgram('ionice', systemSearchPath)) through.push('ionice', '-c', '3');
  return through;
}

/** Recovery: it was shown lately that a point can be restored. Before the first drill is due, that is not known. */
export const drillCheck = (targetId: string, schedule: DrillSchedule): HealthCheck => ({
  name: `drill ${targetId}`,
  about: 'watched',
  targetId,
  read() {
    const status = schedule.lastStatus(targetId);
    if (!status) return { status: 'unknown', message: 'Not looked at yet.', atMs: undefined };
    const { drill, rto } = status;
    const atMs = drill.lastPassedMs ?? undefined;
    const refusal = schedule.lastRefusal(targetId);
    if (drill.last && drill.last.verdict === 'failed' && drill.failuresInRow > 0)
      return {
        status: 'degraded',
        message: `The last drill failed: ${drill.last.reasons[0] ?? 'no reason was noted'}.`,
        atMs,
      };
    if (drill.overdueSinceMs !== null)
      return {
        status: 'degraded',
        message: `${drill.lastPassedMs === null ? 'No drill has ever passed' : 'No drill has passed for two intervals'}${refusal === null ? '' : `: ${refusal}`}.`,
        atMs,
      };
    if (drill.last && drill.failuresInRow > 0)
      return {
        status: 'degraded',
        message: `The last drill could not be done: ${drill.last.reasons[0] ?? 'no reason was noted'}.`,
        atMs,
      };
    if (rto.met === false)
      return { status: 'degraded', message: 'A restore would take longer than the objective allows.', atMs };
    if (drill.lastPassedMs === null)
      return {
        status: 'healthy',
        message: drill.nextMs === null ? 'No drill is scheduled.' : 'The first drill is not due yet.',
        atMs,
      };
    return { status: 'healthy', message: 'The last drill passed.', atMs };
  },
});
