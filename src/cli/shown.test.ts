import picocolors from 'picocolors';
import { describe, expect, test } from 'vitest';
import {
  type OperationAnswer,
  operationAnswer,
  type PointAnswer,
  pointBytes,
  read,
  type TargetAnswer,
} from './answers.ts';
import { componentTable } from './backup-commands.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, progressLine } from './follow-operation.ts';
import { readableLog } from './readable-log.ts';
import { describePlan } from './restore-command.ts';
import { renderTarget } from './status-command.ts';
import { parseExpiry } from './token-commands.ts';

const operation: OperationAnswer = {
  id: 'op_1',
  kind: 'backup.create',
  target_id: 'sample',
  state: 'running',
  phase: 'uploading',
  progress: {
    bytes_done: 1_048_576,
    bytes_total: 4_194_304,
    files_done: 3,
    files_total: 12,
    rate_bytes_per_second: 524_288,
    remaining_seconds: 6,
    percent: 25,
  },
  result: null,
  error: null,
  requested_by: 'local:admin',
  created_at: '2026-11-22T00:00:00.000Z',
  finished_at: null,
  allowed_actions: ['cancel'],
};
const plain = picocolors.createColors(false);

describe('a bar', () => {
  test('tells phase, share, amounts, speed and what remains', () => {
    expect(progressLine(operation, 120)).toBe(
      'uploading   [######..................]  25 %  1.00 MiB of 4.00 MiB  512 KiB/s  6.0 s left',
    );
  });

  test('fits the terminal and does without what is not known', () => {
    expect(progressLine(operation, 30)).toHaveLength(29);
    const progress = {
      ...operation.progress,
      percent: null,
      bytes_total: null,
      rate_bytes_per_second: null,
      remaining_seconds: null,
    };
    expect(progressLine({ ...operation, progress }, 80)).toBe('uploading   1.00 MiB');
  });
});

test.each([
  ['succeeded', null, exitCodes.ok],
  ['partial', null, exitCodes.partial],
  ['cancelled', null, exitCodes.interrupted],
  ['interrupted', null, exitCodes.failure],
  ['failed', 'backup/verification-failed', exitCodes.checkFailed],
  ['failed', 'repository/wrong-password', exitCodes.badCredentials],
  ['failed', 'from/the-future', exitCodes.failure],
])('an operation that %s (%s) ends with %d', (state, code, exitCode) => {
  const error = code === null ? null : { code, detail: '' };
  expect(exitCodeOfOperation({ ...operation, state, error })).toBe(exitCode);
});

test('a point is shown with its databases and its configuration, and its size is that of all of it', () => {
  const part = { status: 'success', grade: 'consistent', reasons: [], size_bytes: 2_097_152 };
  const point = {
    user_data: {
      total_size_bytes: 2_097_152,
      file_count: 12,
      components: [{ ...part, name: 'workspace', path: '/srv/rag', file_count: 12, skipped: [] }],
    },
    database: { components: [{ ...part, name: 'postgres', kind: 'postgres', size_bytes: 8_388_608, streams: 1 }] },
    components: { configuration: { status: 'completed', size_mb: 1.5 } },
    total_size_mb: 11.5,
  } as unknown as PointAnswer;
  expect(componentTable(point, plain).split('\n').slice(1)).toEqual([
    expect.stringMatching(/^workspace +12 +2.00 MiB +consistent +.srv.rag$/),
    expect.stringMatching(/^postgres +- +8.00 MiB +consistent +postgres, 1 dump$/),
    expect.stringMatching(/^configuration +- +1.50 MiB /),
  ]);
  expect(pointBytes(point)).toBe(12_058_624);
  expect(pointBytes({ ...point, total_size_mb: null })).toBe(2_097_152);
});

test('the size of a folder is told with its age: it is counted once a minute, and what was removed since still stands in it', () => {
  const target = {
    target_id: 'library',
    status: 'HEALTHY',
    reasons: [],
    sample: false,
    observed_at: null,
    kind: 'lightrag',
    configured_kind: 'lightrag',
    core_version: null,
    api_version: null,
    endpoints: [],
    stores: [],
    documents: null,
    pipeline: null,
    facts: [],
    sizes: [{ store: 'workspace', bytes: 1_048_576, files: 12, counted_at: '2026-11-30T08:00:00.000Z' }],
  } as unknown as TargetAnswer;
  expect(renderTarget(target, plain, Date.parse('2026-11-30T08:00:41.000Z')).at(-1)).toBe(
    '  workspace  1.00 MiB in 12 files  counted 41 s ago',
  );
});

test('an answer of another shape is told, not guessed at', () => {
  expect(() => read(operationAnswer, { id: 1 })).toThrow(/not understood/);
});

test('a log line is one line for people, and texts in it cannot drive the terminal', () => {
  const line = JSON.stringify({
    level: 'warn',
    time: 'x',
    msg: 'port\u001b[2J taken',
    port: 9090,
    err: { message: 'why' },
  });
  expect(readableLog(line, plain)).toBe('warn   port\\u001b[2J taken: why  (port=9090)\n');
  expect(readableLog('no json\n', plain)).toBe('no json\n');
});

test.each([
  ['30d', '1970-01-31T00:00:00.000Z'],
  ['12h', '1970-01-01T12:00:00.000Z'],
  ['90m', '1970-01-01T01:30:00.000Z'],
  ['2026-12-01T00:00:00+01:00', '2026-11-30T23:00:00.000Z'],
])('a token can expire in %s', (text, instant) => {
  expect(parseExpiry(text, 0)).toBe(instant);
});

test('an expiry that is none is refused', () => {
  for (const text of ['', 'soon', '30', '5y']) expect(() => parseExpiry(text, 0)).toThrow(/no expiry/);
});

test('a plan says what, where, how much, what is lost, how, and why not', () => {
  const text = describePlan(
    {
      plan_id: 'plan_1',
      backup_id: 'backup_1',
      target_id: 'sample',
      taken_at: '2026-11-22T00:00:00.000Z',
      grade: 'consistent',
      components: [
        {
          name: 'workspace',
          folder: '/data/rag',
          method: 'moved in',
          items: [
            { name: 'a.json', action: 'replace', reason: '', old_bytes: 10, new_bytes: 20 },
            { name: 'extra', action: 'remove', reason: '', old_bytes: 5, new_bytes: 0 },
            { name: 'lost+found', action: 'keep', reason: 'of the file system', old_bytes: 0, new_bytes: 0 },
          ],
          bytes_in: 20,
          bytes_out: 15,
          free_needed_bytes: 1_048_576,
          free_available_bytes: 2_097_152,
          lost: { files: 1, bytes: 7, examples: [{ path: 'new.json', bytes: 7, modified_at: '2026-11-22T01:00:00Z' }] },
        },
      ],
      backend: { automatic: false, stopped: true, stop: 'stop it by hand', start: 'start it by hand' },
      versions: { point: '1.5.7', now: '1.5.8' },
      steps: ['take a safety point', 'stop it by hand'],
      warnings: ['The point was never verified.'],
      blockers: ['workspace: it is a mount point'],
    },
    plain,
  );
  for (const part of [
    'Restore of sample',
    'backup_1',
    '/data/rag',
    /a\.json +10 B +20 B +replace/,
    /extra +5 B +- +remove/,
    'keep: of the file system',
    '1.00 MiB needed, 2.00 MiB free',
    'lost: 1 file written since (7 B)',
    'new.json',
    '2. stop it by hand',
    'not stopped and started by itself',
    'version 1.5.7 then, 1.5.8 now',
    'warning  The point was never verified.',
    'blocked  workspace: it is a mount point',
  ])
    expect(text).toMatch(part);
});
