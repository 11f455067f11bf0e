import type { Readable } from 'node:stream';
import picocolors from 'picocolors';
import { AppError } from '../platform/errors.ts';
import { isErrorCode } from './exit-code.ts';

/** What of a stream is used here; `process.stdout` fits, and so does a few lines of a test. */
export type OutputStream = {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
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
  /** Standard output is a terminal on which a picture can be drawn in place. */
  readonly fullScreen: boolean;
  /** How wide standard output is, when that is known: `COLUMNS`, or the terminal itself. */
  columns(): number | undefined;
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
  const plain = (env.NO_COLOR ?? '') !== '' || (env.TERM === 'dumb' && !isForced(env.FORCE_COLOR));
  const coloured = (stream: OutputStream): boolean => !plain && (stream.isTTY === true || isForced(env.FORCE_COLOR));
  const forPeople = knowsUnicode(env) ? (text: string): string => text : toAscii;
  const told = Number(env.COLUMNS);
  const interactive = stdin.isTTY === true && stderr.isTTY === true;
  return {
    stdout,
    stderr,
    out: (text) => stdout.write(forPeople(`${text}\n`)),
    note: (text) => stderr.write(forPeople(`${text}\n`)),
    colours: picocolors.createColors(coloured(stdout)),
    noteColours: picocolors.createColors(coloured(stderr)),
    interactive,
    fullScreen: stdout.isTTY === true && env.TERM !== 'dumb',
    columns: () => (Number.isInteger(told) && told > 0 ? told : stdout.columns),
    async ask(question, signal) {
      if (!interactive)
        throw new AppError(
          'config/invalid',
          'This needs a confirmation and nobody can be asked here. Repeat it with --yes.',
        );
      stderr.write(question);
      // Not as a terminal: the raw mode of readline would swallow Ctrl-C.
      // Loaded by whoever asks: a server never does.
      const { createInterface } = await import('node:readline/promises');
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

const isForced = (value: string | undefined): boolean => !['', '0', 'false', undefined].includes(value);

/** A locale that was chosen and is not UTF-8 shows other characters as rubbish. None chosen: nearly all terminals know it. */
function knowsUnicode(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '');
  return locale === undefined || /utf-?8/i.test(locale);
}

const inAscii: Readonly<Record<string, string>> = { '→': '->', '…': '...', '·': '|', '’': "'", '–': '-', ' ': ' ' };
/** The bars of a course. */
const barsInAscii = '_.,-=+*#';

/** Only the characters that ragwarden itself adds; names and texts of others stay what they are. */
export const toAscii = (text: string): string =>
  text
    .replace(/[→…·’–\u00a0]/g, (character) => inAscii[character] ?? '?')
    .replace(/[▁-█]/g, (bar) => barsInAscii[bar.charCodeAt(0) - 0x2581] ?? '?');

/** Where to read on about an error; a code of a newer server has no explanation here. */
export function noteExplanation(terminal: Terminal, code: string): void {
  if (isErrorCode(code)) terminal.note(terminal.noteColours.dim(`ragwarden explain ${code} says more.`));
}
