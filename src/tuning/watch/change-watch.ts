import type { EventRecorder } from '../../events/index.ts';
import type { Operation, Operations } from '../../operations/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database, Tx } from '../../platform/database/index.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import { namesProvider } from '../provider/provider.ts';
import type { Tuning } from '../tuning.ts';
import { decideWatch, type Figures, type WatchLimits, type WatchVerdict } from './decide-watch.ts';
import {
  insertWatch,
  isGoingBack,
  moveWatch,
  selectAppliedRevision,
  selectOpenWatches,
  selectWatches,
  type Watch,
} from './watch-store.ts';

export type WatchPolicy = {
  /** 0: nothing is watched. */
  readonly windowMs: number;
  /** What made it worse is taken back without being asked. */
  readonly rollBack: boolean;
  readonly limits: WatchLimits;
};

export type ReadFigures = (targetId: string, fromMs: number, toMs: number) => Promise<Figures>;

export type ChangeWatch = {
  /** Before anything is touched: what it was like, and which revision was applied before. */
  look(targetId: string): Promise<{ readonly before: Figures; readonly previousRevision: number }>;
  /** The backend runs with it: from now on it is watched. Within the unit that says so. */
  begin(
    tx: Tx,
    applied: Pick<Watch, 'operationId' | 'targetId' | 'revision' | 'previousRevision' | 'parameters' | 'before'> & {
      /** False: somebody takes something back, or judges it himself. */
      readonly watched: boolean;
    },
  ): Promise<void>;
  /** Judges what can be judged now, and goes on with what was begun; the next call is the retry. */
  step(): Promise<void>;
  /** The newest of each of these revisions. */
  of(revisions: readonly number[]): Promise<ReadonlyMap<number, Watch>>;
};

/**
 * Looks at a backend for a while after a change, against what it was like before. The verdict stands beside the revision; by policy
 * what made it worse is taken back. All of it is in the database, so that it goes on after a restart.
 */
export function createChangeWatch(options: {
  readonly db: Database;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly tuning: Pick<Tuning, 'rollback'>;
  readonly operations: Pick<Operations, 'find'>;
  readonly figures: ReadFigures;
  /** Asks the known question now; null: there is none, or nobody answered. */
  askCanary(targetId: string): Promise<boolean | null>;
  policy(): WatchPolicy;
  /** Writes what counts now into the backend's file and restarts it. @throws AppError when it cannot begin */
  apply(targetId: string, only: (parameter: string) => boolean): Promise<Operation>;
}): ChangeWatch {
  const { db, events, clock, tuning, operations } = options;

  const tell = (
    tx: Tx,
    watch: Watch,
    severity: 'info' | 'warning' | 'error',
    message: string,
    type: 'tuning.judged' | 'tuning.rolled-back' = 'tuning.judged',
  ) =>
    events.record(tx, {
      ...{ type, severity, message, targetId: watch.targetId, operationId: watch.operationId },
      data: { revision: watch.revision, parameters: watch.parameters },
    });

  const judge = async (watch: Watch): Promise<void> => {
    const nowMs = clock.now();
    const policy = options.policy();
    const over = nowMs >= watch.untilMs;
    const seen = await options.figures(watch.targetId, watch.fromMs, Math.min(nowMs, watch.untilMs));
    // The last time it was asked by itself may be from before the change.
    const asked = over && watch.before.canary === true ? await options.askCanary(watch.targetId) : null;
    const after = { ...seen, canary: asked ?? seen.canary };
    const { verdict, reasons: found } = decideWatch(watch.before, after, policy.limits, over);
    const reasons = [...found];
    if (verdict === 'watching') return;
    const cannot = verdict === 'worse' && policy.rollBack && watch.parameters.some(namesProvider);
    if (cannot) reasons.push('It is not taken back by itself: the key of the provider before is not kept.');
    const goesBack = verdict === 'worse' && policy.rollBack && !cannot;
    const state = goesBack ? 'rolling-back' : verdict;
    const moved = await db.unit(async (tx) => {
      const to = { state, after, reasons, decidedMs: nowMs } as const;
      // Another change came meanwhile, or somebody else judged it.
      if (!(await moveWatch(tx, watch.operationId, 'watching', to))) return false;
      await tell(tx, watch, verdict === 'worse' ? 'warning' : 'info', sentence(watch, verdict, reasons, goesBack));
      return true;
    });
    if (goesBack && moved) await goBack({ ...watch, reasons, state: 'rolling-back' });
  };

  /** First what somebody set, then the file and the backend. Each half finds that it is done when it is done again. */
  const goBack = async (watch: Watch): Promise<void> => {
    if (watch.backOperation !== null) return finish(watch, watch.backOperation);
    // A newer change may have superseded it since it was read.
    if (!(await isGoingBack(db, watch.operationId))) return;
    try {
      await tuning.rollback(
        watch.previousRevision,
        { actor: 'ragwarden', reason: `revision ${watch.revision} made ${watch.targetId} worse` },
        ({ scope, parameter }) =>
          watch.parameters.includes(parameter) && ['default', `workspace:${watch.targetId}`].includes(scope),
      );
      const begun = await options.apply(watch.targetId, (parameter) => watch.parameters.includes(parameter));
      await db.unit((tx) =>
        moveWatch(tx, watch.operationId, 'rolling-back', { state: 'rolling-back', backOperation: begun.id }),
      );
    } catch (err) {
      // Something else works on the backend; afterwards it is tried again.
      if (err instanceof AppError && err.code === 'operation/busy') return;
      if (!(err instanceof AppError)) throw err;
      await fail(watch, describeError(err));
    }
  };

  const fail = (watch: Watch, why: string): Promise<void> =>
    db.unit(async (tx) => {
      const reasons = [...watch.reasons, `It could not be taken back: ${why}`];
      if (await moveWatch(tx, watch.operationId, 'rolling-back', { state: 'rollback-failed', reasons }))
        await tell(
          tx,
          watch,
          'error',
          `Revision ${watch.revision} made ${watch.targetId} worse and could not be taken back: ${why}`,
        );
    });

  const finish = async (watch: Watch, operationId: string): Promise<void> => {
    const operation = await operations.find(operationId);
    if (operation?.state === 'running') return;
    if (operation?.state !== 'succeeded')
      return fail(watch, operation?.error?.detail ?? `operation ${operationId} is not known any more.`);
    await db.unit(async (tx) => {
      if (await moveWatch(tx, watch.operationId, 'rolling-back', { state: 'rolled-back' }))
        await tell(
          tx,
          watch,
          'warning',
          `Revision ${watch.revision} was taken back from ${watch.targetId}: ${watch.reasons.join(' ')}`,
          'tuning.rolled-back',
        );
    });
  };

  return {
    async look(targetId) {
      const toMs = clock.now();
      const { windowMs } = options.policy();
      const nothing: Figures = { requests: 0, failed: 0, answers: {}, canary: null };
      return {
        before: windowMs === 0 ? nothing : await options.figures(targetId, toMs - windowMs, toMs),
        previousRevision: await selectAppliedRevision(db, targetId),
      };
    },
    async begin(tx, { watched, ...applied }) {
      const nowMs = clock.now();
      const { windowMs } = options.policy();
      const watch: Watch = {
        ...applied,
        ...{ fromMs: nowMs, untilMs: nowMs + windowMs },
        ...{ after: null, reasons: [], decidedMs: null, backOperation: null },
        state: watched && windowMs > 0 ? 'watching' : 'unwatched',
      };
      await insertWatch(tx, watch, nowMs);
    },
    async step() {
      for (const watch of await selectOpenWatches(db))
        await (watch.state === 'watching' ? judge(watch) : goBack(watch));
    },
    of: (revisions) => selectWatches(db, revisions),
  };
}

const verdicts = { kept: 'is not worse', unjudged: 'could not be judged', worse: 'is worse', watching: '' } as const;

const sentence = (
  { revision, targetId }: Watch,
  verdict: WatchVerdict['verdict'],
  reasons: readonly string[],
  goesBack: boolean,
): string =>
  `Since revision ${revision} ${targetId} ${verdicts[verdict]}: ${reasons.join(' ')}${goesBack ? ' It is taken back.' : ''}`;
