import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Small files that take long: what begins last would otherwise run alone at the end. Vitest goes by the size of a file. */
const long = [
  // Chains of some forty lives of the product: as long as everything else with four at a time, if they begin at once.
  /\/test\/faults\/kill-stores\./,
  /\/test\/(faults\/(kill-replication|processes|dying-stores|remaining|backend|hostile-files)|bench|cli|fuzz|stores-on-postgres)\./,
  /\/test\/(faults\/|browser\/|(failover|demo|server|protocol|backup-restore|sdk|unfold|recover|drills|graph-snapshots)\.)/,
  // Whatever else starts processes; the rest is seconds each.
  /\/test\/|\.slow\.test\./,
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
