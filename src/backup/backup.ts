import { z } from 'zod';
import type { Operation, OperationContext, Operations, SettledOutcome } from '../operations/index.ts';
import { AppError, describeError, isAppError } from '../platform/errors.ts';
import { requireAllowedFolder } from './allowed-folder.ts';
import type { BackupDeps } from './backup-deps.ts';
import { type BackupResult, backupResult } from './backup-result.ts';
import { type Catalogue, createCatalogue, noteFacts } from './catalogue/index.ts';
import { describeSources, type SourcesReport } from './describe-sources.ts';
import { type ExportedFile, exportConfig } from './export-config.ts';
import { createSnapshots, type Snapshots } from './graphs/snapshots.ts';
import type { KnownRepository } from './open-repository.ts';
import { planRestore } from './plan-restore.ts';
import { idMeantBy, isPointId, isRestorable, isSecondOfId, newPointId, type RecoveryPoint } from './point.ts';
import { type PreparedRestore, prepareRestore } from './prepare-restore.ts';
import type { OpenResult, Repository, RepositoryLock } from './repository/index.ts';
import type { RestoreOptions } from './restore-options.ts';
import type { RestorePlanReport } from './restore-plan-report.ts';
import { restorePoint } from './restore-point.ts';
import { planRetention, type RetentionItem, type RetentionPolicy } from './retention.ts';
import { settleRestore } from './settle-restore.ts';
import { settleTakenPoint } from './settle-taken-point.ts';
import { removeStaleScratch } from './staging.ts';
import { takeInPoint } from './take-in-point.ts';
import { type TakePointInput, takePoint } from './take-point.ts';
import { createUnfolder } from './unfold/index.ts';
import { settleUnsettled } from './unsettled-restore.ts';
import { forgetPoints } from './upkeep/forget.ts';
import { createUpkeep, type Upkeep, type UpkeepKind, type UpkeepPolicy } from './upkeep/index.ts';
import { findManifestSnapshot, verifyContent } from './verify-point.ts';

export type Availability = { readonly available: true } | { readonly available: false; readonly reason: string };

const preparedMs = 300_000;
const takeInput = z.object({ pointId: z.string() });

export type BackupPolicy = RetentionPolicy & {
  readonly frequencyMs: number;
  /** Greatest loss accepted. */
  readonly rpoMs: number;
};

export type Started = {
  readonly requestedBy: string;
  readonly idempotency?: Parameters<Operations['start']>[0]['idempotency'];
};

export type Backup = {
  readonly policy: BackupPolicy;
  readonly location: string;
  readonly locationKind: string;
  /** Looks now: what lies there, and who locks it. Starts restic a few times. */
  lookAtRepository(): Promise<OpenResult & { readonly tool: string; readonly locks: readonly RepositoryLock[] }>;
  /** As last looked at; the first time it looks. */
  availability(): Promise<Availability>;
  checkAvailability(): Promise<Availability>;
  /** @throws `backup/unavailable`, `operation/busy` */
  take(request: Started & Omit<TakePointInput, 'pointId'>): Promise<Operation & { readonly pointId: string }>;
  verify(request: Started & { pointId: string }): Promise<Operation>;
  planRestore(pointId: string, options?: RestoreOptions): Promise<RestorePlanReport>;
  restore(
    request: Started & {
      pointId: string;
      planId?: string | undefined;
      confirm: boolean;
      safetyPoint?: boolean;
      options?: RestoreOptions;
    },
  ): Promise<Operation>;
  planRetention(targetId: string): Promise<readonly RetentionItem[]>;
  /** @throws `target/unknown` */
  describeSources(targetId: string): Promise<SourcesReport>;
  /** Without its secrets. @throws `backup/invalid-id`, `backup/unknown-point`, `backup/unavailable` */
  exportConfig(pointId: string): Promise<readonly ExportedFile[]>;
  /** @throws `backup/invalid-id`, `backup/unknown-point` */
  requirePoint(pointId: string): Promise<RecoveryPoint>;
  /** What a killed process left half-done, by kind of operation. */
  readonly settlers: Readonly<Record<string, (operation: Operation) => Promise<SettledOutcome>>>;
  /** What restores that failed left half-done, of this instance, and stale scratch. After the settlers, before anything is served. */
  settleUnsettled(instance: string): Promise<void>;
  /** Forgets which repository was used, so that the next point takes what lies at the location, or begins a new one there. */
  adoptRepository(actor: string): Promise<void>;
  /** Forgetting, pruning, checking, unlocking. */
  readonly upkeep: Upkeep;
  /** The catalogue against the repository. */
  readonly catalogue: Catalogue;
  /**
   * Takes a point of another repository over as one of ours, pinned; part of an operation of whoever asks. @see takeInPoint
   * @throws `backup/unavailable`, `backup/unknown-point`, `replication/conflict`, `conflict/state`
   */
  takeIn(
    request: { readonly from: Repository; readonly pointId: string; readonly requestedBy: string },
    context: OperationContext,
  ): Promise<{ readonly point: RecoveryPoint; readonly wasThere: boolean }>;
  /**
   * @param request.forCheckpoint the pin goes with the checkpoint, unless somebody pins the point himself
   * @throws `backup/invalid-id`, `backup/unknown-point`, `conflict/state`
   */
  pin(request: {
    pointId: string;
    pinned: boolean;
    requestedBy: string;
    forCheckpoint?: boolean;
  }): Promise<RecoveryPoint>;
  /** Points as the parts of each workspace. */
  readonly snapshots: Snapshots;
  /**
   * Gives points up for good, whatever retention thinks of them.
   * @param request.points all of one target
   */
  forget(request: Started & { points: readonly RecoveryPoint[] }): Promise<Operation>;
  /** How many points exist; for the metric. */
  count(targetId: string): Promise<number>;
};

/** Everything about recovery points as operations: taken, verified, restored, forgotten, one at a time per target. */
export function createBackup(
  given: Omit<BackupDeps, 'knownRepository' | 'unfolder'> & {
    operations: Operations;
    enabled: boolean;
    targetIds: readonly string[];
    policy: BackupPolicy & UpkeepPolicy;
    onUpkeepFailed?(kind: UpkeepKind): void;
  },
): Backup {
  const knownRepository = rememberRepository(given);
  const deps = { ...given, knownRepository, unfolder: createUnfolder() };
  const { operations, points, db, events, clock } = deps;
  let known: Availability | undefined;
  let lastPrepared: { pointId: string; atMs: number; prepared: PreparedRestore } | undefined;

  const checkAvailability = async (): Promise<Availability> => {
    const found = await deps.repository.version().then(
      (): Availability => ({ available: true }),
      (err: unknown): Availability => ({ available: false, reason: isAppError(err) ? err.detail : describeError(err) }),
    );
    known = found;
    return found;
  };

  const requireAvailable = async (): Promise<void> => {
    if (!deps.enabled)
      throw new AppError('feature/disabled', 'Backups are switched off by BACKUP_ENABLED (backup.enabled).');
    const now = await checkAvailability();
    if (!now.available) throw new AppError('backup/unavailable', `Backups are unavailable: ${now.reason}`);
  };

  const requirePoint = async (asked: string): Promise<RecoveryPoint> => {
    const begun = isSecondOfId(asked) ? await points.idsBegunIn(asked) : undefined;
    const pointId = begun === undefined ? asked : idMeantBy(asked, begun);
    if (begun === undefined && !isPointId(pointId))
      throw new AppError('backup/invalid-id', 'Ids of recovery points look like backup_20261122_093000_x7k2.');
    const point = await points.find(pointId);
    if (!point)
      throw new AppError(
        'backup/unknown-point',
        `There is no recovery point ${pointId}. \`ragwarden backup list\` shows them.`,
      );
    return point;
  };

  const requireRestorable = async (asked: string): Promise<RecoveryPoint> => {
    const point = await requirePoint(asked);
    const { id: pointId } = point;
    if (!isRestorable(point))
      throw new AppError(
        'conflict/state',
        point.forgottenMs !== null
          ? `${pointId} was forgotten by retention.`
          : point.status === 'lost'
            ? `${pointId} is lost: the repository does not hold it any more. \`ragwarden backup rebuild-catalogue\` finds it again if it comes back.`
            : `${pointId} does not exist in the repository: its run ended with ${point.status}.`,
      );
    return point;
  };

  const requireSnapshot = async (
    pointId: string,
  ): Promise<NonNullable<Awaited<ReturnType<typeof findManifestSnapshot>>>> => {
    const found = await findManifestSnapshot(deps, pointId);
    if (!found) throw new AppError('backup/unknown-point', `The repository does not hold ${pointId} any more.`);
    return found;
  };

  /** A plan is asked for, shown, and carried out a moment later: what was read for it serves twice. */
  const prepare = async (point: RecoveryPoint): Promise<PreparedRestore> => {
    const nowMs = clock.now();
    if (lastPrepared?.pointId !== point.id || nowMs - lastPrepared.atMs > preparedMs)
      lastPrepared = { pointId: point.id, atMs: nowMs, prepared: await prepareRestore(deps, point) };
    return lastPrepared.prepared;
  };

  /** A folder that is asked for is looked at once, with its links followed, and is that one from then on. */
  const placedAside = async (point: RecoveryPoint, options: RestoreOptions = {}): Promise<RestoreOptions> => {
    if (options.to?.folder === undefined) return options;
    const living = deps.requireTarget(point.targetId).target.stores.map((store) => store.path);
    const folder = await requireAllowedFolder(options.to.folder, deps.allowedRoots, living);
    return { ...options, to: { ...options.to, folder } };
  };

  const audit = (actor: string, action: string, object: string): Promise<number> =>
    db.unit((tx) => events.audit(tx, { actor, action, object, outcome: 'done' }));

  const catalogue = createCatalogue({ ...deps, requireAvailable });
  const planRetentionOf = async (targetId: string): Promise<RetentionItem[]> => {
    const all = await points.list({ targetId, statuses: ['success', 'partial'], limit: 100_000 });
    return planRetention(all, deps.policy, clock.now());
  };
  const upkeep = createUpkeep({ ...deps, requireAvailable, planRetention: planRetentionOf, upkeep: deps.policy });

  return {
    snapshots: createSnapshots(deps),
    catalogue,
    upkeep,
    policy: deps.policy,
    location: deps.repository.location.display,
    locationKind: deps.repository.location.kind,
    async lookAtRepository() {
      const { name, version } = await deps.repository.version();
      const opened = await deps.repository.open();
      return {
        ...opened,
        tool: `${name} ${version}`,
        locks: opened.state === 'ok' ? await deps.repository.locks() : [],
      };
    },
    availability: async () => known ?? checkAvailability(),
    checkAvailability,
    requirePoint,
    count: (targetId) => points.count(targetId),
    adoptRepository: (actor) =>
      db.unit(async (tx) => {
        await points.deleteSetting(tx, repositorySetting);
        await events.audit(tx, {
          actor,
          action: 'backup.adopt-repository',
          object: deps.repository.location.display,
          outcome: 'done',
        });
      }),

    async pin({ pointId, ...request }) {
      return catalogue.pin({ point: await requirePoint(pointId), ...request });
    },

    async takeIn({ from, pointId, requestedBy }, context) {
      await requireAvailable();
      const { point, wasThere } = await takeInPoint(deps, { from, pointId }, context);
      // Taken long ago, it would be the first to be forgotten.
      return { point: await catalogue.pin({ point, pinned: true, requestedBy }), wasThere };
    },

    async take({ requestedBy, idempotency, ...wanted }) {
      const { targetId } = wanted;
      deps.requireTarget(targetId);
      await requireAvailable();
      deps.requireSpace?.('a recovery point');
      const pointId = newPointId(clock.now(), deps.random);
      const operation = await operations.start<unknown, BackupResult>({
        kind: 'backup.create',
        targetId,
        input: { targetId, cause: wanted.cause, pointId },
        requestedBy,
        idempotency,
        run: async (context) => {
          const point = await takePoint(deps, { ...wanted, pointId }, context);
          return backupResult(point);
        },
      });
      await audit(requestedBy, 'backup.create', operation.id);
      // A repeated request finds the work that it began, and its point.
      return { ...operation, pointId: takeInput.parse(operation.input).pointId };
    },

    async verify({ pointId: asked, requestedBy, idempotency }) {
      const point = await requireRestorable(asked);
      const { id: pointId } = point;
      await requireAvailable();
      return operations.start({
        kind: 'backup.verify',
        targetId: point.targetId,
        input: { pointId },
        requestedBy,
        idempotency,
        run: async (context) => {
          await context.phase('reading');
          const { snapshotId, manifest } = await requireSnapshot(pointId);
          const compared = await verifyContent(deps, { snapshotId, manifest, context });
          const verifiedMs = clock.now();
          await db.unit((tx) => points.update(tx, pointId, { verifiedMs }));
          await noteFacts(deps, { ...(await requirePoint(pointId)), verifiedMs }, { operationId: context.id });
          return { backup_id: pointId, verified: true, files: compared.files, bytes: compared.bytes };
        },
      });
    },

    async planRestore(pointId, options) {
      const point = await requireRestorable(pointId);
      await requireAvailable();
      return planRestore(deps, point, await prepare(point), await placedAside(point, options));
    },

    async restore({ planId, confirm, safetyPoint = true, options: wanted = {}, requestedBy, idempotency, ...asked }) {
      const point = await requireRestorable(asked.pointId);
      const { id: pointId } = point;
      await requireAvailable();
      const prepared = await prepare(point);
      const options = await placedAside(point, wanted);
      const plan = await planRestore(deps, point, prepared, options);
      if (planId !== undefined && planId !== plan.plan_id)
        throw new AppError(
          'restore/plan-changed',
          'Things have changed since that plan was made. Look at the new plan and confirm that one.',
        );
      if (!confirm)
        throw new AppError(
          'conflict/confirmation-required',
          `Restoring ${pointId} replaces the data of ${point.targetId}. Send "confirm": true.`,
        );
      if (plan.blockers.length > 0)
        throw new AppError('restore/blocked', `The restore cannot be carried out: ${plan.blockers.join('; ')}.`);
      const operation = await operations.start({
        kind: 'backup.restore',
        targetId: point.targetId,
        input: { pointId, options },
        requestedBy,
        idempotency,
        run: (context) =>
          restorePoint(deps, { point, prepared, safetyPoint, options }, context).finally(() =>
            deps.requireTarget(point.targetId).lifecycle.expectUp(),
          ),
      });
      await audit(requestedBy, 'backup.restore', pointId);
      return operation;
    },

    planRetention: planRetentionOf,

    async forget({ points: doomed, requestedBy, idempotency }) {
      await requireAvailable();
      const [first] = doomed;
      const operation = await operations.start({
        kind: 'backup.forget',
        targetId: first?.targetId,
        input: { pointIds: doomed.map((point) => point.id) },
        requestedBy,
        idempotency,
        run: (context) =>
          forgetPoints(
            deps,
            {
              targetId: first?.targetId ?? '',
              items: doomed.map((point) => ({ point, action: 'forget', reason: `asked for by ${requestedBy}` })),
              retentionDays: deps.policy.retentionDays,
            },
            { dryRun: false },
            context,
          ),
      });
      for (const point of doomed) await audit(requestedBy, 'backup.forget', point.id);
      return operation;
    },

    describeSources: (targetId) => describeSources(deps.requireTarget(targetId)),

    async exportConfig(asked) {
      const { id: pointId } = await requireRestorable(asked);
      await requireAvailable();
      return exportConfig(deps.repository, await requireSnapshot(pointId));
    },

    async settleUnsettled(instance) {
      await removeStaleScratch(deps.stagingDir);
      for (const id of deps.targetIds) await settleSources(deps, id);
      await settleUnsettled(deps, async (id) => {
        const operation = await operations.find(id);
        return operation?.instance === instance ? operation : undefined;
      });
    },

    settlers: {
      'backup.forget': async () => ({
        message: 'The deletion ended with the process. What is gone is gone; ask again for the rest.',
        severity: 'warning',
      }),
      'backup.create': (operation) => settleTakenPoint(deps, operation),
      'backup.restore': (operation) =>
        settleRestore(deps, operation).finally(() => deps.requireTarget(operation.targetId ?? '').lifecycle.expectUp()),
      'backup.verify': async () => ({
        message: 'The verification ended with the process; nothing was changed.',
        severity: 'info',
      }),
      'backup.rebuild-catalogue': catalogue.settler,
      ...upkeep.settlers,
    },
  };
}

const settlingMs = 10_000;

/** What cannot be reached now goes before the next capture. */
async function settleSources(deps: Pick<BackupDeps, 'requireTarget' | 'log'>, targetId: string): Promise<void> {
  try {
    await deps.requireTarget(targetId).settle(AbortSignal.timeout(settlingMs));
  } catch (err) {
    deps.log.warn({ err, target: targetId }, 'what an earlier capture left at a server is still there');
  }
}

const repositorySetting = 'repository';
const repositoryShape = z.object({ id: z.string(), location: z.string() });

/** The repository that was used is remembered beside the catalogue. */
export function rememberRepository({ points, db }: Pick<BackupDeps, 'points' | 'db'>): KnownRepository {
  return {
    async read() {
      const text = await points.readSetting(repositorySetting);
      return text === undefined ? undefined : repositoryShape.parse(JSON.parse(text));
    },
    remember: (known) => db.unit((tx) => points.writeSetting(tx, repositorySetting, JSON.stringify(known))),
  };
}
