import type { Operation } from '../api/wire.ts';

/** The phases of running operations in the order in which the page saw them; short ones may never be seen. */
export type PhasesSeen = ReadonlyMap<string, readonly string[]>;

/** What does not run any more is dropped. */
export function notePhases(seen: PhasesSeen, list: readonly Operation[]): PhasesSeen {
  return new Map(
    list
      .filter((one) => one.state === 'running')
      .map((one) => {
        const before = seen.get(one.id) ?? [];
        return [one.id, one.phase === '' || before.at(-1) === one.phase ? before : [...before, one.phase]];
      }),
  );
}
