import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createEventLog, type EventLog } from '../../events/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createOperations, type Operations } from '../../operations/index.ts';
import { createChildProcesses } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { openLogFile } from '../../platform/log-file.ts';
import { silentLogger } from '../../platform/logging.ts';
import type { LogFolder } from './log-files.ts';
import { createLogs, type Logs } from './logs.ts';
import { copyRest, type GrowingLog, LeftAlone } from './set-aside.ts';

const dayMs = 86_400_000;
let folder: string;
let state: TestState;
let events: EventLog;
let operations: Operations;
let children: ReturnType<typeof createChildProcesses>;
const writers: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-logs-'));
  mkdirSync(join(folder, 'logs'));
  state = await openTestState();
  events = createEventLog({ db: state.db, clock: systemClock, instance: 'warden' });
  operations = createOperations({ db: state.db, clock: systemClock, log: silentLogger, events, instance: 'warden' });
  children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
});
afterEach(async () => {
  for (const writer of writers.splice(0)) {
    writer.kill('SIGKILL');
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
  }
  await operations.stop();
  await children.stop();
  await state.remove();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string): string => join(folder, 'logs', name);
const make = (how: Partial<LogFolder> = {}, more: { file?: string; reopen?: () => void } = {}): Logs =>
  createLogs({
    file: more.file,
    reopen: more.reopen ?? (() => undefined),
    folders:
      more.file === undefined
        ? [{ path: join(folder, 'logs'), pattern: '*.log', how: 'rename', recursive: false, ...how }]
        : [],
    settings: () => ({ rotateOverBytes: 10_000, rotateAfterMs: 0, keepDays: 30 }),
    intervalMs: 3_600_000,
    operations,
    events,
    db: state.db,
    children,
    clock: systemClock,
    log: silentLogger,
  });
type Rotation = {
  rotated_files: {
    original: string;
    rotated: string;
    size_mb: number;
    compressed: boolean;
    lossless: boolean;
    note: string | null;
  }[];
  total_size_mb: number;
  compressed_files: string[];
  failed_files: { file: string; reason: string }[];
};
const rotate = async (logs: Logs, all = false): Promise<Rotation & { state: string }> => {
  const ended = await operations.wait((await logs.rotate({ all, requestedBy: 'local:me' })).id);
  return { ...(ended.result as Rotation), state: ended.state };
};
const contentOf = (path: string): string =>
  path.endsWith('.gz') ? gunzipSync(readFileSync(path)).toString() : readFileSync(path, 'utf8');

/** Appends numbered lines as fast as it can to a file that it keeps open, until it is told to end. */
async function startWriter(path: string, flags = 'a'): Promise<{ stop(): Promise<number> }> {
  const program = `
    const fs = require('node:fs');
    const fd = fs.openSync(process.argv[1], process.argv[2]);
    let n = 0, over = false;
    process.on('message', () => { over = true; });
    const some = () => {
      if (over) { process.send(n); process.disconnect(); return; }
      for (let i = 0; i < 20; i += 1) fs.writeSync(fd, 'line ' + n++ + '\\n');
      if (n === 2000) process.send('going');
      setImmediate(some);
    };
    some();`;
  const child = spawn(process.execPath, ['-e', program, path, flags], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  writers.push(child);
  await once(child, 'message');
  return {
    async stop() {
      const told = once(child, 'message');
      child.send('stop');
      const [lines] = (await told) as [number];
      if (child.exitCode === null) await once(child, 'exit');
      return lines;
    },
  };
}

/** All that was set aside, in the order in which it was, then what is there now. */
const everything = (name: string): string => {
  const stem = name.replace(/\.log$/, '');
  const aside = readdirSync(join(folder, 'logs'))
    .filter((one) => one.startsWith(`${stem}_`))
    .map((one) => ({ one, order: one.replace(/\.gz$/, '').replace(/_(\d{6})\.log$/, '_$1-1.log') }))
    .sort((a, b) => a.order.localeCompare(b.order, 'en', { numeric: true }))
    .map(({ one }) => contentOf(at(one)));
  return [...aside, existsSync(at(name)) ? contentOf(at(name)) : ''].join('');
};

test('a log above its size is set aside under the time and compressed; others stay', async () => {
  writeFileSync(at('big.log'), 'x'.repeat(20_000), { mode: 0o600 });
  writeFileSync(at('small.log'), 'y');
  writeFileSync(at('big.txt'), 'z'.repeat(20_000));
  const { rotated_files: rotated, failed_files: failed, state: ended, total_size_mb: whole } = await rotate(make());
  expect(ended).toBe('succeeded');
  expect(failed).toEqual([]);
  expect([rotated[0]?.size_mb, whole]).toEqual([0.019, 0.019]);
  expect(rotated).toMatchObject([{ original: at('big.log'), compressed: true, lossless: true }]);
  expect(rotated[0]?.rotated).toMatch(/big_\d{8}_\d{6}\.log\.gz$/);
  expect(contentOf(rotated[0]?.rotated ?? '')).toBe('x'.repeat(20_000));
  expect(statSync(rotated[0]?.rotated ?? '').mode & 0o777).toBe(0o600);
  expect(readdirSync(join(folder, 'logs')).sort()).toHaveLength(3);
  expect((await events.list({ types: ['system.*'], limit: 5 })).map(({ type }) => type)).toEqual([
    'system.logs-rotated',
  ]);
  expect((await events.listAudit({ limit: 1 }))[0]).toMatchObject({ action: 'system.rotate-logs', outcome: 'done' });
});

test('by rename, a process that keeps its log open loses nothing, and what it still writes to is compressed later', async () => {
  const logs = make();
  const writer = await startWriter(at('app.log'));
  const first = await rotate(logs);
  expect(first.rotated_files).toMatchObject([
    { compressed: false, note: expect.stringContaining('still writes to it') },
  ]);
  expect((await rotate(logs)).compressed_files).toEqual([]);
  const lines = await writer.stop();
  const later = await rotate(logs);
  expect(later.compressed_files).toHaveLength(1);
  expect(everything('app.log')).toBe(Array.from({ length: lines }, (_, n) => `line ${n}\n`).join(''));
});

const isLine = /^line \d+$/;

test('by copy, a process that keeps its log open loses nothing where the file system can cut a file at its beginning', async () => {
  const logs = make({ how: 'copy-truncate' });
  const writer = await startWriter(at('app.log'));
  const lossless: boolean[] = [];
  for (let round = 0; round < 4; round += 1) {
    await vi.waitFor(() => expect(statSync(at('app.log')).size).toBeGreaterThan(20_000), { timeout: 60_000 });
    for (const one of (await rotate(logs)).rotated_files) lossless.push(one.lossless);
  }
  const lines = await writer.stop();
  expect(lossless).toHaveLength(4);
  const written = everything('app.log').split('\n').slice(0, -1);
  const whole = Array.from({ length: lines }, (_, n) => `line ${n}`);
  if (lossless.every(Boolean)) expect(written).toEqual(whole);
  // Elsewhere it is told that lines of an instant may be missing, and no more than they are: halves of them stand at each cut.
  else expect(written.filter((line) => !isLine.test(line)).length).toBeLessThanOrEqual(2 * lossless.length);
});

test('a log whose end moves on with every look is copied up to the last look, and one that outruns the copy is left alone', () => {
  const buffer = Buffer.alloc(100);
  /** @param grows bytes that somebody writes between any two looks */
  const copy = (grows: (look: number) => number): { copied: number; kept: number; looks: number } => {
    let [size, kept, looks] = [50, 0, 0];
    const log: GrowingLog = {
      read(into, from) {
        looks += 1;
        const bytes = Math.min(into.length, size - from);
        size += grows(looks);
        return bytes;
      },
      size: () => size,
    };
    const copied = copyRest(
      log,
      (_from, bytes, where) => {
        expect(where).toBe(20 + kept);
        kept += bytes;
      },
      20,
      buffer,
    );
    return { copied, kept: 20 + kept, looks };
  };
  expect(copy(() => 0)).toEqual({ copied: 50, kept: 50, looks: 2 });
  expect(copy((look) => (look < 3 ? 1_000 : 0))).toMatchObject({ copied: 2_050, kept: 2_050 });
  const chatty = copy(() => 7);
  expect(chatty.kept).toBe(chatty.copied);
  expect(chatty.looks).toBeLessThan(1_000);
  expect(() => copy(() => 100)).toThrow(LeftAlone);
});

test('a program that does not append is left alone by a copy, which would leave a hole', async () => {
  const writer = await startWriter(at('app.log'), 'w');
  const { failed_files: failed, state: ended } = await rotate(make({ how: 'copy-truncate' }));
  expect(failed).toMatchObject([{ file: at('app.log'), reason: expect.stringContaining('does not write at the end') }]);
  expect(ended).toBe('partial');
  const lines = await writer.stop();
  expect(contentOf(at('app.log')).split('\n')).toHaveLength(lines + 1);
});

test('our own log goes on in a new file in the same step, and every line is in one of them', async () => {
  const lost: string[] = [];
  const file = openLogFile(at('ragwarden.log'), (line) => lost.push(line));
  const logs = make({}, { file: at('ragwarden.log'), reopen: () => file.reopen() });
  for (let n = 0; n < 2_000; n += 1) file.write(`line ${n}\n`);
  const rotating = rotate(logs);
  for (let n = 2_000; n < 4_000; n += 1) {
    file.write(`line ${n}\n`);
    if (n % 100 === 0) await new Promise((done) => setImmediate(done));
  }
  expect((await rotating).rotated_files).toMatchObject([{ compressed: true }]);
  file.write('the last\n');
  file.close();
  expect(lost).toEqual([]);
  expect(everything('ragwarden.log')).toBe(
    `${Array.from({ length: 4_000 }, (_, n) => `line ${n}\n`).join('')}the last\n`,
  );
});

test('what LightRAG or logrotate sets aside by itself, links and folders are left alone', async () => {
  const big = 'x'.repeat(20_000);
  for (const name of ['lightrag.log', 'lightrag.log.1', 'nginx.log', 'nginx.log-20260101.gz'])
    writeFileSync(at(name), big);
  writeFileSync(join(folder, 'elsewhere.log'), big);
  symlinkSync(join(folder, 'elsewhere.log'), at('link.log'));
  symlinkSync(join(folder), at('up'));
  mkdirSync(at('folder.log'));
  const logs = make({ recursive: true });
  expect((await rotate(logs, true)).rotated_files).toEqual([]);
  const [plan] = await logs.plan({ all: true });
  expect(plan?.rotation.map(({ file, reason }) => `${file.name} ${reason}`).sort()).toEqual([
    'lightrag.log its own writer or another program sets it aside',
    'lightrag.log.1 was set aside by its own writer or another program',
    'link.log is a link, or no file',
    'nginx.log its own writer or another program sets it aside',
    'nginx.log-20260101.gz was set aside by its own writer or another program',
  ]);
  const old = new Date(Date.now() - 90 * dayMs);
  for (const name of ['lightrag.log.1', 'nginx.log-20260101.gz']) utimesSync(at(name), old, old);
  expect((await logs.plan())[0]?.cleanup.filter(({ action }) => action === 'delete')).toEqual([]);
  expect(readFileSync(join(folder, 'elsewhere.log'), 'utf8')).toBe(big);
});

test('a log that somebody else sets aside at the same time is told, and keeps no other waiting', async () => {
  for (const name of ['a.log', 'b.log']) writeFileSync(at(name), 'x'.repeat(20_000));
  const logs = make();
  // Between looking and moving: the first move is where somebody else comes first.
  const stolen = vi.spyOn(operations, 'start').mockImplementation(async (start) => {
    stolen.mockRestore();
    return operations.start({
      ...start,
      run: (context) => {
        let asked = 0;
        return start.run({
          ...context,
          async checkHeld() {
            asked += 1;
            if (asked === 1) {
              renameSync(at('a.log'), at('a.moved'));
              writeFileSync(at('a.log'), 'new');
            }
          },
        });
      },
    });
  });
  const { rotated_files: rotated, failed_files: failed } = await rotate(logs);
  expect(failed).toEqual([{ file: at('a.log'), reason: 'somebody else set it aside meanwhile' }]);
  expect(rotated).toMatchObject([{ original: at('b.log') }]);
  expect(readFileSync(at('a.log'), 'utf8')).toBe('new');
});

/** Neither root nor every machine may mount. */
function mountSmall(): string | undefined {
  const mounted = join(folder, 'small');
  mkdirSync(mounted);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'ragwarden-test', mounted], { stdio: 'ignore' });
    return mounted;
  } catch {
    process.stderr.write('SKIPPED: mounting a small tmpfs needs root; logs on a full disk were not tested\n');
    return undefined;
  }
}

test('on a full disk a log stays as it was, whichever way it is set aside, and nothing half is left', async () => {
  const mounted = mountSmall();
  if (mounted === undefined) return;
  try {
    const noise = randomBytes(250_000).toString('base64').slice(0, 250_000);
    writeFileSync(join(mounted, 'app.log'), noise);
    const copied = await rotate(make({ path: mounted, how: 'copy-truncate' }));
    expect(copied.failed_files).toEqual([
      { file: join(mounted, 'app.log'), reason: 'the disk is full; it is as it was' },
    ]);
    expect(readdirSync(mounted)).toEqual(['app.log']);
    expect(readFileSync(join(mounted, 'app.log'), 'utf8')).toBe(noise);
    const moved = await rotate(make({ path: mounted }));
    // Moving needs no space, compressing does: that is made up for when there is some.
    expect(moved.failed_files).toMatchObject([{ reason: 'the disk is full; it is as it was' }]);
    const [left = ''] = readdirSync(mounted);
    expect(left).toMatch(/^app_\d{8}_\d{6}\.log$/);
    expect(readFileSync(join(mounted, left), 'utf8')).toBe(noise);
    expect(readdirSync(mounted)).toHaveLength(1);
  } finally {
    execFileSync('umount', [mounted]);
  }
});

test.each(['rename', 'copy-truncate'] as const)(
  'a log that may be read and not written is told, stays as it was, and keeps no other waiting: %s',
  async (how) => {
    const mounted = mountSmall();
    if (mounted === undefined) return;
    try {
      writeFileSync(join(mounted, 'app.log'), 'x'.repeat(20_000));
      execFileSync('mount', ['-o', 'remount,ro', mounted]);
      const { failed_files: failed, rotated_files: rotated, state } = await rotate(make({ path: mounted, how }));
      expect(failed).toEqual([{ file: join(mounted, 'app.log'), reason: expect.stringMatching(/EROFS|read-only/) }]);
      expect([rotated, state]).toEqual([[], 'partial']);
      expect(readdirSync(mounted)).toEqual(['app.log']);
    } finally {
      execFileSync('umount', [mounted]);
    }
  },
);

test('what a killed compression left goes, and the log it was of is compressed', async () => {
  writeFileSync(at('app_20260101_000000.log'), 'old lines\n');
  writeFileSync(at('app_20260101_000000.log.gz.partial'), 'half');
  const { compressed_files: compressed } = await rotate(make());
  expect(compressed).toEqual([at('app_20260101_000000.log.gz')]);
  expect(readdirSync(join(folder, 'logs'))).toEqual(['app_20260101_000000.log.gz']);
  expect(contentOf(at('app_20260101_000000.log.gz'))).toBe('old lines\n');
});

test('old logs are deleted by when they were last written, those somebody has open are not', async () => {
  const old = new Date(Date.now() - 31 * dayMs);
  for (const name of ['quiet.log', 'app_20260101_000000.log.gz', 'young.log', 'open.log'])
    appendFileSync(at(name), name === 'quiet.log' ? Buffer.alloc(3 * 2 ** 20) : Buffer.alloc(2 ** 19));
  const fd = openSync(at('open.log'), 'a');
  writers.push(spawn('sleep', ['600'], { stdio: ['ignore', fd, 'ignore'] }));
  closeSync(fd);
  for (const name of ['quiet.log', 'app_20260101_000000.log.gz', 'open.log']) utimesSync(at(name), old, old);
  const logs = make();
  const operation = await logs.cleanup({ keepDays: 30, requestedBy: 'local:me' });
  const { result } = await operations.wait(operation.id);
  expect(result).toMatchObject({
    days_to_keep: 30,
    deleted_files: [
      { file: at('app_20260101_000000.log.gz'), age_days: 31, size_mb: 0.5 },
      { file: at('quiet.log'), age_days: 31, size_mb: 3 },
    ],
    freed_space_mb: 3.5,
    failed_files: [{ file: at('open.log'), reason: expect.stringContaining('has it open for writing') }],
  });
  expect(readdirSync(join(folder, 'logs')).sort()).toEqual(['open.log', 'young.log']);
});

test('a folder that is not there, or no folder, is told; without any log there is nothing to ask for', async () => {
  const logs = make({ path: join(folder, 'nowhere') });
  const { failed_files: failed } = await rotate(logs);
  expect(failed).toEqual([{ file: join(folder, 'nowhere'), reason: '. cannot be read (ENOENT)' }]);
  const none = createLogs({
    ...{ file: undefined, reopen: () => undefined, folders: [], intervalMs: 1_000, operations, events },
    settings: () => ({ rotateOverBytes: 1, rotateAfterMs: 0, keepDays: 1 }),
    ...{ db: state.db, children, clock: systemClock, log: silentLogger },
  });
  expect(none.job).toBeUndefined();
  await expect(none.rotate({ all: true, requestedBy: 'me' })).rejects.toMatchObject({ code: 'conflict/state' });
});

test('the same trouble is told once, not with each look', async () => {
  const logs = make({ path: join(folder, 'nowhere') });
  for (let i = 0; i < 3; i += 1) await logs.job?.runOnce();
  expect((await events.list({ types: ['system.*'], limit: 9 })).map(({ type }) => type)).toEqual([
    'system.logs-failed',
  ]);
  await logs.job?.stop?.();
});
