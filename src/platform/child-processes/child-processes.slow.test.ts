import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logging.ts';
import {
  type ChildProcesses,
  type ChildSpec,
  createChildProcesses,
  findProgram,
  runningProcess,
  systemSearchPath,
} from './index.ts';
import { parseProcessStat, readBootId } from './proc.ts';

const onLinux = process.platform === 'linux';
let folder: string;
let recordDir: string;
let children: ChildProcesses;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'children-test-'));
  recordDir = join(folder, 'records');
  children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir });
});

afterEach(async () => {
  await children.stop();
  await rm(folder, { recursive: true, force: true });
});

const shell = (script: string, more: Partial<ChildSpec> = {}): ChildSpec => ({
  program: 'sh',
  args: ['-c', script],
  env: { PATH: systemSearchPath },
  purpose: 'a test',
  graceMs: 2_000,
  ...more,
});
const node = (script: string, more: Partial<ChildSpec> = {}): ChildSpec => ({
  ...shell('', more),
  program: process.execPath,
  args: ['-e', script],
});
const recordFiles = (): string[] => readdirSync(recordDir).filter((name) => name.endsWith('.json'));

/** Polls what only another process can bring about, and says what was missing. */
async function until<T>(what: string, probe: () => T | undefined | false): Promise<T> {
  for (let round = 0; round < 500; round += 1) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    await systemClock.sleep(20);
  }
  throw new Error(`never happened: ${what}`);
}
const gone = (pid: number) => until(`the end of process ${pid}`, () => runningProcess(pid) === undefined);

test('gives exit code and both outputs, and any exit code is a result', async () => {
  const result = await children.run(shell('echo out; echo err >&2; exit 7'));
  expect(result).toMatchObject({ exitCode: 7, signal: null, stdout: 'out\n', stderr: 'err\n', stdoutTruncated: false });
});

test('gives the child exactly the environment that was listed', async () => {
  process.env.CHILD_TEST_LEAK = 'leak';
  const { stdout } = await children.run({
    ...shell(''),
    program: 'env',
    args: [],
    env: { PATH: systemSearchPath, ONLY: 'this' },
  });
  delete process.env.CHILD_TEST_LEAK;
  const names = stdout
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0]);
  // A shell sets these by itself on its way to the program.
  expect(names.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name ?? '')).sort()).toEqual([
    'ONLY',
    'PATH',
  ]);
});

test('hands arguments over untouched', async () => {
  const args = ['a b', '', '-x', '"$HOME"', "it's", 'é\n*', '--'];
  const { stdout } = await children.run(node('console.log(JSON.stringify(process.argv.slice(1)))', { args: [] }));
  expect(stdout).toBe('[]\n');
  const spec = node('console.log(JSON.stringify(process.argv.slice(1)))');
  const result = await children.run({ ...spec, args: [...spec.args, '--', ...args] });
  expect(JSON.parse(result.stdout)).toEqual(args);
});

test('says which program is missing', async () => {
  const plainFile = join(folder, 'plain');
  writeFileSync(plainFile, '', { mode: 0o600 });
  await expect(children.run({ ...shell(''), program: 'no-such-program-here' })).rejects.toMatchObject({
    code: 'child/missing-program',
  });
  await expect(children.run({ ...shell(''), program: plainFile })).rejects.toMatchObject({
    code: 'child/missing-program',
  });
  await expect(children.run(shell('true', { cwd: join(folder, 'nowhere') }))).rejects.toMatchObject({
    code: 'child/failed',
  });
});

test('keeps the beginning of stdout and the end of stderr, and delivers every line', async () => {
  let lines = 0;
  const script = 'i=0; while [ $i -lt 5000 ]; do echo out-$i; echo err-$i >&2; i=$((i+1)); done';
  const result = await children.run(shell(script, { maxOutputBytes: 100, onStdoutLine: () => (lines += 1) }));
  expect(lines).toBe(5_000);
  expect(result.stdout).toHaveLength(100);
  expect(result.stdout.startsWith('out-0\nout-1\n')).toBe(true);
  expect(result.stdoutTruncated).toBe(true);
  expect(result.stderr).toHaveLength(100);
  expect(result.stderr.endsWith('err-4998\nerr-4999\n')).toBe(true);
});

test('keeps bytes that are no UTF-8 and shows them as replacement characters in text', async () => {
  const lines: string[] = [];
  const result = await children.run(
    shell(String.raw`printf 'a\377b\n\303'; printf '\251\r\nlast'`, { onStdoutLine: (line) => lines.push(line) }),
  );
  expect(result.stdoutBytes).toEqual(
    Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xc3, 0xa9, 0x0d, 0x0a, ...Buffer.from('last')]),
  );
  expect(lines).toEqual(['a\ufffdb', 'é', 'last']);
});

test('feeds text and streams, also to a child that does not read them', async () => {
  expect((await children.run(shell('cat', { input: 'text' }))).stdout).toBe('text');
  expect(
    (
      await children.run(shell('wc -c', { input: Readable.from([Buffer.alloc(300_000), Buffer.alloc(5)]) }))
    ).stdout.trim(),
  ).toBe('300005');
  expect((await children.run(shell('exit 4', { input: Buffer.alloc(1_000_000) }))).exitCode).toBe(4);
});

test('what a line callback throws ends the child and comes out', async () => {
  const failure = new Error('cannot be parsed');
  const spec = shell('echo line; exec sleep 600', {
    onStdoutLine: () => {
      throw failure;
    },
  });
  await expect(children.run(spec)).rejects.toBe(failure);
  expect(recordFiles()).toEqual([]);
});

test('a timeout ends the child and is an error', async () => {
  await expect(children.run(shell('exec sleep 600', { timeoutMs: 50 }))).rejects.toMatchObject({
    code: 'child/failed',
  });
});

test('starts nothing when the signal was aborted before', async () => {
  const reason = new Error('not wanted');
  const marker = join(folder, 'ran');
  await expect(children.run(shell(`touch ${marker}`, { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
  expect(existsSync(marker)).toBe(false);
});

test.runIf(onLinux)('an abort ends the whole group, also members that ignore the request', async () => {
  const abort = new AbortController();
  const pids: number[] = [];
  const script = `(trap '' TERM; echo $$; exec sh -c 'trap "" TERM; echo $PPID; while :; do sleep 1; done') & sleep 600 & echo $!; echo $$; wait`;
  const running = children.run(
    shell(script, {
      signal: abort.signal,
      graceMs: 200,
      onStdoutLine: (line) => {
        pids.push(Number(line));
        if (pids.length === 4) abort.abort(new Error('enough'));
      },
    }),
  );
  await expect(running).rejects.toThrow('enough');
  expect(pids).toHaveLength(4);
  for (const pid of pids) expect(runningProcess(pid)).toBeUndefined();
});

test('a child that has ended is let go although a daemon it left holds its output', async () => {
  const result = await children.run(shell('sleep 600 & echo $!'));
  expect(result.exitCode).toBe(0);
  const daemon = Number(result.stdout);
  if (onLinux) expect(runningProcess(daemon)).toBeTypeOf('number');
  process.kill(daemon, 'SIGKILL');
});

test('a daemon that never falls silent does not hold its starter back', async () => {
  const pidFile = join(folder, 'pid');
  const result = await children.run(shell(`(while :; do echo line; sleep 0.2; done) & echo $! > ${pidFile}`));
  // Both write to the output, and who comes first is nobody's to say.
  process.kill(Number(await readFile(pidFile, 'utf8')), 'SIGKILL');
  expect(result.exitCode).toBe(0);
});

test.runIf(onLinux)(
  'a daemon without our pipes goes on writing after its starter has ended and after we stop',
  async () => {
    const pidFile = join(folder, 'pid');
    const beats = join(folder, 'beats');
    const daemon = 'while :; do echo to-stdout; echo to-stderr >&2; echo beat >> "$1"; sleep 0.05; done';
    const result = await children.run({
      ...shell(''),
      args: ['-c', 'sh -c "$1" daemon "$2" & echo $! > "$3"', 'starter', daemon, beats, pidFile],
      discardOutput: true,
    });
    expect(result).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    const pid = Number(await readFile(pidFile, 'utf8'));
    await children.stop();
    const seen = (await readFile(beats, 'utf8').catch(() => '')).length;
    await expect.poll(async () => (await readFile(beats, 'utf8')).length).toBeGreaterThan(seen + 10);
    expect(runningProcess(pid)).toBeTypeOf('number');
    process.kill(pid, 'SIGKILL');
  },
);

test.runIf(onLinux)('a running child is on record with its start ticks, and off it after its end', async () => {
  const child = await children.start(shell('exec sleep 600', { operationId: 'op_1' }));
  const record = JSON.parse(await readFile(join(recordDir, `${child.pid}.json`), 'utf8'));
  expect(record).toMatchObject({
    pid: child.pid,
    startTicks: runningProcess(child.pid),
    bootId: readBootId(),
    operationId: 'op_1',
    purpose: 'a test',
  });
  expect(await child.stop()).toMatchObject({ exitCode: null, signal: 'SIGTERM' });
  expect(await child.stop()).toMatchObject({ signal: 'SIGTERM' });
  expect(recordFiles()).toEqual([]);
  expect(children.endedBySignal()).toMatchObject([{ pid: child.pid }]);
});

test('a long-running child is asked first and killed only when it does not go', async () => {
  const polite: string[] = [];
  const script = `process.on('SIGINT', () => { console.log('bye'); process.exit(9); }); setInterval(() => {}, 1000); console.log('up');`;
  const child = await children.start(node(script, { stopSignal: 'SIGINT', onStdoutLine: (line) => polite.push(line) }));
  await until('the child being up', () => polite.includes('up'));
  expect(await child.stop()).toMatchObject({ exitCode: 9 });
  expect(polite).toEqual(['up', 'bye']);

  const lines: string[] = [];
  const stubborn = await children.start(
    shell('trap "" TERM; echo up; while :; do sleep 1; done', { onStdoutLine: (line) => lines.push(line) }),
  );
  await until('the trap being set', () => lines.length > 0);
  expect(await stubborn.stop(50)).toMatchObject({ signal: 'SIGKILL' });
});

test('stop ends every child, and afterwards nothing can be started', async () => {
  const child = await children.start(shell('exec sleep 600'));
  await children.stop();
  expect((await child.exited).signal).toBe('SIGTERM');
  await expect(children.run(shell('true'))).rejects.toMatchObject({ code: 'internal/stopping' });
});

test.runIf(onLinux)('a child dies with a parent that is killed', async () => {
  const index = fileURLToPath(new URL('./index.ts', import.meta.url));
  const script = `
    const { createChildProcesses } = await import(${JSON.stringify(index)});
    const { systemClock } = await import(${JSON.stringify(fileURLToPath(new URL('../clock.ts', import.meta.url)))});
    const { silentLogger } = await import(${JSON.stringify(fileURLToPath(new URL('../logging.ts', import.meta.url)))});
    const children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: ${JSON.stringify(join(folder, 'inner'))} });
    const child = await children.start({ program: 'sleep', args: ['600'], env: { PATH: '/usr/bin:/bin' }, purpose: 'orphan' });
    console.log(child.pid);
  `;
  const pids: number[] = [];
  const spec = node(script, { onStdoutLine: (line) => pids.push(Number(line)) });
  const parent = await children.start({ ...spec, args: ['--input-type=module', '-e', script] });
  const orphan = await until('the inner child', () => pids[0]);
  expect(runningProcess(orphan)).toBeTypeOf('number');
  process.kill(parent.pid, 'SIGKILL');
  await gone(orphan);
  expect((await parent.exited).signal).toBe('SIGKILL');

  // Its record is what the next life finds: nothing to end, but known to have been ours.
  const next = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'inner') });
  expect(await next.endSurvivors()).toEqual([]);
  expect(next.endedBySignal()).toMatchObject([{ pid: orphan, purpose: 'orphan' }]);
});

test.runIf(onLinux)(
  'survivors of an earlier life are ended; a stranger who has their pid, or another boot, is not',
  async () => {
    const survivor = await children.start(shell('trap "" TERM; while :; do sleep 1; done'));
    const stranger = await children.start(shell('exec sleep 600'));
    const afterBoot = await children.start(shell('exec sleep 600'));
    const other = join(folder, 'earlier');
    mkdirSync(other);
    const leave = async (pid: number, change: object): Promise<void> => {
      const record = JSON.parse(await readFile(join(recordDir, `${pid}.json`), 'utf8'));
      writeFileSync(join(other, `${pid}.json`), JSON.stringify({ ...record, ...change }));
    };
    await leave(survivor.pid, {});
    await leave(stranger.pid, { startTicks: 1 });
    await leave(afterBoot.pid, { bootId: 'another' });
    writeFileSync(join(other, '99.json'), '{"pid": 9');

    const next = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: other });
    expect((await next.endSurvivors(100)).map(({ pid }) => pid)).toEqual([survivor.pid]);
    expect(runningProcess(survivor.pid)).toBeUndefined();
    expect(runningProcess(stranger.pid)).toBeTypeOf('number');
    expect(runningProcess(afterBoot.pid)).toBeTypeOf('number');
    expect(readdirSync(other)).toEqual(['past']);
    expect(await next.endSurvivors()).toEqual([]);
  },
);

test('joins two children by a pipe that does not pass through this process', async () => {
  const producer = shell('head -c 30000000 /dev/zero; echo done >&2');
  const result = await children.pipe(producer, shell('readlink /proc/self/fd/0; wc -c'));
  expect(result.succeeded).toBe(true);
  expect(result.producer).toMatchObject({ exitCode: 0, stderr: 'done\n', stdout: '' });
  const [what, bytes] = result.consumer.stdout.trim().split('\n').slice(-2);
  if (onLinux) expect(what).toMatch(/pipe/);
  expect(Number(bytes)).toBe(30_000_000);
});

test('a producer that fails never looks like the end of the stream to its consumer', async () => {
  const kept = join(folder, 'kept');
  const result = await children.pipe(shell('echo half; exit 3'), shell(`cat > /dev/null && touch ${kept}`));
  expect(result.succeeded).toBe(false);
  expect(result.producer.exitCode).toBe(3);
  expect(result.consumer.signal).toBe('SIGTERM');
  expect(existsSync(kept)).toBe(false);
});

test('a consumer that ends first ends its producer', async () => {
  const result = await children.pipe(shell('exec cat /dev/zero'), shell('head -c 5 > /dev/null; exit 6'));
  expect(result).toMatchObject({ succeeded: false, consumer: { exitCode: 6 } });
  expect(result.producer.signal).toMatch(/SIGPIPE|SIGTERM/);
  const silent = await children.pipe(shell('exec sleep 600'), shell('exit 0'));
  expect(silent).toMatchObject({ succeeded: false, producer: { signal: 'SIGTERM' } });
});

test('a pipe can be aborted, times out, and is not begun when one side is missing', async () => {
  const abort = new AbortController();
  const consumer = shell('echo up >&2; cat', { onStderrLine: () => abort.abort(new Error('enough')) });
  await expect(children.pipe(shell('exec sleep 600'), consumer, { signal: abort.signal })).rejects.toThrow('enough');
  await expect(children.pipe(shell('exec sleep 600'), shell('cat'), { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'child/failed',
  });
  const marker = join(folder, 'ran');
  const missing = { ...shell(''), program: 'no-such-program-here' };
  await expect(children.pipe(shell(`touch ${marker}`), missing)).rejects.toMatchObject({
    code: 'child/missing-program',
  });
  expect(existsSync(marker)).toBe(false);
  expect(existsSync(recordDir) ? recordFiles() : []).toEqual([]);
});

test.runIf(onLinux && process.getuid?.() === 0)(
  'runs as another user where asked, and dies with us all the same',
  async () => {
    const { stdout } = await children.run(shell('id -u; id -g', { uid: 65534, gid: 65534 }));
    expect(stdout).toBe('65534\n65534\n');
  },
);

test('finds programs by absolute folders only', () => {
  expect(findProgram('sh', systemSearchPath)).toMatch(/\/sh$/);
  expect(findProgram('sh', '.:bin')).toBeUndefined();
  expect(findProgram('', systemSearchPath)).toBeUndefined();
  expect(findProgram('../bin/sh', systemSearchPath, '/usr')).toBe('/bin/sh');
});

test('reads a process whose name tries to look like more fields', () => {
  const stat = `42 (evil) S 1 (x) S 1 42 42 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 777 0`;
  expect(parseProcessStat(stat)).toMatchObject({ state: 'S', group: 42, session: 42, startTicks: 777 });
  expect(parseProcessStat('')).toBeUndefined();
});
