import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import type { Part } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logging.ts';
import { workerUrl } from '../../platform/workers.ts';
import type { InspectionRequest } from './inspect-workspace.ts';
import type { InspectionReport } from './report.ts';

export type InspectOptions = Omit<InspectionRequest, 'folder'> & {
  /** The storage folder (LightRAG's `WORKING_DIR`); a named workspace is its sub-folder. */
  readonly folder: string;
  readonly signal?: AbortSignal;
};

export type Inspector = Part & {
  /**
   * Reads one workspace in a thread of its own, changing nothing. Inspections run one after the other.
   * @throws AppError `target/foreign-path` for a workspace that is no plain folder name, `target/inspection-failed` when the
   *   folder cannot be listed or the thread died, `internal/stopping` after `stop`; the signal's reason when it is aborted
   */
  inspect(options: InspectOptions): Promise<InspectionReport>;
  stop(): Promise<void>;
};

export type WorkerAnswer =
  | { readonly report: InspectionReport }
  | { readonly error: string; readonly systemCode: string | undefined };

/** What the thread may hold in its JavaScript heap; ids lie outside of it (8 bytes each, see `id-set.ts`). MiB. */
const heapMiB = 64;

export function createInspector(options: { log: Logger; clock: Clock; workerUrl?: URL; heapMiB?: number }): Inspector {
  const { log, clock } = options;
  const stopping = new AbortController();
  /** The inspection that was asked for last; the next one begins when it is over. */
  let last: Promise<unknown> = Promise.resolve();
  let running: Worker | undefined;

  const run = async (request: InspectionRequest, signal: AbortSignal): Promise<InspectionReport> => {
    signal.throwIfAborted();
    const startedAt = clock.monotonic();
    const worker = new Worker(options.workerUrl ?? workerUrl('inspector'), {
      workerData: request,
      name: 'inspector',
      // Nothing in there has business with the settings and secrets of this process.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: options.heapMiB ?? heapMiB, maxYoungGenerationSizeMb: 16 },
    });
    running = worker;
    try {
      const answer = await answerOf(worker, signal);
      if ('error' in answer)
        throw new AppError('target/inspection-failed', failureDetail(answer.systemCode), {
          context: { folder: request.folder, error: answer.error },
        });
      const { files, faults, bytesRead } = answer.report;
      const ms = Math.round(clock.monotonic() - startedAt);
      log.debug(
        { folder: request.folder, files: files.length, faults: faults.length, bytesRead, ms },
        'workspace inspected',
      );
      return answer.report;
    } finally {
      await worker.terminate();
      running = undefined;
    }
  };

  return {
    name: 'inspector',
    async inspect({ folder, workspace, signal, ...rest }) {
      const request: InspectionRequest = { ...rest, workspace, folder: folderOf(folder, workspace) };
      const any = AbortSignal.any(signal ? [signal, stopping.signal] : [stopping.signal]);
      any.throwIfAborted();
      const result = last.then(() => run(request, any));
      last = result.catch(() => undefined);
      return result;
    },
    async stop() {
      stopping.abort(new AppError('internal/stopping', 'The inspection was broken off because ragwarden is stopping.'));
      await running?.terminate();
      await last;
    },
  };
}

/** The worker's one message; a thread that ends without it has failed. */
function answerOf(worker: Worker, signal: AbortSignal): Promise<WorkerAnswer> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const died = (cause: unknown): AppError =>
      new AppError('target/inspection-failed', 'The inspection broke off. The log says why; try again.', { cause });
    worker.once('message', (answer: WorkerAnswer) => resolve(answer));
    worker.once('messageerror', (err) => reject(died(err)));
    worker.on('error', (err) => reject(died(err)));
    worker.once('exit', (code) => {
      signal.removeEventListener('abort', onAbort);
      reject(died(new Error(`the thread ended with code ${code} and no answer`)));
    });
  });
}

function failureDetail(code: string | undefined): string {
  if (code === 'EACCES' || code === 'EPERM')
    return 'The folder of the workspace may not be listed. Run ragwarden as a user who may read it.';
  if (code === 'ENOTDIR') return 'The folder of the workspace is not a folder.';
  return `The folder of the workspace could not be inspected${code ? ` (${code})` : ''}. The log says more.`;
}

/** A workspace is one folder name; whatever could lead elsewhere is refused. */
function folderOf(folder: string, workspace: string): string {
  if (workspace === '') return folder;
  if (workspace === '.' || workspace === '..' || /[/\\\0]/.test(workspace) || Buffer.byteLength(workspace) > 255)
    throw new AppError('target/foreign-path', 'The name of a workspace is the name of one folder.');
  return join(folder, workspace);
}
