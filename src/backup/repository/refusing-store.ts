import type { RepositoryLocation } from './location.ts';
import { codeOfWords, resticFailure, triedAgain } from './restic-errors.ts';

/**
 * Ends a restic that is told a second time that the store elsewhere is full, or that it may not do this. It would ask for a quarter
 * of an hour, and for each request anew; what may pass (no answer, an overloaded server) is left to it.
 * @returns what restic is run with; an aborted `signal` has `storage/full` or `repository/refused` as its reason
 */
export function endAtRefusal(facts: {
  readonly doing: string;
  readonly location: RepositoryLocation;
  readonly signal: AbortSignal | undefined;
  readonly onStderrLine?: ((line: string) => void) | undefined;
}): { readonly signal: AbortSignal; onStderrLine(line: string): void } {
  const { doing, location, signal, onStderrLine } = facts;
  const found = new AbortController();
  let told = 0;
  return {
    signal: signal ? AbortSignal.any([signal, found.signal]) : found.signal,
    onStderrLine(line) {
      onStderrLine?.(line);
      if (!triedAgain.test(line)) return;
      const code = codeOfWords(line);
      if (code !== 'storage/full' && code !== 'repository/refused') return;
      told += 1;
      if (told === 2) found.abort(resticFailure({ exitCode: 1, signal: null, stderr: line }, doing, location));
    },
  };
}
