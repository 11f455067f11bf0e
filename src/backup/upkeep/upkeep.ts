import type { Operation, OperationContext, Operations, SettledOutcome } from '../../operations/index.ts';
import { AppError, isAppError } from '../../platform/errors.ts';
import type { BackupDeps } from '../backup-deps.ts';
import { requireRepository } from '../catalogue/index.ts';
import type { RepositoryLock } from '../repository/index.ts';
import type { RetentionItem } from '../retention.ts';
import { forgetPoints } from './forget.ts';
import {
  decideUpkeep,
  freshRecord,
  lateSentence,
  type UpkeepKind,
  type UpkeepPolicy,
  type UpkeepRecord,
  type UpkeepState,
  upkeepKinds,
  upkeepRecord,
} from './upkeep-record.ts';

type Started = {
  readonly requestedBy: string;
  readonly idempotency?: Parameters<Operations['start']>[0]['idempotency'];
};

export type CheckWanted = {
  /** Bytes too: all, or a part such as `10%`, `1/7`, `500M`. Unless told, the part whose turn it is. */
  readonly readData?: 'all' | 'none' | undefined;
  readonly subset?: string | undefined;
};

export type Upkeep = {
  /** Drops what retention gives up, and what belongs to no point. Frees nothing: `prune` does. */
  forget(request: Started & { targetId: string; dryRun?: boolean }): Promise<Operation>;
  prune(request: Started): Promise<Operation>;
  check(request: Started & CheckWanted): Promise<Operation>;
  /** Removes locks whose holder is proved to be dead: those that are named, or all. Any other stays. */
  unlock(request: Started & { lockIds?: readonly string[] | undefined }): Promise<Operation>;
  /** One run of what is due, after another. */
  runDue(targetIds: readonly string[], signal: AbortSignal): Promise<void>;
  /** Somebody else read all of the repository just now and found it sound, as after it was healed. */
  noteSound(): Promise<void>;
  states(): Promise<readonly UpkeepState[]>;
  /** As last read; for metrics, which never wait. */
  lastStates(): readonly UpkeepState[];
  readonly settlers: Readonly<Record<string, () => Promise<SettledOutcome>>>;
};

export type UpkeepDeps = BackupDeps & {
  readonly operations: Operations;
  readonly upkeep: UpkeepPolicy & { readonly retentionDays: number };
  requireAvailable(): Promise<void>;
  planRetention(targetId: string): Promise<readonly RetentionItem[]>;
  /** Told of every run that failed. */
  onUpkeepFailed?(kind: UpkeepKind): void;
};

/** Forgetting, pruning, checking and unlocking: each its own operation, with its own record of success and failure. */
export function createUpkeep(deps: UpkeepDeps): Upkeep {
  const { operations, points, db, events, clock, log, repository } = deps;
  let last: readonly UpkeepState[] = [];

  /** The same text is the same record; it is asked for every few seconds. */
  const parsed = new Map<UpkeepKind, { readonly text: string; readonly record: UpkeepRecord }>();
  const readRecord = async (kind: UpkeepKind): Promise<UpkeepRecord> => {
    const text = await points.readSetting(`upkeep.${kind}`);
    if (text !== undefined) {
      const known = parsed.get(kind);
      if (known?.text === text) return known.record;
      const record = upkeepRecord.parse(JSON.parse(text));
      parsed.set(kind, { text, record });
      return record;
    }
    const fresh = freshRecord(clock.now());
    await db.unit((tx) => points.writeSetting(tx, `upkeep.${kind}`, JSON.stringify(fresh)));
    return fresh;
  };

  const states = async (): Promise<readonly UpkeepState[]> => {
    const records = await Promise.all(upkeepKinds.map(readRecord));
    const nowMs = clock.now();
    last = records.map((record, at) => decideUpkeep(upkeepKinds[at] ?? 'forget', record, deps.upkeep, nowMs));
    return last;
  };

  const begin = async (
    kind: UpkeepKind | 'unlock',
    request: Started & { targetId?: string; input?: object; counts?: boolean; exclusive?: boolean },
    run: (context: OperationContext) => Promise<unknown>,
  ): Promise<Operation> => {
    await deps.requireAvailable();
    const { requestedBy, idempotency, targetId } = request;
    const name = `repository.${kind}`;
    const [busy] = await operations.list({ state: 'running', kind: name, limit: 1 });
    if (busy && targetId === undefined)
      throw new AppError('operation/busy', `The operation ${busy.id} does the same already.`, {
        context: { operationId: busy.id },
      });
    const counts = kind !== 'unlock' && request.counts !== false;
    const before = counts ? await readRecord(kind) : undefined;
    const operation = await operations.start<unknown, unknown>({
      kind: name,
      targetId,
      input: request.input ?? {},
      requestedBy,
      idempotency,
      ...(request.exclusive === undefined ? {} : { exclusive: request.exclusive }),
      run,
      async concluded(tx, ended) {
        if (!before || kind === 'unlock') return;
        const next = recordAfter(kind, before, ended, deps.upkeep.checkParts);
        await points.writeSetting(tx, `upkeep.${kind}`, JSON.stringify(next));
        if (ended.state === 'failed') deps.onUpkeepFailed?.(kind);
      },
    });
    await db.unit((tx) =>
      events.audit(tx, { actor: requestedBy, action: name, object: operation.id, outcome: 'done' }),
    );
    return operation;
  };

  const forget: Upkeep['forget'] = async ({ targetId, dryRun = false, ...request }) => {
    deps.requireTarget(targetId);
    const planned = await deps.planRetention(targetId);
    // Leftovers are nobody's: only where a point goes must nobody else be at work with it.
    const exclusive = !dryRun && planned.some((item) => item.action === 'forget');
    const facts = { targetId, input: { targetId, dryRun }, counts: !dryRun, exclusive };
    return begin('forget', { ...request, ...facts }, async (context) =>
      forgetPoints(
        deps,
        {
          targetId,
          items: exclusive ? await deps.planRetention(targetId) : planned,
          retentionDays: deps.upkeep.retentionDays,
        },
        { dryRun },
        context,
      ),
    );
  };

  const prune: Upkeep['prune'] = (request) =>
    begin('prune', request, async (context) => {
      await context.phase('pruning');
      await requireRepository(deps, context);
      await deps.step('prune:begun');
      const call = { signal: context.signal, operationId: context.id };
      const pruned = await repository.prune(call).catch((err: unknown) => {
        if (!isAppError(err) || err.code !== 'storage/full') throw err;
        // Without repacking nothing is written before something was freed.
        log.warn({ repository: repository.location.display }, 'no space to repack: only whole packs are removed');
        return repository.prune({ ...call, withoutRepacking: true });
      });
      await deps.step('prune:done');
      await db.unit((tx) =>
        events.record(tx, {
          type: 'repository.pruned',
          severity: 'info',
          operationId: context.id,
          message:
            pruned.freedBytes === null ? 'The repository was pruned.' : `Pruning freed ${pruned.freedBytes} bytes.`,
          data: { freed_bytes: pruned.freedBytes },
        }),
      );
      return { freed_bytes: pruned.freedBytes, duration: pruned.durationMs / 1_000 };
    });

  const check: Upkeep['check'] = ({ readData, subset, ...request }) =>
    begin('check', { ...request, input: { readData: readData ?? null, subset: subset ?? null } }, async (context) => {
      const wanted = wantedCheck(deps, { readData, subset }, await readRecord('check'));
      await context.phase(wanted.readData === 'none' ? 'checking' : 'reading');
      await requireRepository(deps, context);
      await deps.step('check:begun');
      const found = await repository.check({ ...wanted, signal: context.signal, operationId: context.id });
      if (!found.ok) await tellDamage(deps, found.findings, context);
      return {
        sound: true,
        read_data: wanted.readData,
        subset: wanted.subset ?? null,
        duration: found.durationMs / 1_000,
      };
    });

  const unlock: Upkeep['unlock'] = ({ lockIds, ...request }) =>
    begin('unlock', { ...request, input: { lockIds: lockIds ?? null } }, async (context) => {
      await context.phase('unlocking');
      const call = { signal: context.signal, operationId: context.id };
      const all = await repository.locks(call);
      const missing = lockIds?.find((id) => !all.some((lock) => lock.id === id));
      if (missing !== undefined) throw new AppError('conflict/state', `The repository has no lock ${missing}.`);
      const isDead = ({ holder }: RepositoryLock): boolean => holder === 'dead' || holder === 'ours-dead';
      const doomed = all.filter((lock) => lockIds?.includes(lock.id) ?? isDead(lock));
      if (doomed.length > 0) await repository.unlock({ ...call, lockIds: doomed.map(({ id }) => id) });
      return {
        removed: doomed.map(lockBody),
        remaining: all.filter((lock) => !doomed.includes(lock)).map(lockBody),
      };
    });

  const tellLate = async (state: UpkeepState): Promise<void> => {
    const ofMs = state.lastSuccessMs ?? state.sinceMs;
    if (!state.late || state.toldLateMs === ofMs) return;
    const record = await readRecord(state.kind);
    await db.unit(async (tx) => {
      await points.writeSetting(tx, `upkeep.${state.kind}`, JSON.stringify({ ...record, toldLateMs: ofMs }));
      await events.record(tx, {
        type: 'repository.upkeep-late',
        severity: 'warning',
        message: `${lateSentence(state)}${state.lastError === null ? '' : ` The last failure: ${state.lastError}`}`,
        data: { operation: state.kind, last_success_ms: state.lastSuccessMs },
      });
    });
  };

  const runOne = async (kind: UpkeepKind, targetIds: readonly string[], signal: AbortSignal): Promise<void> => {
    const request = { requestedBy: 'ragwarden' };
    const start: Record<UpkeepKind, readonly (() => Promise<Operation>)[]> = {
      forget: targetIds.map((targetId) => () => forget({ ...request, targetId })),
      prune: [() => prune(request)],
      check: [() => check(request)],
    };
    for (const next of start[kind]) {
      if (signal.aborted) return;
      try {
        await operations.wait((await next()).id, { signal });
      } catch (err) {
        // Somebody else works there: not a failure, the next look comes soon.
        if (!isAppError(err) || (err.code !== 'operation/busy' && err.code !== 'internal/stopping')) throw err;
      }
    }
  };

  return {
    forget,
    prune,
    check,
    unlock,
    async noteSound() {
      const record = { ...(await readRecord('check')), lastSuccessMs: clock.now(), lastError: null };
      await db.unit((tx) => points.writeSetting(tx, 'upkeep.check', JSON.stringify(record)));
    },
    states,
    lastStates: () => last,
    async runDue(targetIds, signal) {
      // Before the first point there is nothing to keep in order, and often no repository.
      if ((await points.countRows()) === 0) return;
      for (const { kind, nextMs } of await states())
        if (!signal.aborted && nextMs !== null && nextMs <= clock.now()) await runOne(kind, targetIds, signal);
      for (const state of await states()) await tellLate(state);
    },
    settlers: Object.fromEntries(
      [...upkeepKinds.map((kind) => `repository.${kind}`), 'repository.unlock', 'backup.retain'].map((name) => [
        name,
        async (): Promise<SettledOutcome> => ({
          message: 'It ended with the process. What it had done stands; the next run goes on.',
          severity: 'info',
        }),
      ]),
    ),
  };
}

function recordAfter(kind: UpkeepKind, before: UpkeepRecord, ended: Operation, checkParts: number): UpkeepRecord {
  const endedMs = ended.finishedMs ?? ended.createdMs;
  if (ended.state === 'succeeded')
    return {
      ...before,
      lastSuccessMs: endedMs,
      lastError: null,
      nextPart:
        kind === 'check' && isTurn(ended.input) ? (before.nextPart % Math.max(checkParts, 1)) + 1 : before.nextPart,
    };
  // Who cancels it, or stops ragwarden, knows.
  if (ended.state !== 'failed') return before;
  return { ...before, lastFailureMs: endedMs, lastError: ended.error?.detail ?? 'no reason was told' };
}

const isTurn = (input: unknown): boolean =>
  typeof input === 'object' &&
  input !== null &&
  'readData' in input &&
  input.readData === null &&
  'subset' in input &&
  input.subset === null;

function wantedCheck(
  { upkeep }: Pick<UpkeepDeps, 'upkeep'>,
  { readData, subset }: CheckWanted,
  { nextPart }: UpkeepRecord,
): { readData: 'none' | 'subset' | 'all'; subset?: string } {
  if (subset !== undefined) return { readData: 'subset', subset };
  if (readData !== undefined) return { readData };
  const { checkParts } = upkeep;
  if (checkParts <= 0) return { readData: 'none' };
  return checkParts === 1
    ? { readData: 'all' }
    : { readData: 'subset', subset: `${Math.min(nextPart, checkParts)}/${checkParts}` };
}

/** @throws AppError `repository/damaged`, always */
async function tellDamage(deps: UpkeepDeps, findings: readonly string[], context: OperationContext): Promise<never> {
  const detail = `The repository ${deps.repository.location.display} is damaged: ${findings[0] ?? 'no finding was named'}${findings.length > 1 ? ` (and ${findings.length - 1} more)` : ''}.`;
  await deps.db.unit((tx) =>
    deps.events.record(tx, {
      type: 'repository.damaged',
      severity: 'critical',
      operationId: context.id,
      message: detail,
      data: { findings: findings.slice(0, 20) },
    }),
  );
  throw new AppError('repository/damaged', detail, { context: { findings: findings.slice(0, 50) } });
}

export const lockBody = (lock: RepositoryLock) => ({
  id: lock.id,
  host: lock.host,
  pid: lock.pid,
  username: lock.username,
  created_at: new Date(lock.createdAtMs).toISOString(),
  exclusive: lock.exclusive,
  holder: lock.holder,
});
