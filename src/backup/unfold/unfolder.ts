import { Worker } from 'node:worker_threads';
import { AppError } from '../../platform/errors.ts';
import { workerUrl } from '../../platform/workers.ts';
import type { FoldFault, FoldTreeRequest, UnfoldCandidate, UnfoldedEntry, UnfoldTreeRequest } from './unfold-tree.ts';

export type Unfolder = {
  /**
   * Brings the unfolded state of a component to what was captured, in a thread of its own.
   * @throws AppError `backup/capture-failed` when the thread died; the signal's reason
   */
  unfold(
    request: Omit<UnfoldTreeRequest, 'kind' | 'files'> & {
      readonly files: readonly Omit<UnfoldCandidate, 'isChecked'>[];
    },
    call: UnfoldCall,
  ): Promise<readonly UnfoldedEntry[]>;
  /**
   * Puts files back together where they belong and removes their unfolded state.
   * @throws AppError `restore/digest-mismatch`, `storage/full`, `restore/blocked`; the signal's reason
   */
  fold(request: Omit<FoldTreeRequest, 'kind'>, call: UnfoldCall): Promise<void>;
};

export type UnfoldCall = {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: { readonly bytesDone: number; readonly bytesTotal: number }) => void;
};

export type WorkerMessage =
  | { readonly bytesDone: number }
  | { readonly unfolded: readonly UnfoldedEntry[] }
  | { readonly folded: FoldFault | undefined }
  | { readonly error: string; readonly systemCode: string | undefined };

/** What the thread may hold in its JavaScript heap, whatever the size of a file; blocks and tables lie outside of it. MiB. */
const heapMiB = 64;

export function createUnfolder(options: { readonly heapMiB?: number } = {}): Unfolder {
  /**
   * What this process itself wrote or checked, by folder and digest. After a power cut a file may have its name and size and
   * not its bytes, so what an earlier process left is folded once before it is believed.
   */
  const known = new Map<string, UnfoldedEntry & { readonly sha256: string }>();

  const run = async (request: UnfoldTreeRequest | FoldTreeRequest, call: UnfoldCall): Promise<WorkerMessage> => {
    call.signal?.throwIfAborted();
    const bytesTotal = request.files.reduce((sum, { bytes }) => sum + bytes, 0);
    const worker = new Worker(workerUrl('unfold'), {
      workerData: request,
      name: 'unfold',
      // Nothing in there has business with the settings and secrets of this process.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: options.heapMiB ?? heapMiB, maxYoungGenerationSizeMb: 16 },
    });
    try {
      return await answerOf(worker, call.signal, (bytesDone) => call.onProgress?.({ bytesDone, bytesTotal }));
    } finally {
      await worker.terminate();
    }
  };

  return {
    async unfold({ from, to, files, spareBytes, nowMs }, call) {
      const keyOf = (path: string): string => `${to}/${path}`;
      const settled: UnfoldedEntry[] = [];
      const asked: UnfoldCandidate[] = [];
      for (const file of files) {
        const before = known.get(keyOf(file.path));
        const isSame = before?.sha256 === file.sha256;
        // What was not worth it is not read again to learn the same.
        if (before && isSame && before.state === 'plain' && before.lasting)
          settled.push({ ...before, path: file.path });
        else asked.push({ ...file, isChecked: isSame });
      }
      for (const { path } of asked) known.delete(keyOf(path));
      const message = await run({ kind: 'unfold', from, to, files: asked, spareBytes, nowMs }, call);
      if (!('unfolded' in message)) throw failed(message);
      for (const entry of message.unfolded) {
        const sha256 = files.find(({ path }) => path === entry.path)?.sha256;
        if (sha256 !== undefined) known.set(keyOf(entry.path), { ...entry, sha256 });
      }
      return [...settled, ...message.unfolded];
    },
    async fold(request, call) {
      const message = await run({ kind: 'fold', ...request }, call);
      if (!('folded' in message)) throw failed(message);
      if (message.folded)
        throw new AppError(
          'restore/digest-mismatch',
          `${message.folded.path} cannot be put back together: ${message.folded.reason}.`,
        );
    },
  };
}

function failed(message: WorkerMessage): AppError {
  const code = 'error' in message ? message.systemCode : undefined;
  const context = { message };
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new AppError('storage/full', 'No space left while files were put back together. Free space and try again.', {
      context,
    });
  return new AppError('backup/capture-failed', 'Unfolding broke off. The log says why; try again.', { context });
}

/** The worker's one answer; a thread that ends without it has failed. */
function answerOf(
  worker: Worker,
  signal: AbortSignal | undefined,
  onBytes: (done: number) => void,
): Promise<WorkerMessage> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    const died = (cause: unknown): AppError =>
      new AppError('backup/capture-failed', 'Unfolding broke off. The log says why; try again.', { cause });
    worker.on('message', (message: WorkerMessage) => {
      if ('bytesDone' in message) onBytes(message.bytesDone);
      else resolve(message);
    });
    worker.once('messageerror', (err) => reject(died(err)));
    worker.on('error', (err) => reject(died(err)));
    worker.once('exit', (code) => {
      signal?.removeEventListener('abort', onAbort);
      reject(died(new Error(`the thread ended with code ${code} and no answer`)));
    });
  });
}
