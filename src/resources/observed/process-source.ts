import type { Reading } from './measure.ts';
import { measureNames } from './measure.ts';
import type { ObservedSource } from './observer.ts';
import type { ProcessReader } from './process-reader.ts';

/** A process that can be found anew after each of its restarts. Where it does not run, there is nothing to see, and no fault. */
export function createProcessSource(options: {
  subject: string;
  find(): number | undefined | Promise<number | undefined>;
  temporaryFolder?: string | undefined;
  /** One for all sources: what it reads of a network is the same for all processes in there. */
  reader: ProcessReader;
}): ObservedSource {
  const { subject, find, temporaryFolder, reader } = options;
  return {
    name: subject,
    async look() {
      const pid = await find();
      const seen = pid === undefined ? undefined : reader.read(pid, temporaryFolder);
      if (!seen) return [];
      return measureNames.flatMap((measure): Reading[] => {
        const value = seen.values[measure];
        return value === undefined ? [] : [{ subject, measure, value, upSeconds: seen.upSeconds }];
      });
    },
  };
}
