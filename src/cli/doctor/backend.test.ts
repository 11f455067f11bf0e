import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readOptions } from '../../../examples/sample-backend/options.ts';
import { type SampleBackend, startSampleBackend } from '../../../examples/sample-backend/server.ts';
import {
  targetAnswersCheck,
  targetClockCheck,
  targetExposureCheck,
  targetKindCheck,
  whitelistCheck,
} from './backend.ts';
import { makeChecks } from './check.ts';
import { look, subjectOf } from './test-subject.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-doctor-backend-'));
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function serve(handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // An address, since it listens on TCP.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const watching = (url: string) => subjectOf({ RAGWARDEN_TARGET_URL: url });

describe('the sample backend, which protects the same routes as LightRAG does by default', () => {
  const running: SampleBackend[] = [];
  const start = async (name: string, ...args: string[]): Promise<string> => {
    const options = readOptions([
      ...['--working-dir', join(folder, name, 'w'), '--input-dir', join(folder, name, 'i')],
      ...args,
    ]);
    const backend = await startSampleBackend(options, () => undefined);
    running.push(backend);
    return backend.url;
  };
  let withKey: string;
  let open: string;
  let withLogin: string;
  beforeAll(async () => {
    [withKey, open, withLogin] = await Promise.all([
      start('key', '--api-key', 'k3y-of-the-backend'),
      start('open'),
      start('login', '--accounts', 'ada:word'),
    ]);
  });
  afterAll(() => Promise.all(running.map((backend) => backend.close())));

  test('with a key leaves /api/* open to strangers, which is told with what they could do', async () => {
    const [found] = await look(whitelistCheck, watching(withKey));
    expect(found).toMatchObject({ verdict: 'warn', mend: expect.stringContaining('WHITELIST_PATHS=/health') });
    expect(found?.detail).toContain('/api/chat');
    expect(await look(targetExposureCheck, watching(withKey))).toMatchObject([
      { verdict: 'ok', detail: `${withKey} asks for an API key` },
    ]);
  });

  test('with a login too', async () => {
    expect(await look(whitelistCheck, watching(withLogin))).toMatchObject([{ verdict: 'warn' }]);
    expect(await look(targetExposureCheck, watching(withLogin))).toMatchObject([
      { verdict: 'ok', detail: `${withLogin} asks for a login` },
    ]);
  });

  test('without either is open, which only this machine reaches', async () => {
    expect(await look(targetExposureCheck, watching(open))).toMatchObject([
      { verdict: 'ok', detail: expect.stringContaining('only this machine') },
    ]);
    expect(await look(whitelistCheck, watching(open))).toMatchObject([{ verdict: 'skipped' }]);
  });

  test('has a clock that agrees', async () => {
    expect(await look(targetClockCheck, watching(open))).toMatchObject([{ verdict: 'ok', detail: 'both agree' }]);
  });
});

test('a backend whose operator took /api/* off the list is well', async () => {
  const url = await serve((request, response) => {
    response.statusCode = request.url === '/health' ? 200 : 403;
    response.end('{}');
  });
  expect(await look(whitelistCheck, watching(url))).toMatchObject([
    { verdict: 'ok', detail: expect.stringContaining('asks for credentials') },
  ]);
});

test.each([
  [20_000, 'warn', 'ahead'],
  [-3_600_000, 'fail', 'behind'],
])('a clock that is %d ms off is told', async (offset, verdict, words) => {
  const url = await serve((_, response) => {
    response.setHeader('date', new Date(Date.now() + offset).toUTCString());
    response.end('{}');
  });
  expect(await look(targetClockCheck, watching(url))).toMatchObject([
    { verdict, detail: expect.stringContaining(words) },
  ]);
});

test('another program at that address is not taken for a backend', async () => {
  const url = await serve((_, response) => {
    response.statusCode = 404;
    response.end();
  });
  expect(await look(targetExposureCheck, watching(url))).toMatchObject([{ verdict: 'skipped' }]);
  expect(await look(targetAnswersCheck, watching(url))).toMatchObject([{ verdict: 'warn' }]);
});

test('an address that swallows everything holds up nothing', async () => {
  const url = await serve(() => undefined);
  const checks = [targetAnswersCheck, targetClockCheck, targetExposureCheck, whitelistCheck];
  const signal = new AbortController().signal;
  const findings = await makeChecks(checks, watching(url), { limitMs: 300, signal });
  expect(findings.map((one) => one.detail)).toEqual(checks.map(() => 'no answer within 0.3 s'));
});

test('nobody there is told once, by the check of the target', async () => {
  const url = await serve(() => undefined);
  servers.pop()?.close();
  const subject = watching(url);
  expect(await look(targetAnswersCheck, subject)).toMatchObject([{ verdict: 'fail', what: 'target default' }]);
  for (const check of [targetClockCheck, targetExposureCheck, whitelistCheck])
    expect(await look(check, subject)).toMatchObject([{ verdict: 'skipped' }]);
});

describe('a target that is no LightRAG server', () => {
  const project = join(folder, 'project');
  const ofProject = () => subjectOf({ WORKING_DIR: project, RAGWARDEN_TARGET_KIND: 'graphrag' });

  test('is named by its kind and where that comes from, and looked at as what it is', async () => {
    mkdirSync(join(project, 'input'), { recursive: true });
    mkdirSync(join(project, 'prompts'));
    expect(await look(targetAnswersCheck, ofProject())).toMatchObject([{ verdict: 'fail' }]);
    writeFileSync(join(project, 'settings.yaml'), '');
    expect(await look(targetAnswersCheck, ofProject())).toMatchObject([{ verdict: 'ok' }]);
    const detected = subjectOf({ WORKING_DIR: project });
    expect(await look(targetKindCheck, detected)).toMatchObject([
      { verdict: 'ok', detail: expect.stringMatching(/^graphrag, as its folder/) },
    ]);
    for (const check of [targetExposureCheck, whitelistCheck, targetClockCheck])
      expect(await look(check, detected), check.id).toMatchObject([{ verdict: 'skipped' }]);
  });

  test('answers where its service does', async () => {
    const asked: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      asked.push(request.url);
      response.end('{}');
    });
    const subject = subjectOf({ RAGWARDEN_TARGET_URL: url, RAGWARDEN_TARGET_KIND: 'graphrag' });
    expect(await look(targetAnswersCheck, subject)).toMatchObject([{ verdict: 'ok' }]);
    expect(await look(targetExposureCheck, subject)).toMatchObject([{ verdict: 'skipped' }]);
    expect(asked).toEqual(['/api/health']);
  });
});
