import type { AppError } from '../../platform/errors.ts';
import type { RepositoryLocation } from './location.ts';
import { codeOfWords, endsTooEarly, objectGone, resticFailure } from './restic-errors.ts';

/** The pack that restic looked for in vain, and what is wrong with it, or undefined. */
const lostPackIn = (stderrLine: string, { kind }: RepositoryLocation): { pack: string; what: string } | undefined => {
  const [, pack, why = ''] =
    /^Load\(<data\/(\w+)>.* returned error, retrying after [^:]*: (.*)$/.exec(stderrLine) ?? [];
  if (pack === undefined) return undefined;
  if (kind === 'folder' && endsTooEarly.test(stderrLine)) return { pack, what: 'cut short' };
  return objectGone.test(why) && codeOfWords(why) !== 'repository/refused' ? { pack, what: 'missing' } : undefined;
};

/**
 * Ends a restic that reads once it has looked for one pack twice in vain: it is missing, or (in a folder) shorter than it was. Versions up to 0.16 try eleven times, which takes
 * most of a minute for each of them, and up to a quarter of an hour in a store elsewhere; what is gone does not come back meanwhile.
 * @returns what restic is run with; an aborted `signal` has `repository/damaged` as its reason
 */
export function endAtMissingPack(facts: {
  readonly doing: string;
  readonly location: RepositoryLocation;
  readonly signal: AbortSignal | undefined;
  readonly onStderrLine?: ((line: string) => void) | undefined;
}): { readonly signal: AbortSignal; onStderrLine(line: string): void } {
  const { doing, location, signal, onStderrLine } = facts;
  const found = new AbortController();
  const looked = new Set<string>();
  const gone = (line: string): AppError => resticFailure({ exitCode: 1, signal: null, stderr: line }, doing, location);
  return {
    signal: signal ? AbortSignal.any([signal, found.signal]) : found.signal,
    onStderrLine(line) {
      onStderrLine?.(line);
      const lost = lostPackIn(line, location);
      if (lost && looked.has(lost.pack)) found.abort(gone(`Fatal: its pack ${lost.pack} is ${lost.what}\n${line}`));
      if (lost) looked.add(lost.pack);
    },
  };
}
