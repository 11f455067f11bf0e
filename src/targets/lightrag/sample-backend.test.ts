import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createChildProcesses, systemSearchPath } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { createHttpClient, type HttpClient } from '../../platform/http-client.ts';
import { silentLogger } from '../../platform/logging.ts';
import { createSupervisedDriver } from '../lifecycle/supervised-driver.ts';
import { createLightragAdapter } from './lightrag-adapter.ts';

let folder: string;
let http: HttpClient;
let children: ReturnType<typeof createChildProcesses>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-sample-'));
  http = createHttpClient();
  children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
});
afterEach(async () => {
  await http.close();
  await children.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The sample as a process of its own; resolves with its URL when it is ready. */
async function startSample(...args: string[]) {
  let ready: (url: string) => void = () => undefined;
  const url = new Promise<string>((resolve) => {
    ready = resolve;
  });
  const driver = createSupervisedDriver({
    children,
    graceMs: 5_000,
    spec: {
      program: process.execPath,
      args: [
        join(import.meta.dirname, '../../../examples/sample-backend/main.ts'),
        ...['--working-dir', join(folder, 'w'), '--input-dir', join(folder, 'i'), '--faults', ...args],
      ],
      env: { PATH: systemSearchPath },
      purpose: 'sample backend',
      onStdoutLine: (line) => ready((JSON.parse(line) as { url: string }).url), // its ready line
    },
  });
  await driver.start(new AbortController().signal);
  return { driver, url: await url };
}

const setFaults = async (url: string, faults: Record<string, unknown>): Promise<void> => {
  const response = await fetch(`${url}/__faults`, { method: 'POST', body: JSON.stringify(faults) });
  if (!response.ok) throw new Error(await response.text());
};
const adapterFor = (
  url: string,
  endpoint: { apiKey?: string; username?: string; password?: string } = {},
  timeoutMs = 5_000,
) =>
  createLightragAdapter({
    endpoint: { url, workspace: '', apiKey: undefined, username: undefined, password: undefined, ...endpoint },
    http,
    clock: systemClock,
    timeoutMs,
  });

test('LightRAG 1.5 is read whole, and every fault is told for what it is', async () => {
  const { url, driver } = await startSample('--api-key', 'k');
  const adapter = adapterFor(url, { apiKey: 'k' });
  expect(await adapter.probe()).toMatchObject({
    kind: 'lightrag',
    coreVersion: '1.5.7',
    pipelineActive: false,
    documents: { processed: 0 },
    workingDirectory: join(folder, 'w'),
    inputDirectory: join(folder, 'i'),
    faults: [],
  });
  const probeWith = async (faults: Record<string, unknown>, timeoutMs?: number) => {
    await setFaults(url, { delay_ms: 0, health_delay_ms: 0, status: 0, answer: '', only: '', ...faults });
    const { reachable, kind, documents, faults: found } = await adapterFor(url, { apiKey: 'k' }, timeoutMs).probe();
    return [reachable, kind, documents === undefined ? 'no counts' : 'counts', ...found.map((fault) => fault.kind)];
  };
  const expectations: [Record<string, unknown>, unknown[], number?][] = [
    [{ only: '/health', status: 500 }, [true, undefined, 'no counts', 'server-error']],
    [{ only: '/health', answer: 'html' }, [true, 'unknown', 'no counts', 'not-understood']],
    [{ only: '/health', answer: 'nonsense' }, [true, 'unknown', 'no counts', 'not-understood']],
    [{ only: '/health', answer: 'invalid_json' }, [true, 'unknown', 'no counts', 'not-understood']],
    [{ only: '/health', answer: 'close' }, [false, undefined, 'no counts', 'unreachable']],
    [{ only: '/health', answer: 'hang' }, [false, undefined, 'no counts', 'timeout'], 300],
    [{ health_delay_ms: 60_000 }, [false, undefined, 'no counts', 'timeout'], 300],
    [{ only: '/documents', status: 500 }, [true, 'lightrag', 'no counts', 'partial', 'partial']],
    [{ only: '/documents/status_counts', answer: 'html' }, [true, 'lightrag', 'no counts', 'partial']],
    [{ only: '/documents/pipeline_status', answer: 'hang' }, [true, 'lightrag', 'counts', 'partial'], 300],
    [{}, [true, 'lightrag', 'counts']],
  ];
  for (const [faults, expected, timeoutMs] of expectations)
    expect([faults, await probeWith(faults, timeoutMs)]).toEqual([faults, expected]);

  await setFaults(url, { hold_busy: true });
  expect(await adapter.probe()).toMatchObject({ pipelineBusy: true, pipeline: { busy: true } });
  await driver.stop(new AbortController().signal);
  expect(await adapter.answers()).toBe(false);
});

test('LightRAG 1.4 is read without what it does not tell', async () => {
  const { url } = await startSample('--lightrag-version', '1.4.16');
  expect(await adapterFor(url).probe()).toMatchObject({
    kind: 'lightrag',
    coreVersion: '1.4.16',
    pipelineBusy: false,
    pipelineActive: undefined,
    documents: { processed: 0 },
    pipeline: { busy: false },
    faults: [],
  });
});

test('accounts are logged in with', async () => {
  const { url } = await startSample('--accounts', 'operator:right');
  expect(await adapterFor(url, { username: 'operator', password: 'right' }).probe()).toMatchObject({
    authMode: 'enabled',
    documents: { processed: 0 },
    workingDirectory: join(folder, 'w'),
    faults: [],
  });
  expect(await adapterFor(url, { username: 'operator', password: 'wrong' }).probe()).toMatchObject({
    coreVersion: '1.5.7',
    documents: undefined,
    faults: [{ kind: 'unauthorised' }],
  });
});

test('a supervised backend starts once, stops twice, and its death is noticed', async () => {
  const never = new AbortController().signal;
  const { driver, url } = await startSample();
  const pid = driver.pid();
  expect(pid).toBeTypeOf('number');
  await Promise.all([driver.start(never), driver.start(never)]);
  expect(driver.pid()).toBe(pid);
  await Promise.all([driver.stop(never), driver.stop(never)]);
  await driver.stop(never);
  expect(driver.pid()).toBeUndefined();
  expect(await adapterFor(url).answers()).toBe(false);

  await Promise.all([driver.start(never), driver.start(never)]);
  const again = driver.pid();
  expect(again).toBeTypeOf('number');
  expect(again).not.toBe(pid);
  if (again !== undefined) process.kill(again, 'SIGKILL');
  await expect.poll(() => driver.pid()).toBeUndefined();
  await driver.stop(never);
});
