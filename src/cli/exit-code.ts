import { type ErrorCode, errorCatalogue, isAppError } from '../platform/errors.ts';

/** What the commands answer to scripts; printed by `--help`. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  partial: 3,
  checkFailed: 4,
  unknownThing: 10,
  locked: 11,
  badCredentials: 12,
  unreachable: 13,
  interrupted: 130,
} as const;

const exitCodeWords = [
  '0 ok',
  '1 failure',
  '2 usage or configuration',
  '3 partial',
  '4 check failed',
  '10 no such thing',
  '11 locked or busy',
  '12 bad key or password',
  '13 server unreachable',
  '130 interrupted',
];

/** The end of every help, in lines of at most so many columns where a single code fits. */
export function exitCodeHelp(columns: number): string {
  const indent = '            ';
  const lines = ['Exit codes:'];
  for (const word of exitCodeWords) {
    const last = lines.at(-1) ?? '';
    const joined = `${last}${last.trim() === '' || last.endsWith(':') ? ' ' : ' · '}${word}`;
    if (joined.length <= columns || last.trim() === '' || last.endsWith(':')) lines[lines.length - 1] = joined;
    else lines.push(`${indent}${word}`);
  }
  return lines.join('\n');
}

/** Why the process was told to end; the reason of the signal that every command gets. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP';

  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorCatalogue, code);

/** Exit code of a stable error code, of this catalogue or of a newer server's. */
export const exitCodeOfCode = (code: string): number =>
  isErrorCode(code) ? errorCatalogue[code].exitCode : exitCodes.failure;

export function exitCodeOf(err: unknown): number {
  if (err instanceof Interrupted) return exitCodes.interrupted;
  if (err instanceof ServerRefusal) return exitCodeOfCode(err.code);
  return isAppError(err) ? err.kind.exitCode : exitCodes.failure;
}

/** A problem document that the server answered with; its code may be newer than this client's catalogue. */
export class ServerRefusal extends Error {
  override readonly name = 'ServerRefusal';
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  readonly violations: readonly { readonly at: string; readonly message: string }[];

  constructor(problem: {
    code: string;
    status: number;
    detail: string;
    errors?: readonly { readonly at: string; readonly message: string }[] | undefined;
  }) {
    super(`${problem.code}: ${problem.detail}`);
    this.code = problem.code;
    this.status = problem.status;
    this.detail = problem.detail;
    this.violations = problem.errors ?? [];
  }
}
