import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createChildProcesses, type RunningChild, systemSearchPath } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import { findHolders } from './holders.ts';

const onLinux = test.skipIf(process.platform !== 'linux');
let folder: string;
let held: string;
let children: ReturnType<typeof createChildProcesses>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-holders-'));
  held = join(folder, 'wörk space');
  mkdirSync(join(held, 'library'), { recursive: true });
  writeFileSync(join(held, 'library/graph.graphml'), 'x'.repeat(8_192));
  children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
});
afterEach(async () => {
  await children.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a program and resolves when it said that it holds what it shall. */
async function hold(program: string, args: string[], cwd?: string): Promise<RunningChild> {
  let ready: () => void = () => undefined;
  const said = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const child = await children.start({
    program,
    args,
    env: { PATH: systemSearchPath },
    purpose: 'holding a file',
    onStdoutLine: () => ready(),
    ...(cwd === undefined ? {} : { cwd }),
  });
  await said;
  return child;
}
const none: ReadonlySet<number> = new Set();

onLinux('an open file is seen until its process is gone', async () => {
  const file = join(held, 'library/graph.graphml');
  const child = await hold('sh', ['-c', 'exec 9<"$1"; echo ready; exec sleep 600', 'sh', file]);
  expect(await findHolders([held], none)).toEqual([{ pid: child.pid, program: 'sleep', path: file }]);
  expect(await findHolders([held], new Set([child.pid]))).toEqual([]);
  expect(await findHolders([join(folder, 'wörk')], none)).toEqual([]);
  await child.stop(0);
  expect(await findHolders([held], none)).toEqual([]);
});

onLinux('an open file that was deleted or replaced is still held', async () => {
  const file = join(held, 'library/graph.graphml');
  const child = await hold('sh', ['-c', 'exec 9<"$1"; rm "$1"; echo ready; exec sleep 600', 'sh', file]);
  expect(await findHolders([held], none)).toMatchObject([{ pid: child.pid }]);
});

onLinux('a process that stands in a folder is seen', async () => {
  const child = await hold('sh', ['-c', 'echo ready; exec sleep 600'], join(held, 'library'));
  expect(await findHolders([held], none)).toMatchObject([{ pid: child.pid, path: join(held, 'library') }]);
});

const python = '/usr/bin/python3';
onLinux('a mapped file is seen after its descriptor was closed', async ({ skip }) => {
  const file = join(held, 'library/graph.graphml');
  const script = [
    'import mmap, os, sys, time',
    'fd = os.open(sys.argv[1], os.O_RDONLY)',
    'm = mmap.mmap(fd, 0, prot=mmap.PROT_READ)',
    'os.close(fd)',
    // Python keeps a descriptor of its own for the map; without it only the map is left.
    '[os.close(n) for n in range(3, 64) if os.path.exists(f"/proc/self/fd/{n}")]',
    'print("ready", flush=True)',
    'time.sleep(600)',
  ].join('\n');
  const child = await hold(python, ['-c', script, file]).catch(() => skip('python3 is not there'));
  expect(await findHolders([held], none)).toMatchObject([{ pid: child.pid, path: file }]);
});

onLinux('a folder that is reached by a link is the same folder', async () => {
  symlinkSync(held, join(folder, 'link'));
  const child = await hold('sh', [
    '-c',
    'exec 9<"$1"; echo ready; exec sleep 600',
    'sh',
    join(held, 'library/graph.graphml'),
  ]);
  expect(await findHolders([join(folder, 'link')], none)).toMatchObject([{ pid: child.pid }]);
});

onLinux('a folder that does not exist is held by nobody', async () => {
  expect(await findHolders([join(folder, 'none')], none)).toEqual([]);
});
