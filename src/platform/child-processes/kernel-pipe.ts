import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../errors.ts';
import { findProgram } from './find-program.ts';

export type KernelPipe = { readonly readEnd: number; readonly writeEnd: number; closeRead(): void; closeWrite(): void };

/**
 * A pipe of the kernel, both ends in our hands: bytes flow from child to child and never through this process, and as long
 * as we hold the write end the reader sees no end of file. Node joins children by socket pairs, whose write end it does not
 * give out, so the pipe is a named one that loses its name at once.
 */
export function openKernelPipe(searchPath: string): KernelPipe {
  const mkfifo = findProgram('mkfifo', searchPath);
  if (!mkfifo)
    throw new AppError('child/missing-program', 'The program "mkfifo" is not installed: it comes with coreutils.');
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-pipe-'));
  try {
    const path = join(folder, 'pipe');
    const made = spawnSync(mkfifo, ['-m', '600', path], { env: {}, encoding: 'utf8' });
    if (made.status !== 0)
      throw new AppError('child/failed', 'A pipe between two processes could not be made.', {
        context: { stderr: made.stderr },
      });
    // Opened for both first: each single end would wait for the other.
    const both = openSync(path, constants.O_RDWR);
    const readEnd = openSync(path, constants.O_RDONLY);
    const writeEnd = openSync(path, constants.O_WRONLY);
    closeSync(both);
    return { readEnd, writeEnd, closeRead: closeOnce(readEnd), closeWrite: closeOnce(writeEnd) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function closeOnce(descriptor: number): () => void {
  let open = true;
  return () => {
    if (open) closeSync(descriptor);
    open = false;
  };
}
