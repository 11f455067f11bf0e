import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Alerts } from '../alerts/index.ts';
import type { CheckResult, HealthCheck } from '../health/index.ts';
import type { Notify } from '../notify/index.ts';
import { describeError } from '../platform/errors.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { createFactStore } from '../system/index.ts';
import type { Ground } from './ground.ts';
import {
  judgeEvaluation,
  judgeOutbox,
  judgeScheduler,
  judgeStateFile,
  type OutboxFacts,
  type StateFileFacts,
} from './judge-own-parts.ts';

const intervalMs = 60_000;
const staleMs = 5 * intervalMs;
/** More dead letters than this are not counted. */
const mostDead = 50;

type Look = () => Promise<CheckResult>;

/** Looks at ragwarden's own parts that lie in its state: once a minute, a few short reads and one small write. */
export function createOwnParts(
  ground: Pick<Ground, 'config' | 'clock' | 'db' | 'eventLog' | 'operations' | 'logOf'>,
  parts: { readonly outbox: Notify['outbox']; readonly alerts: Alerts; readonly startedMs: number },
): { readonly job: Reconciler; readonly checks: readonly HealthCheck[] } {
  const { config, clock, operations } = ground;
  const { place, instance } = config.state;
  const evaluates = config.alerts.enabled && config.metrics.enabled;
  const looks: Record<string, Look> = {
    scheduler: async () => judgeScheduler({ ends: await operations.lastEnds() }, clock.now()),
    outbox: async () => judgeOutbox(await readOutbox(parts.outbox), clock.now()),
    ...(evaluates
      ? {
          'alert evaluation': async () => {
            const { evaluation } = parts.alerts;
            const evaluator = await evaluation.evaluator();
            const last = evaluation.lastFacts();
            const { intervalMs: every } = evaluation.job.state();
            return judgeEvaluation(
              { evaluator, instance, last, intervalMs: every, startedMs: parts.startedMs },
              clock.now(),
            );
          },
        }
      : {}),
    // On a server it comes and goes, and is watched more closely.
    ...(place.kind === 'sqlite'
      ? { 'state database': async () => judgeStateFile(await readStateFile(ground, place.path), clock.now()) }
      : {}),
  };
  const seen = new Map<string, CheckResult>();
  const under = new Map<string, Promise<void>>();
  /** Whoever asks while it is looked at gets the same look. */
  const lookAt = (name: string, look: Look): Promise<void> => {
    const joined =
      under.get(name) ??
      look()
        // What cannot be read says so itself, or grows old.
        .then(
          (result) => void seen.set(name, result),
          () => undefined,
        )
        .finally(() => under.delete(name));
    under.set(name, joined);
    return joined;
  };
  const job = createReconciler({
    name: 'own parts',
    intervalMs,
    // Everything was opened and written just before.
    runAtStart: false,
    clock,
    log: ground.logOf('health'),
    async run() {
      for (const [name, look] of Object.entries(looks)) await lookAt(name, look);
    },
  });
  const check = ([name, look]: readonly [string, Look]): HealthCheck => ({
    name,
    kind: name === 'state database' ? 'database' : 'application',
    about: 'own',
    refresh: () => lookAt(name, look),
    read() {
      const last = seen.get(name);
      if (last === undefined)
        return { status: 'healthy', message: 'It was begun; the first look follows.', atMs: parts.startedMs };
      return clock.now() - (last.atMs ?? 0) > staleMs
        ? { status: 'unknown', message: 'Not looked at for a while.', atMs: last.atMs }
        : last;
    },
  });
  return { job, checks: Object.entries(looks).map(check) };
}

async function readOutbox(outbox: Notify['outbox']): Promise<OutboxFacts> {
  const dead = await outbox.list({ state: 'dead' }, mostDead);
  return {
    ...(await outbox.backlog()),
    deadMs: dead.flatMap(({ groupId, finishedMs }) => (groupId === null || finishedMs === null ? [] : [finishedMs])),
  };
}

async function readStateFile(
  { clock, db, eventLog }: Pick<Ground, 'clock' | 'db' | 'eventLog'>,
  path: string,
): Promise<StateFileFacts> {
  const sizes = await Promise.all(
    [path, `${path}-wal`].map((file) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const freeBytes = await statfs(dirname(path)).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
  let readMs: number | undefined;
  try {
    const startedMs = clock.monotonic();
    await eventLog.lastSeq();
    readMs = clock.monotonic() - startedMs;
    // An empty unit writes nothing, and a full disk lets it pass.
    await db.unit((tx) => createFactStore(db).write(tx, 'state looked at', '', clock.now()));
    return { error: null, readMs, writeMs: clock.monotonic() - startedMs - readMs, bytes, freeBytes };
  } catch (err) {
    return { error: describeError(err), readMs, writeMs: undefined, bytes, freeBytes };
  }
}
