/** The thread that unfolds and folds: one request in, progress and one answer out. */
import { parentPort, workerData } from 'node:worker_threads';
import { describeError, systemCode } from '../../platform/errors.ts';
import { type FoldTreeRequest, foldIntoPlace, type UnfoldTreeRequest, unfoldTree } from './unfold-tree.ts';
import type { WorkerMessage } from './unfolder.ts';

// The other side is `unfolder.ts` and nobody else.
const request = workerData as UnfoldTreeRequest | FoldTreeRequest;

const tell = (message: WorkerMessage): void => parentPort?.postMessage(message);
const onBytes = (bytesDone: number): void => tell({ bytesDone });

try {
  if (request.kind === 'unfold') tell({ unfolded: unfoldTree(request, onBytes) });
  else tell({ folded: foldIntoPlace(request, onBytes) });
} catch (err) {
  tell({ error: describeError(err), systemCode: systemCode(err) });
}
