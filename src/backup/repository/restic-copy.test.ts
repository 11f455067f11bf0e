import { expect, test } from 'vitest';
import { parseRepositoryLocation } from './location.ts';
import { copySnapshots } from './restic-copy.ts';
import type { ResticTool } from './restic-tool.ts';

test.each([
  [0, []],
  [250, ['--limit-upload=250', '--limit-download=250']],
])('a copy of at most %d KiB/s, both ways', async (limitKiB, limits) => {
  const asked: (readonly string[])[] = [];
  // Of the tool, what a copy asks.
  const tool = {
    async demand(_doing: string, args: readonly string[]) {
      asked.push(args);
      return { durationMs: 1, stderr: '' };
    },
  } as unknown as ResticTool;
  const location = parseRepositoryLocation('/mnt/there', 'file');
  const from = { location, passwordFile: '/password', asSource: async () => ({}) };
  const id = 'ab'.repeat(32);
  await copySnapshots(tool, { location }, from as never, { snapshotIds: [id], limitKiB } as never);
  expect(asked).toEqual([['copy', ...limits, '--from-password-file', '/password', '--', id]]);
});
