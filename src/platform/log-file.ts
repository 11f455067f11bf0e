import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError, systemCode } from './errors.ts';

/** Where log lines go, as a file that may be moved away while it is written. */
export type LogFile = {
  readonly path: string;
  /** Lines that could not be written (a full disk) go to `otherwise`. Never throws. */
  write(line: string): void;
  /** From the next line on into the file that is there now, or into a new one. Nothing is lost in between: both are one step. */
  reopen(): void;
  close(): void;
};

/** @throws AppError `config/invalid` when it cannot be opened */
export function openLogFile(path: string, otherwise: (line: string) => void): LogFile {
  const open = (): number => openSync(path, 'a', 0o640);
  let fd: number | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    fd = open();
  } catch (err) {
    throw new AppError('config/invalid', `The log ${path} cannot be written (${systemCode(err) ?? 'unknown error'}).`, {
      cause: err,
    });
  }
  return {
    path,
    write(line) {
      if (fd === undefined) return otherwise(line);
      const bytes = Buffer.from(line);
      let done = 0;
      try {
        while (done < bytes.length) done += writeSync(fd, bytes, done);
      } catch {
        otherwise(line);
      }
    },
    reopen() {
      let next: number;
      try {
        next = open();
      } catch {
        // Goes on where it is; who moved it made that impossible for the moment.
        return;
      }
      if (fd !== undefined) closeSync(fd);
      fd = next;
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}
