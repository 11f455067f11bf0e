// A process that cleans up until its second batch is taken away and not listed yet, says so, and goes no further.
import { createTemporaryFiles } from './strategies/folder-entries.ts';
import { holds, openTestCleanup } from './test-cleanup.ts';

const [folder = ''] = process.argv.slice(2);
let batches = 0;
const opened = await openTestCleanup(
  ({ clock }) => ({
    strategies: [
      createTemporaryFiles({
        folders: () => [
          {
            ...{ id: 'work', path: `${folder}/work`, use: 'temporary', patterns: ['*.part'] },
            ...{ graceMs: 0, holdsData: false },
          },
        ],
        contained: async () => holds,
        clock,
      }),
    ],
  }),
  {
    folder,
    step(name) {
      if (name === 'taken') batches += 1;
      if (name !== 'taken' || batches < 2) return undefined;
      process.stdout.write(`${JSON.stringify({ state: opened.state.path })}\n`);
      return new Promise(() => setInterval(() => undefined, 60_000));
    },
  },
);
opened.settings = { ...opened.settings, batchSize: 2 };
await opened.cleanup.run({ strategy: 'temporary-files', params: {} }, { requestedBy: 'tester' });
