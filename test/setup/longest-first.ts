import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Small files that take long: what begins last would otherwise run alone at the end. Vitest goes by the size of a file. */
const long = [
  // A chain of some fifty lives of the product: as long as everything else with four at a time, if it begins at once.
  /\/test\/faults\/kill-stores\./,
  /\/test\/(faults\/(dying-stores|remaining|hostile-files|backend)|bench|cli)\./,
  /\/test\/(faults\/|(stores-on-postgres|backup-restore|fuzz|sdk|unfold|recover)\.)/,
  /\.slow\.test\./,
];

const rank = ({ moduleId }: TestSpecification): number => {
  const found = long.findIndex((pattern) => pattern.test(moduleId));
  return found === -1 ? long.length : found;
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
