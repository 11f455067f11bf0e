import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SampleBackend, startSampleBackend } from '../examples/sample-backend/server.ts';
import { createWarden, type StartedWarden, type Warden } from '../src/app/index.ts';
import { runInPipe } from '../src/cli/test-terminal.ts';
import { readConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { compare, converse } from './lightrag/gateway-suite.mjs';
import { startStandInLlm } from './lightrag/stand-in-llm.mjs';
import { memoryFolder } from './setup/memory-folder.ts';
import { field, until } from './warden-harness.ts';

/**
 * What `npm run test:lightrag` holds against a real LightRAG, here against the sample backend, whose answers are held to
 * recordings of the real one. The sample has no model, so the model is called beside it, through its own door of the gateway.
 */
describe('the sample backend through the gateway', () => {
  const folder = memoryFolder('through');
  let sample: SampleBackend;
  let other: SampleBackend;
  let llm: Awaited<ReturnType<typeof startStandInLlm>>;
  let warden: Warden;
  let started: StartedWarden;
  let token: string;

  beforeAll(async () => {
    llm = await startStandInLlm({ dim: 16 });
    const start = (workspace: string) =>
      startSampleBackend(
        {
          ...{ port: 0, workingDir: join(folder, 'w'), inputDir: join(folder, 'i'), workspace, apiKey: 'k' },
          ...{ accounts: [], version: '1.5.7', writerMode: 'atomic', documentDelayMs: 20, embeddingDimension: 64 },
          ...{ chunkTokens: 1200, overlapTokens: 100, faults: true },
        },
        () => undefined,
      );
    sample = await start('');
    other = await start('other');
    const provider = { id: 'standin', url: llm.url.replace(/\/v1$/, ''), api: 'openai' };
    const settings = {
      backup: { enabled: false },
      monitoring: { interval_seconds: 0.2 },
      gateway: { providers: [provider] },
      target: {
        endpoints: [{ workspace: 'other', url: other.url, api_key_env: 'OTHER_KEY' }],
        canary: { question: 'Who keeps the lamp?', expected: 'Ottilie', document: 'Ottilie keeps the lamp.' },
      },
    };
    writeFileSync(join(folder, 'ragwarden.yaml'), JSON.stringify(settings));
    const env = {
      ...{ RAGWARDEN_DATA_DIR: join(folder, 'data'), RAGWARDEN_PORT: '0', LIGHTRAG_METRICS_PORT: '0' },
      ...{ RAGWARDEN_GATEWAY_PORT: '0', RAGWARDEN_TARGET_URL: sample.url, LIGHTRAG_API_KEY: 'k' },
      ...{ RAGWARDEN_PROBE_INTERVAL: '0.2', OTHER_KEY: 'k' },
    };
    warden = createWarden({ reading: readConfig({ env, cwd: folder }), log: silentLogger, command: 'serve' });
    started = await warden.start();
    token = readFileSync(join(folder, 'data', 'local-token'), 'utf8').trim();
    await until('the first look', async () => field(await documents(), 'counted_since') ?? undefined);
  });
  afterAll(async () => {
    await warden?.stop('the test is over');
    await sample?.close();
    await other?.close();
    await llm?.stop();
    rmSync(folder, { recursive: true });
  });

  const read = async (path: string): Promise<unknown> => {
    const response = await fetch(`${started.api}${path}`, { headers: { authorization: `Bearer ${token}` } });
    expect(response.status, path).toBe(200);
    return response.headers.get('content-type')?.includes('json') ? response.json() : response.text();
  };
  const documents = async (workspace = 0) => field(await read('/api/v1/targets/default/documents'), 'items', workspace);

  test('counts and times are those of the caller, the backend and the model', async () => {
    const model = `${started.gateway}/llm/standin/v1`;
    const ask = async (path: string, body: object): Promise<void> => {
      await (await fetch(`${model}${path}`, { method: 'POST', body: JSON.stringify(body) })).text();
    };
    const messages = [{ role: 'user', content: 'What does the Skagen Lighthouse guard?' }];
    await ask('/chat/completions', { model: 'm', messages });
    await ask('/chat/completions', { model: 'm', messages, stream: true, stream_options: { include_usage: true } });
    await ask('/embeddings', { model: 'e', input: ['one text', 'another'] });

    const conversed = await converse({
      gateway: started.gateway,
      key: 'k',
      isSample: true,
      breakModel() {
        sample.backend.faults.query_error_mid_stream = true;
        return () => {
          sample.backend.faults.query_error_mid_stream = false;
        };
      },
    });
    const findings: [string, boolean, unknown][] = [];
    await compare({
      ...{ conversed, read, llm, target: 'default' },
      check: (...finding: [string, boolean, unknown]) => findings.push(finding),
      async backend(method: string, path: string, body?: object) {
        const headers = { 'x-api-key': 'k', 'content-type': 'application/json' };
        return (await fetch(`${sample.url}${path}`, { method, headers, body: JSON.stringify(body) })).json();
      },
    });
    expect(findings).toHaveLength(11);
    // Times are for the machine of the script that runs alone, not for one that runs all tests at once.
    expect(findings.filter(([what, held]) => !held && !what.startsWith('times: '))).toEqual([]);
  });

  test('another workspace of the target is watched in its own process, and what is wrong there degrades the target', async () => {
    const send = async (method: string, path: string, headers: Record<string, string> = {}, body?: object) => {
      const all = { 'content-type': 'application/json', ...headers };
      const response = await fetch(path, { method, headers: all, ...(body ? { body: JSON.stringify(body) } : {}) });
      return [response.status, await response.json()] as const;
    };
    const admin = { authorization: `Bearer ${token}`, prefer: 'wait=30' };
    await until('the first look', async () => field(await documents(1), 'counted_since') ?? undefined);
    const elsewhere = { 'x-api-key': 'k', 'lightrag-workspace': 'other' };
    const document = { text: 'The Amber Route leads to the Baltic Sea.', file_source: 'amber.txt' };
    expect((await send('POST', `${started.gateway}/documents/text`, elsewhere, document))[0]).toBe(200);
    await expect
      .poll(() => documents(1))
      .toMatchObject({
        workspace: 'other',
        ended: [{ outcome: 'processed', documents: 1 }],
        inserts_followed: 0,
        inserts: [{ outcome: 'processed', documents: 1 }],
      });
    expect(other.backend.workspace.docStatus.rows.size).toBe(1);

    const canary = `${started.api}/api/v1/targets/default/canary`;
    const planted = await send('POST', `${canary}/plant?workspace=other`, admin, undefined);
    expect(field(planted[1], 'result')).toEqual({ planted: true, verdict: 'passed' });
    expect((await send('GET', `${canary}?workspace=other`, admin))[1]).toMatchObject({ verdict: 'passed' });
    expect((await send('GET', canary, admin))[1]).not.toMatchObject({ verdict: 'passed' });
    expect((await send('GET', `${canary}?workspace=nowhere`, admin))[0]).toBe(404);

    const env = { RAGWARDEN_URL: started.api, RAGWARDEN_TOKEN: token };
    const command = async (...argv: string[]) => {
      const { code, stdout, stderr } = await runInPipe(argv, { env });
      return `${code}\n${stdout}${stderr}`;
    };
    const status = await command('documents', 'status');
    expect(status).toMatch(/^0\n/);
    expect(status).toMatch(/target +default:other\ndocuments +processed 2\n/);
    expect(status).toMatch(/ended +processed 2 since /);
    expect(await command('documents', 'stuck')).toBe('0\nNo document is stuck.\n');
    const refused = await command('documents', 'reprocess', '--workspace', 'other', '--quiet');
    expect(refused).toMatch(/^1\n(.|\n)*Nothing is unfinished and nothing failed/);
    expect(await command('canary', 'status', '--workspace', 'other')).toMatch(/^0\n(.|\n)*verdict +passed\n/);
    expect(await command('canary', 'run')).toMatch(/^4\n(.|\n)*verdict +(missing|empty)\nbecause +/);

    await other.close();
    const reasons = async () => field(await read('/api/v1/targets/default'), 'reasons');
    await expect.poll(reasons).toContainEqual({
      code: 'workspace-offline',
      message: expect.stringContaining('Workspace other is OFFLINE'),
    });
  });
});
