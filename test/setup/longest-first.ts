import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Small files that take long: what begins last would otherwise run alone at the end. Vitest goes by the size of a file. */
const long = [/\/test\/faults\//, /\/test\/(stores-on-postgres|bench|cli|backup-restore|fuzz|sdk)\./, /\.slow\.test\./];

const rank = ({ moduleId }: TestSpecification): number => {
  const found = long.findIndex((pattern) => pattern.test(moduleId));
  return found === -1 ? long.length : found;
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
