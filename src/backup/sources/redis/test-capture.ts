import { createHash } from 'node:crypto';
import { systemClock } from '../../../platform/clock.ts';
import type { CaptureResult, PendingCapture, Source } from '../source.ts';

export type Captured = { readonly result: CaptureResult; readonly streams: ReadonlyMap<string, Buffer> };

export const never = new AbortController().signal;

export async function pendingOf(source: Source, into: string, signal = never): Promise<PendingCapture> {
  const pending = await source.capture(into, { signal, clock: systemClock });
  if (!('complete' in pending)) throw new Error('it was whole at once');
  return pending;
}

/** Completes a capture with a repository that keeps its streams in memory. */
export async function completeCapture(pending: PendingCapture, signal = never): Promise<Captured> {
  const streams = new Map<string, Buffer>();
  try {
    const result = await pending.complete({
      signal,
      clock: systemClock,
      operationId: 'op_test',
      async storeStream(name, producer) {
        if (producer.by !== 'bytes') throw new Error('not expected here');
        const chunks: Uint8Array[] = [];
        for await (const chunk of producer.chunks) chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        streams.set(name, bytes);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        return { name, bytes: bytes.length, sha256, tree: `tree-of-${name}` };
      },
    });
    return { result, streams };
  } finally {
    await pending.release();
  }
}

export const captureWhole = async (source: Source, into: string): Promise<Captured> =>
  completeCapture(await pendingOf(source, into));
