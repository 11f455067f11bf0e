import { type Backup, type PointStore, type RecoveryPoint, removeOutside } from '../backup/index.ts';
import type { Operation, OperationContext, Operations, SettledOutcome } from '../operations/index.ts';
import { isoInstant } from '../platform/clock.ts';
import { AppError, describeError } from '../platform/errors.ts';
import type { Lease, Leases } from '../platform/leases.ts';
import { type ChosenPoint, choosePoint } from './choose-point.ts';
import type { Drill, DrillChoice, DrillKind, DrillVerdict } from './drill.ts';
import type { DrillDeps } from './drill-deps.ts';
import type { Evidence } from './evidence.ts';
import { type DrillRun, runDrill } from './run-drill.ts';
import { listScratch, removeTree, scratchOf } from './scratch.ts';

/** What the operation of a drill results in. */
export type DrillResult = {
  readonly drill_id: string;
  readonly backup_id: string;
  readonly kind: DrillKind;
  readonly verdict: DrillVerdict;
  readonly reasons: readonly string[];
  readonly rto_seconds: number | null;
};

export type DrillRequest = {
  readonly targetId: string;
  readonly kind: DrillKind;
  /** Undefined: chosen by `choice`. */
  readonly pointId?: string | undefined;
  readonly choice: DrillChoice;
  readonly requestedBy: string;
  readonly idempotency?: Parameters<Operations['start']>[0]['idempotency'];
};

export type Drills = {
  /** @throws AppError `operation/busy` while one of the target runs, `backup/unknown-point`, `backup/unavailable`, `storage/full` */
  start(request: DrillRequest): Promise<Operation>;
  /** @throws AppError `recovery/unknown-drill` */
  require(id: string): Promise<Drill>;
  /** @throws AppError `recovery/unknown-drill`, `conflict/state` while it runs */
  requireEvidence(id: string): Promise<Evidence>;
  /** Ends those that run here, for want of space. @returns how many there were */
  stopAll(reason: string): Promise<number>;
  running(): number;
  /** What earlier lives left in the scratch folder goes; called at start, after operations were settled. */
  sweep(): Promise<void>;
  readonly settlers: Readonly<Record<string, (operation: Operation) => Promise<SettledOutcome>>>;
};

const operationKind = 'recovery.drill';
/** Longer than anything but the death of its holder delays a renewal. */
export const drillLeaseMs = 60_000;

/**
 * Drills as operations. They are not exclusive: a drill reads the repository and its own scratch folder, so points are taken and
 * restores carried out meanwhile. One lease per target keeps two drills of it from running together, here or on another instance.
 */
export function createDrills(
  deps: DrillDeps & {
    readonly operations: Operations;
    readonly backup: Pick<Backup, 'requirePoint' | 'availability' | 'checkAvailability'>;
    readonly points: PointStore;
    readonly leases: Leases;
    readonly instance: string;
    readonly enabled: boolean;
    /** Told of every drill that came to its end. */
    onEnd(drill: Drill): void;
  },
): Drills {
  const { operations, drills, points, backup, leases, db, events, clock } = deps;
  const here = new Set<string>();

  const requireAvailable = async (): Promise<void> => {
    if (!deps.enabled)
      throw new AppError(
        'feature/disabled',
        'Drills are switched off by LIGHTRAG_RECOVERY_ENABLED (recovery.enabled).',
      );
    const now = await backup.checkAvailability();
    if (!now.available) throw new AppError('backup/unavailable', `Backups are unavailable: ${now.reason}`);
  };

  const choose = async (request: DrillRequest): Promise<{ point: RecoveryPoint; chosen: string }> => {
    const found: ChosenPoint =
      request.pointId === undefined
        ? choosePoint(
            request.choice,
            (await points.list({ targetId: request.targetId, statuses: ['success', 'partial'], limit: 10_000 })).map(
              (point) => ({ ...point, coreVersion: point.manifest?.target.core_version ?? null }),
            ),
            (await drills.list({ targetId: request.targetId, kind: 'restore', limit: 1_000 }))
              .filter((drill) => drill.verdict === 'passed' || drill.verdict === 'failed')
              .reverse(),
            (deps.random(4).readUInt32BE() ?? 0) / 2 ** 32,
            clock.now(),
          )
        : { pointId: request.pointId, reason: 'named by whoever asked' };
    const point = await backup.requirePoint(found.pointId);
    if (point.targetId !== request.targetId)
      throw new AppError('backup/unknown-point', `${point.id} is a point of ${point.targetId}.`);
    if ((point.status !== 'success' && point.status !== 'partial') || point.forgottenMs !== null)
      throw new AppError('conflict/state', `${point.id} does not exist in the repository any more.`);
    return { point, chosen: found.reason };
  };

  const run = async (
    request: DrillRequest,
    facts: { point: RecoveryPoint; chosen: string; lease: Lease },
    context: OperationContext,
  ): Promise<DrillResult> => {
    const { point, chosen, lease } = facts;
    here.add(context.id);
    try {
      const drill: Drill = {
        id: context.id,
        targetId: request.targetId,
        pointId: point.id,
        kind: request.kind,
        choice: request.pointId === undefined ? request.choice : null,
        requestedBy: request.requestedBy,
        startedMs: clock.now(),
        finishedMs: null,
        verdict: null,
        reasons: [],
        phases: [],
        rtoMs: null,
        bytes: null,
        files: null,
        evidenceSha256: null,
      };
      await db.unit((tx) => drills.insert(tx, drill));
      const target = deps.requireTarget(request.targetId);
      const held = (): Promise<boolean> => leases.renew(lease);
      const done = await runDrill(deps, { drill, point, chosen, target, held }, context).catch(async (err: unknown) => {
        const reasons = [describeError(err)];
        await db.unit((tx) =>
          drills.finish(tx, { ...drill, finishedMs: clock.now(), verdict: 'error', reasons }, null),
        );
        throw err;
      });
      await conclude(done, request.requestedBy);
      deps.onEnd(done.drill);
      if (done.drill.verdict !== 'passed') context.markPartial();
      return resultOf(done.drill);
    } finally {
      here.delete(context.id);
      await leases.release(lease);
    }
  };

  /** The row, the event and the entry of the audit trail that holds the digest of the evidence: all or none. */
  const conclude = ({ drill, evidence }: DrillRun, actor: string): Promise<void> =>
    db.unit(async (tx) => {
      await drills.finish(tx, drill, evidence);
      await events.record(tx, {
        type: drill.kind === 'chaos' ? 'recovery.chaos-drill-ended' : 'recovery.drill-ended',
        severity: drill.verdict === 'passed' ? 'info' : 'error',
        targetId: drill.targetId,
        operationId: drill.id,
        message: sentenceOf(drill),
        data: {
          id: drill.id,
          point: drill.pointId,
          verdict: drill.verdict,
          reasons: drill.reasons.slice(0, 20),
          rto_seconds: drill.rtoMs === null ? null : Math.round(drill.rtoMs) / 1000,
        },
      });
      await events.audit(tx, {
        actor,
        action: operationKind,
        object: drill.id,
        outcome: drill.verdict === 'passed' ? 'done' : 'failed',
        data: { point: drill.pointId, verdict: drill.verdict, evidence_sha256: evidence.sha256 },
      });
    });

  const require = async (id: string): Promise<Drill> => {
    const drill = await drills.find(id);
    if (!drill)
      throw new AppError(
        'recovery/unknown-drill',
        `There is no drill ${id.slice(0, 100)}. \`ragwarden drill list\` shows them.`,
      );
    return drill;
  };

  const { scratchDir } = deps.limits();

  return {
    require,
    running: () => here.size,

    async start(request) {
      deps.requireTarget(request.targetId);
      await requireAvailable();
      deps.requireSpace('a drill');
      const chosen = await choose(request);
      const lease = await leases.acquire(leaseOf(request.targetId));
      if (!lease)
        throw new AppError('operation/busy', `A drill of ${request.targetId} runs already. Wait for it, or cancel it.`);
      let begun = false;
      try {
        const operation = await operations.start<unknown, DrillResult>({
          kind: operationKind,
          targetId: request.targetId,
          exclusive: false,
          input: { targetId: request.targetId, pointId: chosen.point.id, kind: request.kind },
          requestedBy: request.requestedBy,
          idempotency: request.idempotency,
          run: (context) => {
            begun = true;
            return run(request, { ...chosen, lease }, context);
          },
        });
        return operation;
      } finally {
        // Also after a repeated request, which found the operation of the first one.
        if (!begun) await leases.release(lease);
      }
    },

    async requireEvidence(id) {
      const drill = await require(id);
      const evidence = await drills.findEvidence(id);
      if (!evidence)
        throw new AppError(
          'conflict/state',
          drill.verdict === null ? `The drill ${id} still runs.` : `The drill ${id} ended before it left evidence.`,
        );
      return evidence;
    },

    async stopAll(reason) {
      const ids = [...here];
      for (const id of ids) {
        deps.log.warn({ drill: id, reason }, 'a drill is stopped');
        await operations.cancel(id, { requestedBy: 'ragwarden' }).catch(() => undefined);
      }
      await Promise.all(ids.map((id) => operations.wait(id).catch(() => undefined)));
      return ids.length;
    },

    async sweep() {
      for (const id of await listScratch(scratchDir)) {
        if (here.has(id)) continue;
        const operation = await operations.find(id);
        // Of another instance that shares the folder, or not settled yet.
        if (operation?.state === 'running') continue;
        await removeTree(scratchOf(scratchDir, id));
        deps.log.info({ drill: id }, 'what a drill had left was removed');
      }
    },

    settlers: {
      [operationKind]: async (operation) => {
        await removeTree(scratchOf(scratchDir, operation.id));
        await removeOutside(operation.id);
        const left = operation.targetId === null ? undefined : await takeOver(operation.targetId, operation.instance);
        if (left) await leases.release(left);
        const drill = await drills.find(operation.id);
        if (drill && drill.verdict !== null)
          return {
            message: `The drill of ${drill.pointId} ended before ragwarden did: ${drill.verdict}.`,
            severity: 'info',
          };
        if (drill) {
          const reasons = ['ragwarden ended while it ran'];
          await db.unit((tx) =>
            drills.finish(tx, { ...drill, finishedMs: clock.now(), verdict: 'error', reasons }, null),
          );
        }
        return {
          message: 'The drill ended with the process; its scratch folder was removed and nothing else was touched.',
          severity: 'info',
        };
      },
    },
  };

  function takeOver(targetId: string, from: string): Promise<Lease | undefined> {
    return leases.takeOver(leaseOf(targetId), from);
  }
}

const leaseOf = (targetId: string): string => `drill:${targetId}`;

const resultOf = (drill: Drill): DrillResult => ({
  drill_id: drill.id,
  backup_id: drill.pointId,
  kind: drill.kind,
  verdict: drill.verdict ?? 'error',
  reasons: drill.reasons,
  rto_seconds: drill.rtoMs === null ? null : Math.round(drill.rtoMs) / 1000,
});

function sentenceOf(drill: Drill): string {
  const what = drill.kind === 'chaos' ? 'The chaos drill' : 'The drill';
  const why = drill.reasons[0] === undefined ? '' : `: ${drill.reasons[0]}`;
  switch (drill.verdict) {
    case 'passed':
      return drill.kind === 'chaos'
        ? `The chaos drill of ${drill.pointId} passed: every planted damage was seen.`
        : `The drill of ${drill.pointId} passed${drill.rtoMs === null ? '' : `; a restore would take ${(drill.rtoMs / 1000).toFixed(1)} s`}.`;
    case 'failed':
      return `${what} of ${drill.pointId} failed${why}.`;
    default:
      return `${what} of ${drill.pointId}, begun ${isoInstant(drill.startedMs)}, could not be done${why}.`;
  }
}
