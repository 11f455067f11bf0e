import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { systemClock } from '../../platform/clock.ts';
import type { CaptureResult, PendingCapture, Source, StreamProducer } from './source.ts';

export type Captured = { readonly result: CaptureResult; readonly streams: ReadonlyMap<string, Buffer> };

export const never = new AbortController().signal;

export async function pendingOf(source: Source, into: string, signal = never): Promise<PendingCapture> {
  const pending = await source.capture(into, { signal, clock: systemClock });
  if (!('complete' in pending)) throw new Error('it was whole at once');
  return pending;
}

/** Completes a capture with a repository that keeps its streams in memory. */
export async function completeCapture(pending: PendingCapture, signal = never, auditDir?: string): Promise<Captured> {
  const streams = new Map<string, Buffer>();
  try {
    const result = await pending.complete({
      signal,
      clock: systemClock,
      operationId: 'op_test',
      ...(auditDir === undefined ? {} : { auditDir }),
      async storeStream(name, producer) {
        signal.throwIfAborted();
        const bytes = producer.by === 'bytes' ? await allOf(producer.chunks) : outputOf(producer);
        streams.set(name, bytes);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        return {
          name,
          bytes: bytes.length,
          sha256: producer.by === 'bytes' ? sha256 : undefined,
          tree: `tree-of-${name}`,
        };
      },
    });
    return { result, streams };
  } finally {
    await pending.release();
  }
}

async function allOf(from: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of from) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Throws where the program fails, as the repository does. */
function outputOf({
  command: [program, ...args],
  environment,
  cwd,
  timeoutMs,
}: Extract<StreamProducer, { by: 'program' }>): Buffer {
  try {
    return execFileSync(program, args, {
      env: { ...environment },
      cwd,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
  } catch (err) {
    if (err instanceof Error && 'code' in err && err.code === 'ETIMEDOUT')
      throw new DOMException('it took too long', 'TimeoutError');
    throw err;
  }
}

export const captureWhole = async (source: Source, into: string, auditDir?: string): Promise<Captured> =>
  completeCapture(await pendingOf(source, into), never, auditDir);
