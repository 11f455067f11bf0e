import { unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { EventRecorder } from '../../events/index.ts';
import type { Operation, OperationContext, Operations } from '../../operations/index.ts';
import type { ChildProcesses } from '../../platform/child-processes/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { AppError, describeError, systemCode } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import { createReconciler, type Reconciler } from '../../platform/reconciler.ts';
import { type FoundLog, findLogs, type LogFolder } from './log-files.ts';
import { type PlannedLog, planCleanup, planRotation } from './plan-logs.ts';
import { compressQuiet, LeftAlone, type SetAside, setAsideByCopy, setAsideByRename } from './set-aside.ts';
import { findWriters } from './writers.ts';

export type LogSettings = {
  readonly rotateOverBytes: number;
  readonly rotateAfterMs: number;
  readonly keepDays: number;
};

export type FailedLog = { readonly file: string; readonly reason: string };
export type RotationResult = {
  readonly atMs: number;
  readonly rotated: readonly (SetAside & { readonly original: string })[];
  /** Set aside earlier and compressed now. */
  readonly compressed: readonly string[];
  readonly failed: readonly FailedLog[];
};
export type CleanupResult = {
  readonly atMs: number;
  readonly deleted: readonly { readonly file: string; readonly bytes: number; readonly ageDays: number }[];
  readonly failed: readonly FailedLog[];
};
export type LogPlan = {
  readonly folder: LogFolder;
  readonly unreadable: string | undefined;
  readonly rotation: readonly PlannedLog[];
  readonly cleanup: readonly PlannedLog[];
};

type Asked = { readonly requestedBy: string; readonly idempotency?: Parameters<Operations['start']>[0]['idempotency'] };

export type Logs = {
  readonly folders: readonly LogFolder[];
  /** What a rotation and a cleanup would do now; does nothing. */
  plan(options?: { all?: boolean | undefined; keepDays?: number | undefined }): Promise<readonly LogPlan[]>;
  /** @param all every log that holds something, whatever its size. @throws AppError `conflict/state` without a log */
  rotate(options: Asked & { all: boolean }): Promise<Operation>;
  cleanup(options: Asked & { keepDays: number | undefined }): Promise<Operation>;
  /** Looks on a schedule; undefined where there is no log to look after. */
  readonly job: Reconciler | undefined;
};

const dayMs = 86_400_000;

/** Sets logs aside and deletes old ones: ours, and those of registered folders. One file that fails keeps no other waiting. */
export function createLogs(options: {
  file: string | undefined;
  /** Opens our own log anew, after it was moved. */
  reopen: () => void;
  folders: readonly LogFolder[];
  /** Read at each run. */
  settings(): LogSettings;
  intervalMs: number;
  operations: Operations;
  events: EventRecorder;
  db: Database;
  children: Pick<ChildProcesses, 'run'>;
  clock: Clock;
  log: Logger;
}): Logs {
  const { operations, events, db, children, clock, log, settings } = options;
  const own: readonly LogFolder[] =
    options.file === undefined
      ? []
      : [{ path: dirname(options.file), pattern: basename(options.file), how: 'reopen', recursive: false }];
  const folders = [...own, ...options.folders];
  /** Never two at once, whoever asks. */
  let last: Promise<unknown> = Promise.resolve();
  const oneByOne = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };

  const setAside = (folder: LogFolder, file: FoundLog, nowMs: number, signal: AbortSignal): Promise<SetAside> =>
    folder.how === 'copy-truncate'
      ? setAsideByCopy(file, nowMs, children, signal)
      : setAsideByRename(file, nowMs, folder.how === 'reopen' ? options.reopen : undefined);

  const rotateNow = (all: boolean, signal: AbortSignal, context?: OperationContext): Promise<RotationResult> =>
    oneByOne(async () => {
      const nowMs = clock.now();
      const { rotateOverBytes: overBytes, rotateAfterMs: afterMs } = settings();
      const rotated: (SetAside & { original: string })[] = [];
      const compressed: string[] = [];
      const failed: FailedLog[] = [];
      for (const folder of folders) {
        const { files, unreadable } = await findLogs(folder);
        if (unreadable !== undefined) failed.push({ file: folder.path, reason: unreadable });
        for (const { file, action } of planRotation(files, { overBytes, afterMs, all }, nowMs)) {
          signal.throwIfAborted();
          if (action === 'leave') continue;
          await context?.checkHeld();
          try {
            if (action === 'delete') await unlink(file.path);
            else if (action === 'rotate')
              rotated.push({ original: file.path, ...(await setAside(folder, file, nowMs, signal)) });
            else if ((await compressQuiet(file.path)).compressed) compressed.push(`${file.path}.gz`);
          } catch (err) {
            signal.throwIfAborted();
            failed.push({ file: file.path, reason: reasonOf(err) });
          }
          context?.progress({ filesDone: rotated.length + compressed.length });
        }
      }
      return { atMs: nowMs, rotated, compressed, failed };
    });

  const cleanNow = (keepDays: number, signal: AbortSignal, context?: OperationContext): Promise<CleanupResult> =>
    oneByOne(async () => {
      const nowMs = clock.now();
      const deleted: { file: string; bytes: number; ageDays: number }[] = [];
      const failed: FailedLog[] = [];
      for (const folder of folders) {
        const { files, unreadable } = await findLogs(folder);
        if (unreadable !== undefined) failed.push({ file: folder.path, reason: unreadable });
        for (const { file, action } of planCleanup(files, keepDays, nowMs)) {
          signal.throwIfAborted();
          if (action !== 'delete' || isOwn(folder, file)) continue;
          await context?.checkHeld();
          try {
            const writers = file.kind === 'live' ? await findWriters(file) : [];
            if (writers && writers.length > 0)
              throw new LeftAlone(`process ${writers[0]?.pid} has it open for writing`);
            await unlink(file.path);
            const ageDays = Math.floor((nowMs - file.writtenMs) / dayMs);
            deleted.push({ file: file.path, bytes: file.bytes, ageDays });
          } catch (err) {
            if (systemCode(err) !== 'ENOENT') failed.push({ file: file.path, reason: reasonOf(err) });
          }
        }
      }
      return { atMs: nowMs, deleted, failed };
    });

  const requireFolders = (): void => {
    if (folders.length === 0)
      throw new AppError(
        'conflict/state',
        'There is no log to look after: ragwarden logs to standard error, and no folder is named in `logs.folders`.',
      );
  };

  /** Told only where something was done, or could not be. */
  const tell = async (verb: 'rotated' | 'cleaned', done: number, failed: readonly FailedLog[]): Promise<void> => {
    if (done === 0 && failed.length === 0) return;
    const what = verb === 'rotated' ? 'set aside' : 'deleted';
    const first = failed[0];
    await db.unit((tx) =>
      events.record(tx, {
        type: failed.length > 0 ? 'system.logs-failed' : `system.logs-${verb}`,
        severity: failed.length > 0 ? 'warning' : 'info',
        message: `${done === 1 ? 'One log was' : `${done} logs were`} ${what}.${first ? ` ${failed.length} could not be, the first: ${first.file}: ${first.reason}.` : ''}`,
        data: { done, failed: failed.slice(0, 20), reason: first?.reason },
      }),
    );
  };

  const begin = <R extends { readonly failed: readonly FailedLog[] }>(
    asked: Asked,
    kind: string,
    input: object,
    verb: 'rotated' | 'cleaned',
    work: (context: OperationContext) => Promise<R>,
    countOf: (result: R) => number,
    shape: (result: R) => object,
  ): Promise<Operation> => {
    requireFolders();
    return operations.start({
      kind,
      input,
      requestedBy: asked.requestedBy,
      idempotency: asked.idempotency,
      async run(context) {
        await context.phase('looking');
        const result = await work(context);
        await tell(verb, countOf(result), result.failed);
        if (result.failed.length > 0) context.markPartial();
        return shape(result);
      },
      async concluded(tx, operation) {
        await events.audit(tx, {
          actor: asked.requestedBy,
          action: kind,
          object: operation.id,
          outcome: operation.state === 'succeeded' || operation.state === 'partial' ? 'done' : 'failed',
          data: { ...input },
        });
      },
    });
  };

  /** The same trouble is told once, not every hour. */
  let toldTrouble = '';
  const job =
    folders.length === 0
      ? undefined
      : createReconciler({
          name: 'logs',
          intervalMs: options.intervalMs,
          clock,
          log,
          async run(signal) {
            const rotation = await rotateNow(false, signal);
            const cleanup = await cleanNow(settings().keepDays, signal);
            const failed = [...rotation.failed, ...cleanup.failed];
            const trouble = failed.map(({ file, reason }) => `${file}: ${reason}`).join('\n');
            await tell('rotated', rotation.rotated.length, trouble === toldTrouble ? [] : failed);
            await tell('cleaned', cleanup.deleted.length, []);
            toldTrouble = trouble;
          },
        });

  return {
    folders,
    job,
    plan: ({ all = false, keepDays } = {}) =>
      Promise.all(
        folders.map(async (folder) => {
          const { files, unreadable } = await findLogs(folder);
          const { rotateOverBytes: overBytes, rotateAfterMs: afterMs, keepDays: usual } = settings();
          return {
            folder,
            unreadable,
            rotation: planRotation(files, { overBytes, afterMs, all }, clock.now()),
            cleanup: planCleanup(files, keepDays ?? usual, clock.now()).map((one) =>
              isOwn(folder, one.file) ? { ...one, action: 'leave' as const, reason: 'is our own log' } : one,
            ),
          };
        }),
      ),
    async rotate({ all, ...asked }) {
      return begin(
        asked,
        'system.rotate-logs',
        { all },
        'rotated',
        (context) => rotateNow(all, context.signal, context),
        ({ rotated }) => rotated.length,
        shapeRotation,
      );
    },
    async cleanup({ keepDays, ...asked }) {
      const days = keepDays ?? settings().keepDays;
      return begin(
        asked,
        'system.cleanup-logs',
        { days_to_keep: days },
        'cleaned',
        (context) => cleanNow(days, context.signal, context),
        ({ deleted }) => deleted.length,
        (result) => ({ days_to_keep: days, ...shapeCleanup(result) }),
      );
    },
  };
}

const isOwn = (folder: LogFolder, file: FoundLog): boolean => folder.how === 'reopen' && file.kind === 'live';

const reasonOf = (err: unknown): string => {
  switch (systemCode(err)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full; it is as it was';
    case 'EACCES':
    case 'EPERM':
      return 'we may not (permissions)';
    case 'ENOENT':
      return 'somebody else set it aside meanwhile';
    case 'ELOOP':
      return 'is a link';
    default:
      return describeError(err);
  }
};

const mb = (bytes: number): number => Math.round((bytes / 1024 ** 2) * 1_000) / 1_000;

/** The words of the document, with what it does not tell beside them. */
const shapeRotation = ({ atMs, rotated, compressed, failed }: RotationResult) => ({
  timestamp: new Date(atMs).toISOString(),
  rotated_files: rotated.map(({ bytes, ...one }) => ({ ...one, size_mb: mb(bytes) })),
  total_size_mb: mb(rotated.reduce((sum, one) => sum + one.bytes, 0)),
  compressed_files: compressed,
  failed_files: failed,
});

const shapeCleanup = ({ atMs, deleted, failed }: CleanupResult) => ({
  timestamp: new Date(atMs).toISOString(),
  deleted_files: deleted.map(({ file, bytes, ageDays }) => ({ file, size_mb: mb(bytes), age_days: ageDays })),
  freed_space_mb: mb(deleted.reduce((sum, one) => sum + one.bytes, 0)),
  failed_files: failed,
});
