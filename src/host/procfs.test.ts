import { expect, test } from 'vitest';
import { cpuPercent, parseCpuTimes, parseLoadAverage, parsePhysicalCores, parseUptime } from './procfs-cpu.ts';
import { parseMemory } from './procfs-memory.ts';
import { parseBlockFileSystems, parseMounts, realMounts } from './procfs-mounts.ts';
import { parseNetwork, sumNetwork } from './procfs-network.ts';
import { countDescriptors, parseProcessStat, parseProcessUnits } from './procfs-process.ts';

const ticks = (user: number, idle: number, iowait = 0) => ({
  user,
  nice: 0,
  system: 0,
  idle,
  iowait,
  irq: 0,
  softirq: 0,
  steal: 0,
});

test('CPU lines are read up to the last core, the boot time behind the long interrupt line', () => {
  const times = parseCpuTimes(
    'cpu  10 1 5 100 4 0 2 3 9 9\ncpu0 6 1 3 50 2 0 1 2 9 9\ncpu2 4 0 2 50 2 0 1 1 0 0\nintr 12 cpu 3\nctxt 5\nbtime 1795318276\nprocesses 9\n',
  );
  expect(times.total).toEqual({ user: 10, nice: 1, system: 5, idle: 100, iowait: 4, irq: 0, softirq: 2, steal: 3 });
  expect([...times.cores.keys()]).toEqual([0, 2]);
  expect(times.bootTimeSeconds).toBe(1_795_318_276);
});

test.each(['', 'cpu  a b c\nbtime 1\n', 'cpu  1 2 3 4\n'])('%j is refused as CPU times', (text) => {
  expect(() => parseCpuTimes(text)).toThrow('/proc/stat');
});

test.each([
  ['half busy', ticks(0, 0), ticks(50, 50), 50],
  ['waiting for a disk is idle', ticks(0, 0), ticks(10, 50, 40), 10],
  ['a counter that stepped back is no negative time', ticks(0, 0, 5), ticks(10, 10, 0), 50],
  ['no tick passed', ticks(5, 5), ticks(5, 5), undefined],
])('CPU share: %s', (_, before, after, percent) => {
  expect(cpuPercent(before, after)).toBe(percent);
});

test('load and uptime', () => {
  expect(parseLoadAverage('0.01 0.20 0.15 1/94 6983\n')).toEqual([0.01, 0.2, 0.15]);
  expect(parseUptime('827.58 1408.73\n')).toBe(827.58);
  expect(() => parseLoadAverage('')).toThrow();
  expect(() => parseUptime('x')).toThrow();
});

test('two threads of one core are one physical core', () => {
  const block = (socket: number, core: number) => `processor\t: 0\nphysical id\t: ${socket}\ncore id\t\t: ${core}\n`;
  expect(parsePhysicalCores([block(0, 0), block(0, 0), block(0, 1), block(1, 0)].join('\n'))).toBe(3);
  expect(parsePhysicalCores('processor : 0\nBogoMIPS : 50.00\n')).toBeUndefined();
});

test('memory in bytes, used and percent in agreement', () => {
  const memory = parseMemory(
    'MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    400 kB\nSwapCached: 7 kB\nSwapTotal: 200 kB\nSwapFree: 150 kB\n',
  );
  expect(memory).toEqual({
    totalBytes: 1_024_000,
    availableBytes: 409_600,
    usedBytes: 614_400,
    percent: 60,
    swapTotalBytes: 204_800,
    swapUsedBytes: 51_200,
    swapPercent: 25,
  });
  expect(() => parseMemory('MemTotal: 1 kB\n')).toThrow('MemAvailable');
});

test('the loopback is read, but not part of the sum', () => {
  const row = (n: number) => `${n} 2 3 4 0 0 0 0 ${n} 6 7 8 0 0 0 0`;
  const interfaces = parseNetwork(
    `Inter-|   Receive\n face |bytes    packets\n    lo: ${row(1_000)}\n  eth0: ${row(10)}\neth0:1: ${row(5)}\n`,
  );
  expect([...interfaces.keys()]).toEqual(['lo', 'eth0', 'eth0:1']);
  expect(interfaces.get('lo')?.bytesSent).toBe(1_000);
  expect(sumNetwork(interfaces)).toEqual({
    bytesSent: 15,
    bytesReceived: 15,
    packetsSent: 12,
    packetsReceived: 4,
    errorsIn: 6,
    errorsOut: 14,
    dropsIn: 8,
    dropsOut: 16,
  });
});

test('a process may be called anything', () => {
  const stat = parseProcessStat(
    '42 (a) R (b c) S 1 1 1 0 -1 4194304 101 0 0 0 30 12 0 0 20 0 7 0 82757 3133440 380 18446744073709551615\n',
  );
  expect(stat).toEqual({
    pid: 42,
    cpuTicks: 42,
    threads: 7,
    startTicks: 82_757,
    virtualBytes: 3_133_440,
    residentPages: 380,
  });
  expect(() => parseProcessStat('')).toThrow();
});

test('page size and tick come from the auxiliary vector, with the usual values where there is none', () => {
  const auxv = Buffer.alloc(48);
  auxv.writeBigUInt64LE(6n, 0);
  auxv.writeBigUInt64LE(65_536n, 8);
  auxv.writeBigUInt64LE(17n, 16);
  auxv.writeBigUInt64LE(250n, 24);
  expect(parseProcessUnits(auxv)).toEqual({ pageBytes: 65_536, ticksPerSecond: 250 });
  expect(parseProcessUnits(Buffer.alloc(0))).toEqual({ pageBytes: 4_096, ticksPerSecond: 100 });
});

test('descriptors are told apart by what they point at', () => {
  const links = ['socket:[1]', 'pipe:[2]', '/data/a.json', '/dev/null', '/tmp/x (deleted)', 'anon_inode:[eventpoll]'];
  expect(countDescriptors(links)).toEqual({ files: 1, sockets: 1 });
});

test('each real file system is listed once, at its shortest mount point; what holds no data is not', () => {
  const line = (device: string, point: string, type: string) =>
    `20 1 ${device} / ${point} rw,relatime shared:1 - ${type} source rw`;
  const mounts = parseMounts(
    [
      line('8:1', '/', 'ext4'),
      line('8:1', '/var/lib/docker/bind', 'ext4'),
      line('8:2', '/mnt/two\\040words', 'xfs'),
      line('0:5', '/proc', 'proc'),
      line('0:9', '/run', 'tmpfs'),
      line('7:1', '/snap/core/1', 'squashfs'),
      line('0:40', '/var/lib/docker/overlay2/x/merged', 'overlay'),
      line('0:41', '/remote', 'nfs4'),
      'nonsense',
    ].join('\n'),
  );
  const block = parseBlockFileSystems('nodev\tproc\nnodev\ttmpfs\n\text4\n\txfs\n\tsquashfs\n');
  expect(realMounts(mounts, block).map((m) => m.mountPoint)).toEqual(['/', '/mnt/two words']);
});
