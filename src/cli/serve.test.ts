import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AppError } from '../platform/errors.ts';
import type { OfflineWork, ServedWarden } from './cli.ts';
import { readEndpoint } from './endpoint-file.ts';
import { Interrupted } from './exit-code.ts';
import { runInPipe } from './test-terminal.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'ragwarden-serve-'));
  mkdirSync(dataDir, { recursive: true });
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const started = {
  api: 'http://127.0.0.1:1234',
  metrics: undefined,
  gateway: undefined,
  sample: true,
  reload: async () => undefined,
  targetIds: ['sample'],
  createLoginCode: async () => 'code',
};

/** Serves with a server whose start and stop the test decides; `stops` tells how it was stopped. One that makes a token ends by itself. */
function serving(warden: Partial<ServedWarden>, createdAdminToken?: string, more: readonly string[] = []) {
  const stop = new AbortController();
  const stops: string[] = [];
  const kept: string[] = [];
  const offline: OfflineWork = {
    createWarden: async ({ onAdminToken }) => ({
      start: async () => {
        if (createdAdminToken === undefined) return started;
        await onAdminToken(createdAdminToken);
        setImmediate(() => stop.abort(new Interrupted('SIGTERM')));
        return started;
      },
      stop: async (reason) => void stops.push(reason),
      ...warden,
    }),
    keepAdminToken: async (folder, token) => {
      kept.push(token);
      return join(folder, 'admin-token');
    },
    createGatewayAlone: async () => ({
      async start() {
        setImmediate(() => stop.abort(new Interrupted('SIGTERM')));
        return { gateway: 'http://127.0.0.1:4321' };
      },
      stop: async (reason) => void stops.push(reason),
    }),
    localTokenFile: async (folder) => join(folder, 'local-token'),
    recoveryKit: async () => '',
    rebuildCatalogue: async () => undefined,
    lookAtStores: async () => [],
    recover: async () => {
      throw new Error('nothing is recovered here');
    },
    foldRestored: async () => ({ folded: 0, checked: 0, faults: [] }),
  };
  const run = runInPipe(['serve', '--data-dir', dataDir, ...more], { offline, signal: stop.signal });
  return { run, stops, kept, tell: (signal: 'SIGINT' | 'SIGTERM') => stop.abort(new Interrupted(signal)) };
}

/** Resolves when the server is asked to start, and starts when told to. */
function heldStart() {
  let begun = (): void => undefined;
  const asked = new Promise<void>((resolve) => {
    begun = resolve;
  });
  return {
    asked,
    start: (): Promise<typeof started> => {
      begun();
      return new Promise(() => undefined);
    },
  };
}

test.each(['SIGINT', 'SIGTERM'] as const)('a running server that gets %s stops and ends with 0', async (signal) => {
  let seen: ReturnType<typeof readEndpoint>;
  const { run, stops, tell } = serving({
    start: async () => {
      // The address is left once the server answers, and before it says that it is ready.
      setImmediate(() => {
        seen = readEndpoint(dataDir);
        tell(signal);
      });
      return started;
    },
  });
  const { code, stdout } = await run;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    event: 'ready',
    api: started.api,
    metrics: null,
    gateway: null,
    version: expect.stringMatching(/^\d/),
  });
  expect(seen).toEqual({ api: started.api, pid: process.pid });
  expect(stops).toEqual([`stopped by ${signal}`]);
  expect(existsSync(join(dataDir, 'endpoint.json'))).toBe(false);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 0],
] as const)('one that is still starting stops at %s and ends with %d', async (signal, expected) => {
  const held = heldStart();
  const { run, stops, tell } = serving({ start: held.start });
  await held.asked;
  tell(signal);
  const { code, stdout } = await run;
  expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
  expect(stops).toEqual([`stopped by ${signal}`]);
});

test('one that cannot start says why, with the exit code of that', async () => {
  const { run } = serving({
    start: async () => {
      throw new AppError('storage/data-folder-in-use', 'somebody else has it');
    },
  });
  const { code, stdout, stderr } = await run;
  expect({ code, stdout }).toEqual({ code: 11, stdout: '' });
  expect(stderr).toContain('somebody else has it');
  expect(existsSync(join(dataDir, 'endpoint.json'))).toBe(false);
});

test('the first admin token goes into a file when there is no terminal, and nowhere else', async () => {
  const { run, kept } = serving({}, 'very-secret');
  const { code, stdout, stderr } = await run;
  expect(code).toBe(0);
  expect(kept).toEqual(['very-secret']);
  expect(stdout + stderr).not.toContain('very-secret');
  expect(stderr).toContain('admin-token');
});

test('without a terminal the log names the command that logs a browser in, and no link that would', async () => {
  const { run, tell } = serving({
    start: async () => {
      setImmediate(() => tell('SIGTERM'));
      return started;
    },
  });
  const { stdout, stderr } = await run;
  const told = stderr.split('\n').find((line) => line.includes('logs a browser in')) ?? '{}';
  expect(JSON.parse(told)).toMatchObject({
    page: `${started.api}/health`,
    command: expect.stringMatching(/ragwarden token login-link --data-dir \S/),
  });
  expect(stdout + stderr).not.toContain('#login=');
});

test('the gateway alone says where it listens, and stops when it is told to', async () => {
  const { run, stops } = serving({}, undefined, ['--only', 'gateway']);
  const { code, stdout } = await run;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ event: 'ready', api: null, gateway: 'http://127.0.0.1:4321' });
  expect(stops).toEqual(['stopped by SIGTERM']);
  expect(existsSync(join(dataDir, 'endpoint.json'))).toBe(false);
});
