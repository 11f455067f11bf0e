import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LifecycleStep } from '../../config/index.ts';
import {
  type ChildProcesses,
  type ChildSpec,
  createChildProcesses,
  runningProcess,
} from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { createHttpClient, type HttpClient } from '../../platform/http-client.ts';
import { silentLogger } from '../../platform/logging.ts';
import { createConfiguredDriver } from './lifecycle-drivers.ts';

const never = new AbortController().signal;
let folder: string;
let children: ChildProcesses;
let http: HttpClient;
const cleanUps: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-drivers-'));
  children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
  http = createHttpClient();
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await http.close();
  await children.stop();
  rmSync(folder, { recursive: true, force: true });
});

const driverOf = (step: LifecycleStep, more: { stopTimeoutMs?: number; children?: ChildProcesses } = {}) =>
  createConfiguredDriver({
    lifecycle: { stop: step, start: step },
    children: more.children ?? children,
    http,
    stopTimeoutMs: more.stopTimeoutMs ?? 10_000,
    startTimeoutMs: 10_000,
  });
function script(name: string, lines: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('a command gets its arguments as they are, through no shell', async () => {
  const out = join(folder, 'out');
  const program = script('control', `printf '%s\\n' "$@" > ${out}`);
  const args = ['; rm -rf x', '$(id)', '`id`', '*', 'a b', "'", '-n', '&& false'];
  await driverOf({ command: [program, ...args] }).stop(never);
  expect(readFileSync(out, 'utf8').split('\n')).toEqual([...args, '']);
});

test('an exit code other than zero is a failure that says the program and the code', async () => {
  const program = script('control', 'exit 3');
  await expect(driverOf({ command: [program] }).start(never)).rejects.toMatchObject({
    code: 'target/lifecycle-failed',
    detail: `${program} ended with exit code 3; run it by hand to see why`,
  });
});

test('a program that is not there is said to be missing', async () => {
  await expect(driverOf({ command: [join(folder, 'none')] }).stop(never)).rejects.toMatchObject({
    code: 'child/missing-program',
  });
});

test.runIf(process.platform === 'linux')(
  'a command that hangs is ended at its timeout, with all it started',
  async () => {
    const pidFile = join(folder, 'pid');
    const program = script('control', `sleep 600 & echo $! > ${pidFile}; wait`);
    await expect(driverOf({ command: [program] }, { stopTimeoutMs: 500 }).stop(never)).rejects.toMatchObject({
      code: 'child/failed',
      detail: expect.stringContaining('did not finish within 500 ms'),
    });
    expect(runningProcess(Number(readFileSync(pidFile, 'utf8')))).toBeUndefined();
  },
);

test.runIf(process.platform === 'linux').each([
  ['in the background', '&'],
  ['in the background of a subshell', ') & ('],
])('a daemon left %s holds nothing back and outlives both the command and ragwarden', async (_name, how) => {
  const pidFile = join(folder, 'pid');
  const beats = join(folder, 'beats');
  const daemon = script(
    'daemon',
    `echo $$ > ${pidFile}\nwhile :; do echo log line; echo log line >&2; echo beat >> ${beats}; sleep 0.05; done`,
  );
  const program = script('control', how === '&' ? `${daemon} &` : `(${daemon} ${how} true)`);
  await driverOf({ command: [program] }).start(never);
  await expect.poll(() => existsSync(beats)).toBe(true);
  const pid = Number(readFileSync(pidFile, 'utf8'));
  cleanUps.push(() => process.kill(pid, 'SIGKILL'));
  await children.stop();
  const before = readFileSync(beats, 'utf8').length;
  await expect.poll(() => readFileSync(beats, 'utf8').length).toBeGreaterThan(before + 20);
  expect(runningProcess(pid)).toBeTypeOf('number');
});

test('a systemd unit is given to systemctl after the options have ended', async () => {
  const specs: ChildSpec[] = [];
  const recording: ChildProcesses = {
    ...children,
    async run(spec) {
      specs.push(spec);
      return {
        exitCode: 0,
        signal: null,
        stdout: '',
        stdoutBytes: Buffer.alloc(0),
        stdoutTruncated: false,
        stderr: '',
        durationMs: 1,
      };
    },
  };
  const driver = driverOf({ systemd: 'lightrag@one.service' }, { children: recording });
  await driver.stop(never);
  await driver.start(never);
  expect(specs.map(({ program, args }) => [program, ...args])).toEqual([
    ['systemctl', 'stop', '--', 'lightrag@one.service'],
    ['systemctl', 'start', '--', 'lightrag@one.service'],
  ]);
  expect(driver.describe).toEqual({
    stop: 'stop the systemd unit lightrag@one.service',
    start: 'start the systemd unit lightrag@one.service',
  });
});

test('a webhook is told what to do, and anything but a 2xx is a failure', async () => {
  const received: unknown[] = [];
  const statuses = [204, 200, 500, 302];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      received.push([request.method, request.url, JSON.parse(body)]);
      response.writeHead(statuses.shift() ?? 500, { location: '/elsewhere' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo; // listening on a port, so never a string
  const driver = driverOf({ webhook: `http://127.0.0.1:${port}/hook?token=secret` });
  await driver.stop(never);
  await driver.start(never);
  for (const status of [500, 302])
    await expect(driver.stop(never)).rejects.toMatchObject({
      code: 'target/lifecycle-failed',
      detail: `the webhook answered ${status}`,
    });
  expect(received).toEqual(
    ['stop', 'start', 'stop', 'stop'].map((action) => ['POST', '/hook?token=secret', { action }]),
  );
  expect(driver.describe.stop).toBe(`stop it through the webhook 127.0.0.1:${port}`);
});
