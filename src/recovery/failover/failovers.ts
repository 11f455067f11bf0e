import type { Operation, OperationContext, SettledOutcome, StartOptions } from '../../operations/index.ts';
import { AppError, describeError, isAppError } from '../../platform/errors.ts';
import { newId } from '../../platform/ids.ts';
import { createReconciler, type Reconciler } from '../../platform/reconciler.ts';
import {
  answeredAfterMs,
  decideRetreat,
  type Failover,
  type FailoverFacts,
  type FailoverKind,
  failoverPhases,
  noFacts,
  type PlaceName,
} from './failover.ts';
import type { FailoverDeps, FailoverPlace, FailoverTarget } from './failover-deps.ts';
import { readActivePlace } from './failover-store.ts';
import { type FailoverPlan, planFailover, requirePlaces } from './plan-failover.ts';
import { type FailoverRun, runPhases } from './run-failover.ts';

type Requested = {
  readonly targetId: string;
  readonly requestedBy: string;
  readonly idempotency?: Parameters<FailoverDeps['operations']['start']>[0]['idempotency'];
};

export type Failovers = {
  /** @throws AppError `recovery/no-standby`, `target/unknown`, `feature/disabled` */
  plan(wanted: { targetId: string; pointId?: string | undefined }, signal: AbortSignal): Promise<FailoverPlan>;
  /**
   * @throws AppError `recovery/no-standby`, `restore/plan-changed`, `restore/blocked`, `conflict/confirmation-required`,
   * `operation/busy` while one of the target is not over
   */
  start(
    request: Requested & {
      pointId?: string | undefined;
      planId?: string | undefined;
      checkpointId?: string | undefined;
      confirm: boolean;
      force: boolean;
    },
  ): Promise<Operation>;
  /**
   * Fills the place that the target does not live at from a new point, and leaves it stopped.
   * @throws AppError `conflict/state` when the target lives at `place` by now, whoever meant it to be filled
   */
  reseed(request: Requested & { place?: PlaceName | undefined; confirm: boolean }): Promise<Operation>;
  /** @throws AppError `recovery/unknown-failover` */
  require(id: string): Promise<Failover>;
  readonly settlers: Readonly<Record<string, (operation: Operation) => Promise<SettledOutcome>>>;
  /** Goes on with what a killed process left. */
  readonly job: Reconciler;
};

const kinds = { failover: 'recovery.failover', reseed: 'recovery.reseed' } as const satisfies Record<
  FailoverKind,
  string
>;
const lookMs = 60_000;

/** Failovers as operations: one of a target at a time, over all instances and over kills. */
export function createFailovers(deps: FailoverDeps): Failovers {
  const { db, store, events, operations, clock } = deps;
  /** Targets with one under way in this process, from before its row is written. */
  const here = new Set<string>();

  const requireEnabled = (): void => {
    if (!deps.enabled())
      throw new AppError(
        'feature/disabled',
        'Failover is switched off with LIGHTRAG_RECOVERY_ENABLED (recovery.enabled) or BACKUP_ENABLED (backup.enabled).',
      );
  };

  const require = async (id: string): Promise<Failover> => {
    const found = await store.find(id);
    if (!found)
      throw new AppError(
        'recovery/unknown-failover',
        `There is no failover ${id.slice(0, 100)}. \`ragwarden failover list\` shows them.`,
      );
    return found;
  };

  /** Another instance may have led the target elsewhere: what is on disk counts, never what was read once. */
  const follow = async (targetId: string): Promise<FailoverTarget> => {
    const target = deps.requireTarget(targetId);
    const stored = await readActivePlace(db, targetId);
    if (stored !== target.active() && target.at(stored)) await target.switchTo(stored);
    return target;
  };

  const requireNoneRunning = async (targetId: string): Promise<void> => {
    if (here.has(targetId)) throw new AppError('operation/busy', `A failover of ${targetId} is just beginning.`);
    const running = await store.running(targetId);
    if (running)
      throw new AppError(
        'operation/busy',
        `A ${running.kind} of ${targetId} (${running.id}) is in the phase ${running.phase}. Wait for it, or cancel its operation ${running.operationId ?? ''}.`,
      );
  };

  /** What a failover and a reseed begin with; a request that was made before is answered before anything else is asked. */
  const admit = async (
    request: Requested & { readonly confirm: boolean },
    whatItDoes: (places: { from: FailoverPlace; to: FailoverPlace }) => string,
  ): Promise<{ repeated: Operation } | { places: { from: FailoverPlace; to: FailoverPlace } }> => {
    requireEnabled();
    const repeated = await operations.findRepeated(request);
    if (repeated) return { repeated };
    await requireNoneRunning(request.targetId);
    const places = requirePlaces(await follow(request.targetId));
    if (!request.confirm)
      throw new AppError('conflict/confirmation-required', `${whatItDoes(places)} Send "confirm": true.`);
    return { places };
  };

  const tell = (failover: Failover, operationId: string): Promise<void> =>
    db.unit(async (tx) => {
      await store.update(tx, failover);
      const took = answeredAfterMs(failover);
      await events.record(tx, {
        type: failover.kind === 'failover' ? 'recovery.failover-ended' : 'recovery.reseed-ended',
        severity: failover.state === 'succeeded' ? 'info' : failover.state === 'partial' ? 'warning' : 'error',
        targetId: failover.targetId,
        operationId,
        message: failover.outcome ?? '',
        data: {
          failover: failover.id,
          state: failover.state,
          phase: failover.phase,
          point: failover.pointId,
          seconds: took === undefined ? null : Math.round(took) / 1_000,
        },
      });
      await events.audit(tx, {
        actor: failover.requestedBy,
        action: kinds[failover.kind],
        object: failover.id,
        outcome: failover.state === 'failed' ? 'failed' : 'done',
        data: { point: failover.pointId, from: failover.from, to: failover.to, state: failover.state },
      });
    });

  /** Everything of one life: goes on where the row stands, and ends with a sentence about where the target lives. */
  const carryOut = async (begun: Failover, context: OperationContext): Promise<Failover> => {
    let current: Failover = begun;
    const run: FailoverRun = {
      current: () => current,
      async write(change) {
        current = { ...current, ...change };
        await db.unit((tx) => store.update(tx, current));
      },
      note: (facts: Partial<FailoverFacts>) => run.write({ facts: { ...current.facts, ...facts } }),
    };
    const target = await follow(begun.targetId);
    const from = target.at(begun.from);
    const to = target.at(begun.to);
    // What was planned before another one ended would stop the living place, and put its folders aside.
    const overtaken = begun.facts.switchedMs === null && target.active() === begun.to;
    if (!from || !to || overtaken) {
      const outcome = overtaken
        ? `${begun.targetId} lives at ${begun.to} already: another failover led it there meanwhile. Nothing was done.`
        : `The settings have no place ${from ? begun.to : begun.from} any more; the target lives at ${target.active()}.`;
      current = { ...current, state: 'failed', outcome, finishedMs: clock.now() };
      await tell(current, context.id);
      return current;
    }
    if (begun.facts.retreating === null) {
      try {
        await runPhases({ deps, target, from, to, run, context });
      } catch (err) {
        if (isOverForNow(context.signal.aborted ? context.signal.reason : err)) throw err;
        const why = `It could not go on in the phase ${current.phase}: ${describeError(err)}`;
        // On disk before anything is stopped or started: the next life goes on back, not forward.
        await run.note({ retreating: why });
        await deps.step('failover:retreating');
      }
    }
    const why = current.facts.retreating;
    const ended = why === null ? endOf(current) : await retreat({ deps, target, from, to, run, context }, why);
    current = { ...current, ...ended, finishedMs: clock.now() };
    await tell(current, context.id);
    deps.onEnd(current);
    return current;
  };

  const begin = async (failover: Failover, idempotency: Requested['idempotency']): Promise<Operation> => {
    let begun = false;
    const options: StartOptions<unknown, object> = {
      kind: kinds[failover.kind],
      targetId: failover.targetId,
      // A reseed takes a point, which is exclusive itself; it touches only the place that nobody lives at.
      exclusive: failover.kind === 'failover',
      input: { failoverId: failover.id },
      requestedBy: failover.requestedBy,
      idempotency,
      run: (context) => {
        begun = true;
        return live(failover, context).finally(() => here.delete(failover.targetId));
      },
    };
    if (here.has(failover.targetId))
      throw new AppError('operation/busy', `A failover of ${failover.targetId} is just beginning.`);
    here.add(failover.targetId);
    try {
      return await operations.start(options);
    } finally {
      // Also after a repeated request, which found the operation of the first one.
      if (!begun) here.delete(failover.targetId);
    }
  };
  const live = async (failover: Failover, context: OperationContext): Promise<object> => {
    const mine = { ...failover, operationId: context.id };
    await db.unit((tx) => (failover.operationId === null ? store.insert(tx, mine) : store.update(tx, mine)));
    await deps.step('failover:begun');
    const ended = await carryOut(mine, context);
    if (ended.state === 'failed') throw new AppError('recovery/failover-failed', ended.outcome ?? 'It failed.');
    if (ended.state === 'partial') context.markPartial();
    const took = answeredAfterMs(ended);
    return {
      failover_id: ended.id,
      state: ended.state,
      outcome: ended.outcome,
      backup_id: ended.pointId,
      answered_after_seconds: took === undefined ? null : Math.round(took) / 1_000,
    };
  };

  const fresh = (
    kind: FailoverKind,
    { targetId, requestedBy }: Requested,
    places: { from: FailoverPlace; to: FailoverPlace },
    more: Partial<Failover>,
  ): Failover => ({
    id: newId('failover', clock.now(), deps.random),
    ...{ kind, targetId, from: places.from.id, to: places.to.id, state: 'running', phase: failoverPhases[kind][0] },
    ...{ pointId: null, checkpointId: null, operationId: null, outcome: null, forced: false, requestedBy },
    createdMs: clock.now(),
    finishedMs: null,
    facts: noFacts,
    ...more,
  });

  const job = createReconciler({
    name: 'failover resume',
    intervalMs: lookMs,
    clock,
    log: deps.log,
    async run() {
      for (const targetId of deps.targetIds()) if (!here.has(targetId)) await follow(targetId);
      const left = await store.running();
      if (!left || !deps.enabled() || here.has(left.targetId)) return;
      const operation = left.operationId === null ? undefined : await operations.find(left.operationId);
      if (operation?.state === 'running') return;
      deps.requireTarget(left.targetId);
      const lives = left.facts.lives + 1;
      deps.log.warn({ failover: left.id, phase: left.phase, lives }, 'a half-done failover goes on');
      await begin({ ...left, facts: { ...left.facts, lives } }, undefined);
    },
  });

  const settler = async (operation: Operation): Promise<SettledOutcome> => {
    const left = operation.targetId === null ? undefined : await store.running(operation.targetId);
    return left
      ? {
          message: `The ${left.kind} ${left.id} was interrupted in the phase ${left.phase}, and ${left.facts.retreating === null ? 'goes on' : 'goes back'} by itself.`,
          data: { failover_id: left.id },
        }
      : { message: 'It was interrupted before anything was done, or after all was done.', severity: 'info' };
  };

  return {
    require,
    job,
    settlers: Object.fromEntries(Object.values(kinds).map((kind) => [kind, settler])),
    async plan({ targetId, pointId }, signal) {
      requireEnabled();
      await follow(targetId);
      return planFailover(deps, { targetId, pointId: pointId ?? null }, signal);
    },

    async start(request) {
      const admitted = await admit(
        request,
        ({ from, to }) => `Failing over stops ${request.targetId} at ${from.id} and brings it up at ${to.id}.`,
      );
      if ('repeated' in admitted) return admitted.repeated;
      const { places } = admitted;
      const wanted = { targetId: request.targetId, pointId: request.pointId ?? null };
      const plan = await planFailover(deps, wanted, new AbortController().signal);
      if (request.planId !== undefined && request.planId !== plan.planId)
        throw new AppError(
          'restore/plan-changed',
          'Things have changed since that plan was made. Look at the new plan and confirm that one.',
        );
      if (plan.blockers.length > 0)
        throw new AppError('restore/blocked', `The failover cannot be carried out: ${plan.blockers.join('; ')}.`);
      return begin(
        fresh('failover', request, places, {
          pointId: wanted.pointId,
          checkpointId: request.checkpointId ?? null,
          forced: request.force,
        }),
        request.idempotency,
      );
    },

    async reseed(request) {
      const admitted = await admit(
        request,
        ({ to }) => `Reseeding replaces what lies at ${to.id}; it is put aside there.`,
      );
      if ('repeated' in admitted) return admitted.repeated;
      const { from, to } = admitted.places;
      if (request.place !== undefined && request.place !== to.id)
        throw new AppError(
          'conflict/state',
          `${request.targetId} lives at ${from.id} by now, so that is not the place to fill: ${to.id} is. Look where it lives, and confirm anew.`,
        );
      return begin(fresh('reseed', request, admitted.places, {}), request.idempotency);
    },
  };
}

/** The process ends, or another one took over: whoever lives on goes on, and nothing is undone. */
const isOverForNow = (reason: unknown): boolean =>
  isAppError(reason) && (reason.code === 'internal/stopping' || reason.code === 'operation/lease-lost');

function endOf(failover: Failover): Pick<Failover, 'state' | 'outcome'> {
  const { kind, targetId, from, to, pointId, facts } = failover;
  if (kind === 'reseed')
    return {
      state: 'succeeded',
      outcome: `${to} holds ${pointId} of ${targetId} now and stands by, stopped; ${targetId} lives at ${from}.`,
    };
  const red = facts.canary !== null && !['passed', 'not-asked'].includes(facts.canary.verdict);
  return {
    state: red ? 'partial' : 'succeeded',
    outcome: `${targetId} lives at ${to} now, from ${pointId}${red ? `, and its canary fails: ${facts.canary?.message ?? facts.canary?.verdict}` : ''}. Reseed ${from} when it can be reached again.`,
  };
}

/** Back to where the target lived, as far as that can be; the sentence tells how it stands. Each step of it can be done twice. */
async function retreat(
  work: {
    deps: FailoverDeps;
    target: FailoverTarget;
    from: FailoverPlace;
    to: FailoverPlace;
    run: FailoverRun;
    context: OperationContext;
  },
  why: string,
): Promise<Pick<Failover, 'state' | 'outcome'>> {
  const { deps, target, from, to, run, context } = work;
  const { targetId, facts } = run.current();
  // Whoever cancels does not ask for a target that is left lying between two places.
  const { signal } = new AbortController();
  const attempt = (what: string, work: () => Promise<void>): Promise<string | undefined> =>
    work().then(
      () => undefined,
      (err: unknown) => {
        deps.log.error({ err, failover: run.current().id }, what);
        return `${what}: ${describeError(err)}`;
      },
    );
  const stopOther = () =>
    attempt(`${to.id} could not be stopped`, async () => {
      if ((await to.lifecycle.findSignOfLife()) !== undefined) await to.lifecycle.stop(signal);
      to.lifecycle.expectUp();
    });
  const startFrom = () => attempt(`${from.id} could not be started again`, () => from.lifecycle.start(signal));
  const how = decideRetreat(run.current());
  if (how === 'nothing') return { state: 'failed', outcome: `${why} ${targetId} lives at ${from.id} as before.` };
  if (how === 'stay')
    return {
      state: 'partial',
      outcome: `${why} ${targetId} lives at ${to.id}, since ${from.id} was dead when it began.`,
    };
  const troubles: (string | undefined)[] = [];
  if (how === 'switch-back') {
    await deps.db.unit((tx) => deps.store.writeActivePlace(tx, targetId, from.id));
    await target.switchTo(from.id);
    await run.note({ switchedMs: null });
  }
  const reached = facts.phases.some(({ name }) => name === 'starting');
  if (reached) troubles.push(await stopOther());
  await deps.step('failover:taken-back');
  const fenced = facts.phases.some(({ name }) => name === 'fencing');
  if (fenced && facts.fromAnswered === true) troubles.push(await startFrom());
  const trouble = troubles.filter((one) => one !== undefined);
  context.log.warn({ failover: run.current().id, trouble }, 'the failover was taken back');
  return {
    state: 'failed',
    outcome: [
      why,
      `${targetId} lives at ${from.id} as before${facts.fromAnswered === true ? (trouble.length === 0 ? ', and runs there' : '') : ', where it was dead when it began'}.`,
      ...trouble.map((one) => `${one.replace(/\.$/, '')}.`),
    ].join(' '),
  };
}
