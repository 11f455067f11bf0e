import type { RepositoryLocation } from './location.ts';
import { codeOfWords, resticFailure, triedAgain } from './restic-errors.ts';

/**
 * Ends a restic that is told a second time that the store elsewhere is full, or that it may not do this. It would ask for a quarter
 * of an hour, and for each request anew; what may pass (no answer, an overloaded server) is left to it.
 * The same where Azure has no such container, which 0.19 takes for something that may pass.
 * @returns what restic is run with; an aborted `signal` has `storage/full`, `repository/refused` or `repository/missing` as its reason
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
      const noContainer = line === 'ERROR CODE: ContainerNotFound';
      if (!noContainer && !triedAgain.test(line)) return;
      const code = codeOfWords(line);
      if (!noContainer && code !== 'storage/full' && code !== 'repository/refused') return;
      told += 1;
      if (told < 2) return;
      const stderr = noContainer ? `unable to open repository: ${line}` : line;
      found.abort(resticFailure({ exitCode: 1, signal: null, stderr }, doing, location));
    },
  };
}
