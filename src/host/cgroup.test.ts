import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { countCpus, foldersOf, keyedValue, parseCpuMax, parseLimit } from './cgroup-files.ts';
import { createCgroupTracker } from './cgroup-tracker.ts';
import { parsePressure } from './pressure.ts';
import { createProcfsReader } from './procfs-reader.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0).reverse()) cleanUp();
});

const gib = 2 ** 30;
const mib = 2 ** 20;
const host = { memoryBytes: 64 * gib, cores: 16 };

/** Files as they were read on such machines; the reader takes this folder for the root of the machine. */
function machine(files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), 'ragwarden-cgroup-'));
  cleanUps.push(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  const reader = createProcfsReader(root);
  cleanUps.push(() => reader.close());
  const tracker = (who = 'self', elsewhere?: () => string | undefined) =>
    createCgroupTracker({ reader, who, ...(elsewhere && { elsewhere }) });
  return { write, remove: (path: string) => rmSync(join(root, path)), tracker, reader };
}

const mounted = (root = '/', point = '/sys/fs/cgroup') =>
  `23 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 23 0:28 ${root} ${point} rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n`;

type Group = {
  max?: string;
  high?: string;
  current?: number;
  inactive?: number;
  cpu?: string;
  usage?: number;
  throttled?: number;
  pids?: string;
  kills?: number;
  cpus?: string;
  swapMax?: string;
};
/** A group of the unified hierarchy with the controllers that it was given. */
const group = (folder: string, g: Group): Record<string, string> => {
  const files: Record<string, string> = { 'cgroup.events': 'populated 1\nfrozen 0\n', 'cgroup.type': 'domain\n' };
  if (g.current !== undefined) {
    files['memory.max'] = `${g.max ?? 'max'}\n`;
    files['memory.high'] = `${g.high ?? 'max'}\n`;
    files['memory.current'] = `${g.current}\n`;
    files['memory.stat'] =
      `anon 4096\nfile 8192\nkernel 12\ninactive_anon 0\nactive_anon 9\ninactive_file ${g.inactive ?? 0}\nactive_file 3\n`;
    files['memory.events'] = `low 0\nhigh 0\nmax 4\noom 2\noom_kill ${g.kills ?? 0}\noom_group_kill 0\n`;
    files['memory.swap.max'] = `${g.swapMax ?? 'max'}\n`;
    files['memory.swap.current'] = '4096\n';
    files['memory.pressure'] =
      'some avg10=1.50 avg60=0.20 avg300=0.10 total=5000\nfull avg10=0.50 avg60=0.10 avg300=0.00 total=2000\n';
  }
  files['cpu.stat'] = `usage_usec ${g.usage ?? 1_000_000}\nuser_usec 600000\nsystem_usec 400000\n${
    g.cpu === undefined ? '' : `nr_periods 10\nnr_throttled 4\nthrottled_usec ${g.throttled ?? 250_000}\n`
  }`;
  if (g.cpu !== undefined) files['cpu.max'] = `${g.cpu}\n`;
  if (g.pids !== undefined) Object.assign(files, { 'pids.max': `${g.pids}\n`, 'pids.current': '12\n' });
  if (g.cpus !== undefined) files['cpuset.cpus.effective'] = `${g.cpus}\n`;
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]));
};
const root = {
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
  '/sys/fs/cgroup/cpu.stat': 'usage_usec 9\n',
};

test('a docker container with a namespace of its own is limited by what stands at the mount', () => {
  const { tracker } = machine({
    '/proc/self/cgroup': '0::/\n',
    '/proc/self/mountinfo': mounted(),
    ...group('/sys/fs/cgroup', {
      max: `${512 * mib}`,
      current: 300 * mib,
      inactive: 44 * mib,
      cpu: '150000 100000',
      pids: '100',
      swapMax: '0',
      kills: 1,
    }),
  });
  const seen = tracker().read({ ...host, monotonicMs: 0 });
  expect(seen).toMatchObject({
    path: '/',
    version: 2,
    memory: {
      limitBytes: 512 * mib,
      usedBytes: 256 * mib,
      percent: 50,
      swapLimitBytes: 0,
      oomKills: 1,
      newOomKills: 0,
    },
    cpu: { limitCores: 1.5, usageSeconds: 1, periods: 10, throttledPeriods: 4, throttledSeconds: 0.25 },
    processes: { count: 12, limit: 100 },
    pressure: { memory: { some: { avg10: 1.5, totalUs: 5_000 }, full: { avg10: 0.5 } }, cpu: undefined, io: undefined },
  });
  expect(seen?.cpu?.percent).toBeUndefined();
});

test('a process in a group that is read already is not read again, and is read once it moves into another', () => {
  const own = '0::/app.slice/ragwarden.service\n';
  const { tracker, write, remove, reader } = machine({
    '/proc/self/cgroup': own,
    '/proc/7/cgroup': own,
    '/proc/self/mountinfo': mounted(),
    ...root,
    ...group('/sys/fs/cgroup/app.slice', { current: gib }),
    ...group('/sys/fs/cgroup/app.slice/ragwarden.service', { max: `${gib}`, current: 100 * mib }),
    ...group('/sys/fs/cgroup/app.slice/backend.service', { max: `${2 * gib}`, current: 300 * mib }),
  });
  const first = tracker();
  const other = tracker('7', first.membership);
  expect(first.read({ ...host, monotonicMs: 0 })?.memory?.usedBytes).toBe(100 * mib);
  expect(other.read({ ...host, monotonicMs: 0 })).toBeUndefined();
  write('/proc/7/cgroup', '0::/app.slice/backend.service\n');
  expect(other.read({ ...host, monotonicMs: 10_000 })?.memory?.usedBytes).toBe(300 * mib);
  write('/proc/7/cgroup', own);
  const left = '/sys/fs/cgroup/app.slice/backend.service/memory.current';
  remove(left);
  // Held open it can still be read.
  expect(reader.text(left)).toBe(`${300 * mib}\n`);
  expect(other.read({ ...host, monotonicMs: 20_000 })).toBeUndefined();
  expect(reader.text(left)).toBeUndefined();
  expect(first.read({ ...host, monotonicMs: 20_000 })?.memory?.usedBytes).toBe(100 * mib);
});

test('podman in the namespace of the machine: the mount shows a part, and the path leads below it', () => {
  const path = '/machine.slice/libpod-0a1b.scope';
  const { tracker } = machine({
    '/proc/self/cgroup': `0::${path}/container\n`,
    '/proc/self/mountinfo': mounted(path),
    ...group('/sys/fs/cgroup', { max: `${gib}`, current: 100 * mib, cpu: 'max 100000' }),
    ...group('/sys/fs/cgroup/container', { current: 90 * mib, cpu: 'max 100000' }),
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })).toMatchObject({
    memory: { limitBytes: gib, usedBytes: 100 * mib },
    cpu: { limitCores: undefined, percent: undefined },
  });
});

test('a unit of systemd: the slice above it may be the tighter one, also through memory.high', () => {
  const { tracker } = machine({
    '/proc/self/cgroup': '0::/system.slice/rag.slice/ragwarden.service\n',
    '/proc/self/mountinfo': mounted(),
    ...root,
    ...group('/sys/fs/cgroup/system.slice', { current: 9 * gib }),
    ...group('/sys/fs/cgroup/system.slice/rag.slice', {
      high: `${2 * gib}`,
      max: `${3 * gib}`,
      current: gib,
      cpu: '400000 100000',
    }),
    ...group('/sys/fs/cgroup/system.slice/rag.slice/ragwarden.service', {
      max: `${8 * gib}`,
      current: 200 * mib,
      cpu: 'max 100000',
      pids: '4915',
    }),
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })).toMatchObject({
    path: '/system.slice/rag.slice/ragwarden.service',
    memory: { limitBytes: 2 * gib, usedBytes: gib, percent: 50 },
    cpu: { limitCores: 4 },
    processes: { limit: 4_915 },
  });
});

test('a burstable pod: the container has no memory limit, the pod has, and what its neighbours use counts', () => {
  const pod = '/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice';
  const { tracker } = machine({
    '/proc/self/cgroup':
      '0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-aa.scope\n',
    '/proc/self/mountinfo': mounted(),
    ...root,
    ...group('/sys/fs/cgroup/kubepods.slice', { max: `${60 * gib}`, current: 20 * gib, cpu: 'max 100000' }),
    ...group('/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice', { current: 10 * gib, cpu: 'max 100000' }),
    ...group(pod, { max: `${gib}`, current: 900 * mib, cpu: '200000 100000' }),
    ...group(`${pod}/cri-containerd-aa.scope`, { current: 50 * mib, cpu: '200000 100000' }),
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })).toMatchObject({
    memory: { limitBytes: gib, usedBytes: 900 * mib },
    cpu: { limitCores: 2 },
  });
});

test('of two limits the one with the least left counts, though it is the larger', () => {
  const { tracker } = machine({
    '/proc/self/cgroup': '0::/a/b\n',
    '/proc/self/mountinfo': mounted(),
    ...root,
    ...group('/sys/fs/cgroup/a', { max: `${2 * gib}`, current: 2 * gib - 10 * mib }),
    ...group('/sys/fs/cgroup/a/b', { max: `${gib}`, current: 100 * mib }),
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })?.memory?.limitBytes).toBe(2 * gib);
});

test('a delegated group without controllers is held by what stands above it', () => {
  const { tracker } = machine({
    '/proc/self/cgroup': '0::/user.slice/user-1000.slice/app.scope\n',
    '/proc/self/mountinfo': mounted(),
    ...root,
    ...group('/sys/fs/cgroup/user.slice', { current: gib }),
    ...group('/sys/fs/cgroup/user.slice/user-1000.slice', { max: `${4 * gib}`, current: gib, pids: '50' }),
    ...group('/sys/fs/cgroup/user.slice/user-1000.slice/app.scope', {}),
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })).toMatchObject({
    memory: { limitBytes: 4 * gib, percent: 25 },
    cpu: { limitCores: undefined, usageSeconds: 1 },
    processes: { limit: 50 },
  });
});

test('limits that are not below what the machine has are none', () => {
  const { tracker } = machine({
    '/proc/self/cgroup': '0::/\n',
    '/proc/self/mountinfo': mounted(),
    ...group('/sys/fs/cgroup', { max: `${64 * gib}`, current: gib, cpu: '1600000 100000', cpus: '0-15' }),
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })).toMatchObject({
    memory: { limitBytes: undefined, percent: undefined, usedBytes: gib },
    cpu: { limitCores: undefined },
  });
});

test('a CPU set is a limit too', () => {
  const { tracker } = machine({
    '/proc/self/cgroup': '0::/\n',
    '/proc/self/mountinfo': mounted(),
    ...group('/sys/fs/cgroup', { cpu: '400000 100000', cpus: '2-3,7' }),
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })?.cpu?.limitCores).toBe(3);
});

test.each([
  ['the root of the machine', '0::/\n', mounted(), {}],
  ['no control groups at all', '', '', {}],
  ['a group outside of the namespace', '0::/../other\n', mounted(), {}],
  ['a group that the mount does not show', '0::/elsewhere\n', mounted('/docker/1'), {}],
])('%s is no container', (_, membership, mountinfo, files) => {
  const { tracker } = machine({
    '/proc/self/cgroup': membership,
    '/proc/self/mountinfo': mountinfo,
    ...root,
    ...files,
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })).toBeUndefined();
});

test('CPU use is told from two readings of one group, and against its limit', () => {
  const files = { cpu: '200000 100000', usage: 1_000_000 };
  const { tracker, write } = machine({
    '/proc/self/cgroup': '0::/\n',
    '/proc/self/mountinfo': mounted(),
    ...group('/sys/fs/cgroup', files),
  });
  const one = tracker();
  one.read({ ...host, monotonicMs: 1_000 });
  write('/sys/fs/cgroup/cpu.stat', 'usage_usec 2500000\nnr_periods 20\n');
  expect(one.read({ ...host, monotonicMs: 2_000 })?.cpu).toMatchObject({ usedCores: 1.5, percent: 75 });
});

test('a limit that is changed and a process that is moved are seen at the next look, kills once', () => {
  const { tracker, write } = machine({
    '/proc/self/cgroup': '0::/a\n',
    '/proc/self/mountinfo': mounted(),
    ...root,
    ...group('/sys/fs/cgroup/a', { max: `${gib}`, current: 100 * mib, kills: 3 }),
    ...group('/sys/fs/cgroup/b', { max: `${2 * gib}`, current: 100 * mib, kills: 9 }),
  });
  const one = tracker();
  const at = (monotonicMs: number) => one.read({ ...host, monotonicMs })?.memory;
  expect(at(0)).toMatchObject({ limitBytes: gib, newOomKills: 0 });
  write('/sys/fs/cgroup/a/memory.events', 'oom 9\noom_kill 5\n');
  expect(at(1_000)).toMatchObject({ oomKills: 5, newOomKills: 2 });
  expect(at(2_000)).toMatchObject({ newOomKills: 0 });
  write('/sys/fs/cgroup/a/memory.max', `${512 * mib}\n`);
  expect(at(10_000)?.limitBytes).toBe(512 * mib);
  write('/proc/self/cgroup', '0::/b\n');
  // Another group has killed more, but not since we are in it.
  expect(at(20_000)).toMatchObject({ limitBytes: 2 * gib, oomKills: 9, newOomKills: 0 });
});

test('a hybrid machine keeps memory and CPU in version 1, limits above what can be seen included', () => {
  const id = '/docker/0a1b';
  const v1 = (controllers: string, point: string) =>
    `40 30 0:30 ${id} /sys/fs/cgroup/${point} ro,nosuid - cgroup cgroup rw,${controllers}\n`;
  const { tracker } = machine({
    '/proc/self/cgroup': `9:name=systemd:${id}\n4:memory:${id}\n3:cpuset:${id}\n2:cpu,cpuacct:${id}\n1:pids:${id}\n0::/system.slice/docker.service\n`,
    '/proc/self/mountinfo': `${v1('memory', 'memory')}${v1('cpu,cpuacct', 'cpu,cpuacct')}${v1('cpuset', 'cpuset')}${v1('pids', 'pids')}${mounted('/', '/sys/fs/cgroup/unified')}`,
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${600 * mib}\n`,
    '/sys/fs/cgroup/memory/memory.stat': `cache 1\nhierarchical_memory_limit ${gib}\ntotal_cache 9\ntotal_inactive_file ${88 * mib}\n`,
    '/sys/fs/cgroup/memory/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
    '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000\n',
    '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    '/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage': '7000000000\n',
    '/sys/fs/cgroup/cpu,cpuacct/cpu.stat': 'nr_periods 5\nnr_throttled 2\nthrottled_time 1500000000\n',
    '/sys/fs/cgroup/cpuset/cpuset.effective_cpus': '0-15\n',
    '/sys/fs/cgroup/pids/pids.max': 'max\n',
    '/sys/fs/cgroup/pids/pids.current': '7\n',
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })).toEqual({
    path: id,
    version: 1,
    memory: {
      limitBytes: gib,
      usedBytes: 512 * mib,
      percent: 50,
      swapLimitBytes: undefined,
      swapUsedBytes: undefined,
      ooms: undefined,
      oomKills: 2,
      newOomKills: 0,
    },
    cpu: {
      limitCores: 0.5,
      usedCores: undefined,
      percent: undefined,
      usageSeconds: 7,
      periods: 5,
      throttledPeriods: 2,
      throttledSeconds: 1.5,
    },
    processes: { count: 7, limit: undefined },
    pressure: undefined,
  });
});

test('version 1 on the bare machine limits nothing', () => {
  const { tracker } = machine({
    '/proc/self/cgroup': '4:memory:/\n2:cpu,cpuacct:/\n',
    '/proc/self/mountinfo': '40 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${600 * mib}\n`,
  });
  expect(tracker().read({ ...host, monotonicMs: 0 })).toBeUndefined();
});

test('another process is looked up by its own membership', () => {
  const { tracker } = machine({
    '/proc/42/cgroup': '0::/backend.service\n',
    '/proc/self/mountinfo': mounted(),
    ...root,
    ...group('/sys/fs/cgroup/backend.service', { max: `${gib}`, current: 900 * mib }),
  });
  expect(tracker('42').read({ ...host, monotonicMs: 0 })?.path).toBe('/backend.service');
  expect(tracker('43').read({ ...host, monotonicMs: 0 })).toBeUndefined();
});

test('single files', () => {
  expect(['max', '-1', '', 'x', '9223372036854771712', undefined].map(parseLimit)).toEqual(Array(6).fill(undefined));
  expect(parseLimit('0\n')).toBe(0);
  expect(['max 100000', '-1 100000', '', 'undefined undefined', undefined].map(parseCpuMax)).toEqual(
    Array(5).fill(undefined),
  );
  expect(parseCpuMax('50000 100000\n')).toBe(0.5);
  expect(['0-3,7\n', '\n', '5', undefined].map(countCpus)).toEqual([5, undefined, 1, undefined]);
  expect(keyedValue('oom 3\noom_kill 5\n', 'oom_kill')).toBe(5);
  expect(keyedValue('oom 3\noom_kill 5\n', 'oom')).toBe(3);
  expect(keyedValue('oom_kill 5\n', 'oom')).toBeUndefined();
  expect(foldersOf({ root: '/a', mountPoint: '/m' }, '/ab')).toEqual([]);
  expect(foldersOf({ root: '/a', mountPoint: '/m' }, '/a')).toEqual(['/m']);
  expect(foldersOf({ root: '/', mountPoint: '/m' }, '/a/b')).toEqual(['/m/a/b', '/m/a', '/m']);
});

test('pressure: no line is invented, and old kernels have no full line for the CPU', () => {
  const some = 'some avg10=12.34 avg60=1.00 avg300=0.05 total=123456789\n';
  expect(parsePressure(some)).toEqual({
    some: { avg10: 12.34, avg60: 1, avg300: 0.05, totalUs: 123_456_789 },
    full: undefined,
  });
  expect(parsePressure('')).toBeUndefined();
});
