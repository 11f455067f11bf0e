import { expect, test } from 'vitest';
import { followCopy } from './copy-progress.ts';
import { parseRepositoryLocation } from './location.ts';
import type { CopyProgress } from './repository.ts';
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

test('a copy that is followed tells what went over from what restic writes, as 0.14 says it', () => {
  const seen: CopyProgress[] = [];
  const { onStdoutLine, written } = followCopy(true, (now) => seen.push(now));
  // As recorded of 60 MB that went to Azurite, 4 MiB a pack here.
  const looks: [number, string?][] = [
    [7_303, 'snapshot 4d2785dc of [/data] at 2026-11-30 10:58:55.373484294 +0000 UTC)'],
    [7_303, '  copy started, this may take a while...'],
    [16_855_468, '[0:00] 0.00%  0 / 15 packs copied'],
    [54_623_164, '[0:01] 40.00%  6 / 15 packs copied'],
    [90_478_841, '[0:02] 80.00%  12 / 15 packs copied'],
    [120_116_008],
  ];
  for (const [bytes, line] of looks) {
    written?.tell(bytes);
    if (line) onStdoutLine(line);
  }
  expect(seen).toEqual([
    { bytesDone: 8_424_082, bytesTotal: null },
    { bytesDone: 27_307_930, bytesTotal: null },
    // Six packs say too little of the other nine.
    { bytesDone: 45_235_769, bytesTotal: null },
    { bytesDone: 60_054_352, bytesTotal: 75_067_940 },
  ]);
});

test('what is to come is known where 0.19 says it, and of one snapshot only', () => {
  for (const [one, bytesTotal] of [
    [true, 60_004_762],
    [false, null],
  ] as const) {
    const seen: CopyProgress[] = [];
    const { onStdoutLine, written } = followCopy(one, (now) => seen.push(now));
    written?.tell(6_005);
    onStdoutLine('  copy started, this may take a while...');
    onStdoutLine('  copy 42 blobs with disk size 57.225 MiB in 5 packfiles');
    written?.tell(62_092_405);
    expect(seen).toEqual([{ bytesDone: 31_043_200, bytesTotal }]);
  }
});

test('what went over in all is what restic told of each snapshot (0.19), and not guessed where it did not', () => {
  const follow = (...lines: readonly string[]): number | null => {
    const { onStdoutLine, bytesInAll } = followCopy(false, () => undefined);
    for (const line of lines) onStdoutLine(line);
    return bytesInAll();
  };
  const begun = '  copy started, this may take a while...';
  const saved = 'snapshot 4d2785dc saved';
  const told = '  copy 42 blobs with disk size 57.225 MiB in 5 packfiles';
  expect(follow(begun, told, saved)).toBe(60_004_762);
  expect(follow(begun, told, saved, begun, told, saved)).toBe(120_009_524);
  expect(follow(begun, told, saved, begun, saved)).toBeNull();
  expect(follow(begun, saved)).toBeNull();
  expect(follow('skipping source snapshot ab, was already copied to snapshot cd')).toBe(0);
  // Words of a version that is not known.
  expect(follow('[0:01] 40.00%  6 / 15 packs copied', 'done')).toBeNull();
});
