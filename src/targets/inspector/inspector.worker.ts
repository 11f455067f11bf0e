/** The inspection's own thread: one request in, one answer out. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../platform/clock.ts';
import { describeError, systemCode } from '../../platform/errors.ts';
import { type InspectionRequest, inspectWorkspace } from './inspect-workspace.ts';
import type { WorkerAnswer } from './inspector.ts';

// The other side is `inspector.ts` and nobody else.
const request = workerData as InspectionRequest;

const answer = (message: WorkerAnswer): void => parentPort?.postMessage(message);

try {
  answer({ report: await inspectWorkspace(request, systemClock) });
} catch (err) {
  answer({ error: describeError(err), systemCode: systemCode(err) });
}
