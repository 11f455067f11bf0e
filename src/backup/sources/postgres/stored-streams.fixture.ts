import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { systemClock } from '../../../platform/clock.ts';
import { AppError } from '../../../platform/errors.ts';
import type { CaptureContext, CaptureResult, CompleteContext, Source } from '../source.ts';

/** Test support: streams as files of a folder, joined to their producers as the repository joins them. */
export function contextInto(
  folder: string,
  children: ChildProcesses,
  signal: AbortSignal = new AbortController().signal,
): CompleteContext {
  return {
    signal,
    clock: systemClock,
    operationId: 'op_test',
    async storeStream(name, producer) {
      const file = join(folder, name);
      if (producer.by === 'bytes') writeFileSync(file, await buffer(Readable.from(producer.chunks)));
      else {
        const [program, ...args] = producer.command;
        const piped = await children.pipe(
          { program, args, env: producer.environment, purpose: 'producer' },
          { program: 'dd', args: [`of=${file}`, 'bs=1M', 'status=none'], env: {}, purpose: 'consumer' },
          { signal },
        );
        if (!piped.succeeded)
          throw new AppError('backup/capture-failed', `${program} did not end well: ${piped.producer.stderr.trim()}`);
      }
      const tree = createHash('sha256').update(readFileSync(file)).digest('hex');
      return { name, bytes: statSync(file).size, sha256: undefined, tree };
    },
  };
}

/** The moment is fixed, `between` happens, then it is read. */
export async function captureWhole(
  source: Source,
  context: CompleteContext & CaptureContext,
  between?: () => Promise<unknown>,
): Promise<CaptureResult> {
  const into = mkdtempSync(join(tmpdir(), 'rw-capture-'));
  const capture = await source.capture(into, context).finally(() => rmSync(into, { recursive: true, force: true }));
  if (!('complete' in capture)) return capture;
  try {
    await between?.();
    return await capture.complete(context);
  } finally {
    await capture.release();
  }
}
