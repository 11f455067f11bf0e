import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { planRecovery, recoverPoint, setFolderAside } from '../../backup/index.ts';
import type { OperationContext } from '../../operations/index.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import { chooseSource, type FoundSource } from './choose-source.ts';
import {
  beginPhase,
  endPhase,
  type Failover,
  type FailoverFacts,
  type FailoverPhase,
  failoverPhases,
  nextPhase,
} from './failover.ts';
import type { FailoverDeps, FailoverPlace, FailoverTarget } from './failover-deps.ts';
import { isEmpty, notOfAPlace } from './plan-failover.ts';

/** Keeps the row true: whatever is known is on disk before the next thing is done. */
export type FailoverRun = {
  current(): Failover;
  write(change: Partial<Failover>): Promise<void>;
  note(facts: Partial<FailoverFacts>): Promise<void>;
};

type Work = {
  readonly deps: FailoverDeps;
  readonly target: FailoverTarget;
  readonly from: FailoverPlace;
  readonly to: FailoverPlace;
  readonly run: FailoverRun;
  readonly context: OperationContext;
};

/** From the phase where it stands to its end. @throws what a phase throws; the row then says which */
export async function runPhases(work: Work): Promise<void> {
  const { deps, run, context } = work;
  // Whoever started the place that is left in between would write beside the other one, also after the switch.
  const order: readonly FailoverPhase[] = failoverPhases[run.current().kind];
  const fenced = order.indexOf('fencing');
  const at = order.indexOf(run.current().phase);
  if (fenced >= 0 && at > fenced) await fence(work);
  // A backend that is our own child ended with the life that had started it; one that runs is left as it is.
  const begun = order.indexOf('starting');
  if (begun >= 0 && at > begun) await work.to.lifecycle.start(context.signal, (message) => context.log.info(message));
  for (let phase: FailoverPhase | undefined = run.current().phase; phase; ) {
    context.signal.throwIfAborted();
    await context.checkHeld();
    await run.write({ phase, facts: beginPhase(run.current().facts, phase, deps.clock.now()) });
    await context.phase(phase);
    await deps.step(`failover:${phase}`);
    await phases[phase](work);
    await run.write({ facts: endPhase(run.current().facts, phase, deps.clock.now()) });
    phase = nextPhase(run.current().kind, phase);
  }
}

const phases: Readonly<Record<FailoverPhase, (work: Work) => Promise<void>>> = {
  taking: async ({ deps, run, context }) => {
    const { targetId, requestedBy } = run.current();
    const taken = await deps.takePoint(targetId, requestedBy);
    const ended = await deps.operations.wait(taken.id, { signal: context.signal });
    context.signal.throwIfAborted();
    if (ended.state !== 'succeeded')
      throw new AppError(
        'recovery/failover-failed',
        `The point of the new place was not taken: ${ended.error?.detail ?? ended.state}.`,
      );
    await run.write({ pointId: taken.pointId });
  },

  choosing: async ({ deps, run, context }) => {
    const { targetId, pointId } = run.current();
    const { found, notes } = await chooseSource(deps, { targetId, pointId }, context.signal);
    const [best] = found;
    if (!best) throw new AppError('backup/unknown-point', `There is no verified point of ${targetId}.`);
    const bytes = best.point.manifest.components.reduce((sum, one) => sum + one.bytes, 0);
    await run.write({ pointId: best.point.id });
    await run.note({ source: best.source.id, takenMs: best.point.takenMs, bytes });
    for (const one of notes) await noteOnce(run, one);
  },

  fencing: (work) => fence(work),
  restoring: (work) => restore(work),

  starting: async ({ to, context }) => {
    await to.lifecycle.start(context.signal, (message) => context.log.info(message));
  },

  checking: async (work) => {
    const { deps, run, to, context } = work;
    const { seen, amiss } = await to.look(context.signal);
    if (!seen.reachable) throw failed(`nothing answers at ${to.url ?? to.id}`);
    if (amiss[0] !== undefined) throw failed(`what answers at ${to.url ?? to.id} is not this place: ${amiss[0]}`);
    const canary = await to.askCanary(context.signal);
    const { targetId, pointId, forced } = run.current();
    const point = pointId === null ? undefined : await deps.points.find(pointId);
    const expected = point?.manifest?.documents?.processed ?? null;
    const found = seen.documents?.processed ?? null;
    await run.note({ canary, documents: { expected, found } });
    if (expected !== null && found !== null && expected !== found) {
      const differs = `${targetId} counts ${found} processed documents at ${to.id} where the point has ${expected}`;
      if (!forced) throw failed(differs);
      await noteOnce(run, differs);
    }
    if (canary.verdict !== 'passed' && canary.verdict !== 'not-asked' && !forced)
      throw failed(canary.message ?? `the canary at ${to.id}: ${canary.verdict}`);
  },

  switching: async ({ deps, run, target, to }) => {
    const { id, targetId, from, requestedBy, operationId, facts } = run.current();
    const switched = { ...facts, switchedMs: facts.switchedMs ?? deps.clock.now() };
    await deps.db.unit(async (tx) => {
      await deps.store.writeActivePlace(tx, targetId, to.id);
      await deps.store.update(tx, { ...run.current(), facts: switched });
      if (facts.switchedMs !== null) return;
      await deps.events.record(tx, {
        type: 'recovery.failover-switched',
        severity: 'warning',
        targetId,
        ...(operationId === null ? {} : { operationId }),
        message: `${targetId} lives at ${to.id} now; it lived at ${from}.`,
        data: { failover: id, from, to: to.id },
      });
      await deps.events.audit(tx, {
        actor: requestedBy,
        action: 'recovery.switch-place',
        object: targetId,
        outcome: 'done',
        data: { failover: id, from, to: to.id },
      });
    });
    await run.note({ switchedMs: switched.switchedMs });
    await deps.step('failover:switched');
    await target.switchTo(to.id);
  },

  verifying: async ({ run, target, context }) => {
    const answer = await target.askThroughGateway(context.signal);
    if (answer.verdict === 'not-asked') await noteOnce(run, answer.message ?? 'nobody asked through the gateway');
    else if (answer.verdict === 'passed') {
      // That it answers says nothing of a canary that nobody set.
      if (run.current().facts.canary?.verdict !== 'not-asked') await run.note({ canary: answer });
    } else if (run.current().forced) {
      await run.note({ canary: answer });
      await noteOnce(run, answer.message ?? 'the canary fails');
    } else throw failed(answer.message ?? `it does not answer through the gateway: ${answer.verdict}`);
  },
};

/** The place that is left must not go on writing. @throws AppError `recovery/failover-failed` while it answers */
async function fence({ deps, run, from, context }: Work): Promise<void> {
  const alive = await from.lifecycle.findSignOfLife();
  if (run.current().facts.fromAnswered === null) await run.note({ fromAnswered: alive !== undefined });
  try {
    await from.lifecycle.stop(context.signal, (message) => context.log.info(message));
  } catch (err) {
    context.signal.throwIfAborted();
    const still = await from.lifecycle.findSignOfLife();
    if (still !== undefined && !run.current().forced)
      throw failed(
        `the place that is left is still alive (${still}) and could not be stopped: ${describeError(err)} Stop it, or force the failover`,
      );
    await noteOnce(run, `that ${from.id} is down could not be proved: ${describeError(err)}`);
  } finally {
    // Its being gone is what this is about; whether the target is well is told of the other place.
    from.lifecycle.expectUp();
  }
  await deps.step('failover:fenced');
}

async function restore(work: Work): Promise<void> {
  const { deps, run, to, context } = work;
  const { targetId, pointId } = run.current();
  const folders = [...to.folders.values()];
  const empty = (await Promise.all(folders.map(isEmpty))).every(Boolean);
  // Where nothing is and nobody answers nobody holds anything.
  if (!empty || (await to.lifecycle.findSignOfLife()) !== undefined) {
    await to.lifecycle.stop(context.signal, (message) => context.log.info(message));
    to.lifecycle.expectUp();
  }
  const { found } = await chooseSource(deps, { targetId, pointId }, context.signal);
  const preferred = run.current().facts.source;
  const inOrder = [
    ...found.filter(({ source }) => source.id === preferred),
    ...found.filter(({ source }) => source.id !== preferred),
  ];
  let last: unknown;
  for (const one of inOrder) {
    try {
      await restoreFrom(work, one);
      await run.note({ source: one.source.id });
      return;
    } catch (err) {
      context.signal.throwIfAborted();
      await noteOnce(run, `${one.source.title} could not give the point: ${describeError(err)}`);
      last = err;
    }
  }
  throw last;
}

async function restoreFrom(work: Work, found: FoundSource): Promise<void> {
  const { deps, run, to, context } = work;
  const scratchDir = join(deps.scratchDir, run.current().id);
  await rm(scratchDir, { recursive: true, force: true });
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  const { components } = found.point.manifest;
  const without = new Set(
    components.filter((one) => notOfAPlace(one) !== undefined || to.shared.has(one.name)).map(({ name }) => name),
  );
  const mine = components.filter(({ name }) => !without.has(name));
  const placeless = mine.find(({ name }) => !to.folders.has(name));
  if (placeless) throw failed(`${placeless.name}: ${to.id} has no place for it`);
  const places = {
    folders: new Map(mine.map(({ name }) => [name, to.folders.get(name) ?? ''])),
    without,
    besideDir: join(scratchDir, 'beside'),
    stateFile: undefined,
    scratchDir,
    restorerOf: () => undefined,
  };
  try {
    const { repository, point } = await found.open(join(scratchDir, 'brought'), context.signal);
    let plan = await planRecovery({ repository }, point, places, context.signal);
    if (plan.blockers.length > 0) {
      // What lies there is not this point, nor a part of it: it is kept beside.
      const ready = new Set(plan.parts.map(({ component }) => component.name));
      for (const { name } of mine) {
        const folder = to.folders.get(name);
        if (ready.has(name) || folder === undefined) continue;
        await context.checkHeld();
        const moved = await setFolderAside(folder, context.id);
        if (moved > 0)
          await noteOnce(run, `${moved} entries that lay in ${folder} were put aside (.ragwarden/undo-${context.id})`);
      }
      await deps.step('failover:set-aside');
      plan = await planRecovery({ repository }, point, places, context.signal);
    }
    await context.checkHeld();
    await recoverPoint(
      {
        repository,
        log: context.log,
        scratchDir,
        step: (name) => deps.step(`failover:${name}`),
        tell: (message) => context.log.info(message),
      },
      plan,
      context.signal,
    );
  } finally {
    await rm(scratchDir, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function noteOnce(run: FailoverRun, sentence: string): Promise<void> {
  const { notes } = run.current().facts;
  if (!notes.includes(sentence)) await run.note({ notes: [...notes, sentence].slice(0, 50) });
}

const failed = (why: string): AppError =>
  new AppError('recovery/failover-failed', `${why.slice(0, 1).toUpperCase()}${why.slice(1).replace(/\.$/, '')}.`);
