import type { EventRecorder } from '../../events/index.ts';
import type { Idempotency, Operation, OperationContext, Operations } from '../../operations/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { AppError, isAppError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import { createReconciler, type Reconciler } from '../../platform/reconciler.ts';
import type { LightragDocuments } from '../lightrag/lightrag-documents.ts';
import { isIdle, type Observation, unfinishedDocuments, unfinishedStatuses } from '../observation.ts';
import type { StuckWork } from '../stuck-work.ts';
import type { BackendDocument } from './document.ts';
import { type DocumentPlace, nameOfPlace } from './document-store.ts';

const kind = 'documents.reprocess';
const dayMs = 86_400_000;
const firstPauseMs = 600_000;
const longestPauseMs = 6 * 3_600_000;
/** Within this time a document that was asked for has moved, or the call was of no use. */
const movedWithinMs = 60_000;
/** Half a page, so that others that change do not push them off it at once. */
const mostWatched = 100;
const policyIntervalMs = 60_000;
/** Who asks when the policy does. */
const ourselves = 'ragwarden';

export type ReprocessDecision =
  | { readonly go: true; readonly unfinished: number; readonly failed: number }
  | { readonly go: false; readonly reason: string };

/**
 * Whether the backend may be asked for another attempt now. It has one call for unfinished and failed documents together, so a
 * retry of the failed ones alone has to be asked for by name.
 * LightRAG 1.5 never becomes idle again when that call meets a running insert (test/fixtures/lightrag-1.5.7/notes.md), so it is
 * made in the idle state only.
 */
export function decideReprocess(
  observation: Observation | undefined,
  failed: number,
  wish: { readonly failedToo: boolean },
): ReprocessDecision {
  const no = (reason: string): ReprocessDecision => ({ go: false, reason });
  if (observation?.reachable !== true) return no('The backend does not answer.');
  if (observation.documents === undefined) return no('The backend does not tell how its documents are.');
  if (observation.pipeline?.recoveryRequired) return no('The backend refuses writes until its recovery is dealt with.');
  const idle = isIdle(observation);
  if (idle === undefined) return no('The backend does not tell whether it works.');
  if (!idle || (observation.pipeline?.pendingEnqueues ?? 0) > 0)
    return no(
      'The pipeline says that it works, and a retry asked for meanwhile may block it. Wait until it is idle; when nothing moves, cancel the pipeline or restart the backend first.',
    );
  const unfinished = unfinishedDocuments(observation.documents);
  if (unfinished > 0 || (wish.failedToo && failed > 0)) return { go: true, unfinished, failed };
  return no(
    failed > 0
      ? `Nothing is unfinished. ${failed} failed: ask for another attempt at those by name.`
      : 'Nothing is unfinished and nothing failed.',
  );
}

/** When the policy may ask again: after an attempt ten minutes, doubled with each further one, and so many a day. */
export function decideAttempt(
  attemptsMs: readonly number[],
  limits: { readonly nowMs: number; readonly mostPerDay: number },
): { readonly go: true } | { readonly go: false; readonly nextMs: number } {
  const today = attemptsMs.filter((at) => limits.nowMs - at < dayMs).sort((a, b) => a - b);
  const last = today.at(-1);
  if (limits.mostPerDay === 0) return { go: false, nextMs: Number.POSITIVE_INFINITY };
  if (last === undefined) return { go: true };
  const [oldestThatCounts] = today.slice(-limits.mostPerDay);
  const paused = last + Math.min(longestPauseMs, firstPauseMs * 2 ** (today.length - 1));
  const room = today.length < limits.mostPerDay ? 0 : (oldestThatCounts ?? last) + dayMs;
  const nextMs = Math.max(paused, room);
  return nextMs <= limits.nowMs ? { go: true } : { go: false, nextMs };
}

export type ReprocessResult = {
  readonly unfinished: number;
  readonly failed: number;
  /** Of those that were listed, how many are no longer as they were. */
  readonly listed: number;
  readonly moved: number;
};

export type Reprocessing = Reconciler & {
  readonly place: DocumentPlace;
  /**
   * Begins an attempt, as an exclusive operation of the target: never while a recovery point is taken or a restore runs.
   * @throws AppError `operation/busy`; the operation fails with `conflict/state` when it may not be asked for now
   */
  begin(wish: { failedToo: boolean; requestedBy: string; idempotency?: Idempotency | undefined }): Promise<Operation>;
  /** What the policy did today, and when it may ask again; null without a policy or while it may at once. */
  attempts(): Promise<{ readonly today: number; readonly nextMs: number | null }>;
};

export type ReprocessPolicy = { readonly enabled: boolean; readonly mostPerDay: number };

const isOfWorkspace = (input: unknown, workspace: string): boolean =>
  typeof input === 'object' && input !== null && 'workspace' in input && input.workspace === workspace;

/** Has stuck documents taken up again: when asked, and by itself where the policy says so. */
export function createReprocessing(options: {
  place: DocumentPlace;
  documents: LightragDocuments;
  operations: Operations;
  events: EventRecorder;
  db: Database;
  clock: Clock;
  log: Logger;
  probe(): Promise<Observation | undefined>;
  stuck(): StuckWork | undefined;
  /** Lets no insert through until the returned function is called, for a bounded time; where nothing stands before the backend, at once. */
  holdInserts(signal: AbortSignal): Promise<() => Promise<unknown>>;
  policy(): ReprocessPolicy;
}): Reprocessing {
  const { place, documents, operations, clock, log } = options;

  const list = async (statuses: readonly string[], signal: AbortSignal): Promise<readonly BackendDocument[]> =>
    (await documents.newest(1, statuses, signal))?.documents ?? [];

  /** Between the look and the call no insert begins, as far as they pass the gateway. */
  const withInsertsHeld = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    const release = await options.holdInserts(signal);
    try {
      return await work();
    } finally {
      await release();
    }
  };

  const attempt = async (
    failedToo: boolean,
    requestedBy: string,
    context: OperationContext,
  ): Promise<ReprocessResult> => {
    await context.phase('looking');
    const failedBefore = (await list(['failed'], context.signal)).filter((one) => !one.isDuplicate);
    const { decision, before, statuses } = await withInsertsHeld(context.signal, async () => {
      const decision = decideReprocess(await options.probe(), failedBefore.length, { failedToo });
      if (!decision.go) throw new AppError('conflict/state', decision.reason);
      const statuses = decision.unfinished > 0 ? unfinishedStatuses : ['failed'];
      const open = decision.unfinished > 0 ? await list(unfinishedStatuses, context.signal) : failedBefore;
      await context.phase('asking');
      await context.checkHeld();
      await options.db.unit((tx) =>
        options.events.audit(tx, {
          actor: requestedBy,
          action: 'documents.reprocess',
          object: place.targetId,
          outcome: 'done',
          data: { workspace: place.workspace, operation: context.id, failed: failedToo },
        }),
      );
      await documents.reprocess(context.signal);
      return { decision, before: open.slice(0, mostWatched), statuses };
    });
    await context.phase('watching');
    const moved = await waitUntilMoved(before, statuses, context.signal);
    if (moved === 0 && before.length > 0)
      throw new AppError(
        'outgoing/failed',
        `The backend was asked to take ${before.length} documents up again, and none of them moved within ${movedWithinMs / 1_000} s.`,
      );
    if (moved < before.length) context.markPartial();
    const { unfinished, failed } = decision;
    const result: ReprocessResult = { unfinished, failed, listed: before.length, moved };
    await options.db.unit((tx) =>
      options.events.record(tx, {
        type: 'ingest.reprocessed',
        severity: moved < before.length ? 'warning' : 'info',
        targetId: place.targetId,
        workspace: place.workspace,
        operationId: context.id,
        message: `The backend takes documents up again: ${moved} of ${before.length} have moved.`,
        data: { ...result },
      }),
    );
    return result;
  };

  /** A document has moved when it is elsewhere, changed, or gone. */
  const waitUntilMoved = async (
    before: readonly BackendDocument[],
    statuses: readonly string[],
    signal: AbortSignal,
  ): Promise<number> => {
    const untilMs = clock.monotonic() + movedWithinMs;
    for (let pauseMs = 250; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
      await clock.sleep(pauseMs, signal);
      const now = await list(statuses, signal);
      const still = new Set(now.map((one) => `${one.id} ${one.status} ${one.updatedMs}`));
      const moved = before.filter((one) => !still.has(`${one.id} ${one.status} ${one.updatedMs}`)).length;
      if (moved === before.length || clock.monotonic() >= untilMs) return moved;
    }
  };

  const begin: Reprocessing['begin'] = ({ failedToo, ...by }) =>
    operations.start({
      kind,
      targetId: place.targetId,
      input: { workspace: place.workspace, failed: failedToo },
      ...by,
      run: (context) => attempt(failedToo, by.requestedBy, context),
    });

  const attemptsMs = async (): Promise<number[]> =>
    (await operations.list({ kind, targetId: place.targetId, limit: 200 }))
      .filter((one) => one.requestedBy === ourselves && isOfWorkspace(one.input, place.workspace))
      .map((one) => one.createdMs);

  const policing = createReconciler({
    name: `stuck documents ${nameOfPlace(place)}`,
    intervalMs: policyIntervalMs,
    clock,
    log,
    async run() {
      const { enabled, mostPerDay } = options.policy();
      if (!enabled || options.stuck()?.cause !== 'pipeline-idle') return;
      if (!decideAttempt(await attemptsMs(), { nowMs: clock.now(), mostPerDay }).go) return;
      try {
        const { id } = await begin({ failedToo: false, requestedBy: ourselves });
        await operations.wait(id);
      } catch (err) {
        // A recovery point or a restore holds the target; the next round tries again.
        if (!isAppError(err) || (err.code !== 'operation/busy' && err.code !== 'internal/stopping')) throw err;
      }
    },
  });

  return {
    ...policing,
    place,
    begin,
    async attempts() {
      const { enabled, mostPerDay } = options.policy();
      const nowMs = clock.now();
      const all = await attemptsMs();
      const decision = decideAttempt(all, { nowMs, mostPerDay });
      const nextMs = enabled && !decision.go && Number.isFinite(decision.nextMs) ? decision.nextMs : null;
      return { today: all.filter((at) => nowMs - at < dayMs).length, nextMs };
    },
  };
}
