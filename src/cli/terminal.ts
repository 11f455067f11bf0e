import { createInterface } from 'node:readline/promises';
import type { Readable } from 'node:stream';
import picocolors from 'picocolors';
import { AppError } from '../platform/errors.ts';
import { isErrorCode } from './exit-code.ts';

/** What of a stream is used here; `process.stdout` fits, and so does a few lines of a test. */
export type OutputStream = {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
};
export type InputStream = Readable & { readonly isTTY?: boolean };
export type Colours = ReturnType<typeof picocolors.createColors>;

export type Terminal = {
  /** What was asked for: standard output. A newline is added. */
  out(text: string): void;
  /** What is said about it: standard error. A newline is added. */
  note(text: string): void;
  /** As it is, without a newline. */
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly colours: Colours;
  readonly noteColours: Colours;
  /** Somebody can be asked. */
  readonly interactive: boolean;
  /** @throws AppError `config/invalid` when nobody can be asked; the signal's reason */
  ask(question: string, signal: AbortSignal): Promise<string>;
};

export function createTerminal(streams: {
  stdin: InputStream;
  stdout: OutputStream;
  stderr: OutputStream;
  env: Readonly<Record<string, string | undefined>>;
}): Terminal {
  const { stdin, stdout, stderr, env } = streams;
  const plain = (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
  const interactive = stdin.isTTY === true && stderr.isTTY === true;
  return {
    stdout,
    stderr,
    out: (text) => stdout.write(`${text}\n`),
    note: (text) => stderr.write(`${text}\n`),
    colours: picocolors.createColors(!plain && stdout.isTTY === true),
    noteColours: picocolors.createColors(!plain && stderr.isTTY === true),
    interactive,
    async ask(question, signal) {
      if (!interactive)
        throw new AppError(
          'config/invalid',
          'This needs a confirmation and nobody can be asked here. Repeat it with --yes.',
        );
      stderr.write(question);
      // Not as a terminal: the raw mode of readline would swallow Ctrl-C.
      const lines = createInterface({ input: stdin, terminal: false });
      try {
        return await new Promise<string>((resolve, reject) => {
          const onAbort = (): void => reject(signal.reason);
          signal.addEventListener('abort', onAbort, { once: true });
          lines.once('line', resolve);
          lines.once('close', () => resolve(''));
          if (signal.aborted) onAbort();
        });
      } finally {
        lines.close();
      }
    },
  };
}

/** Where to read on about an error; a code of a newer server has no explanation here. */
export function noteExplanation(terminal: Terminal, code: string): void {
  if (isErrorCode(code)) terminal.note(terminal.noteColours.dim(`ragwarden explain ${code} says more.`));
}
