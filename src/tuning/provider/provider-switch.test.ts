import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../config/index.ts';
import { createEventLog, type EventLog } from '../../events/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createOperations, type Operations } from '../../operations/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import { createHttpServer, type HttpServer } from '../../platform/http/index.ts';
import { createHttpClient } from '../../platform/http-client.ts';
import { silentLogger } from '../../platform/logging.ts';
import { parseEnvFile } from '../../targets/index.ts';
import { type Apply, createApply } from '../apply/apply.ts';
import type { IndexFacts } from '../consequence.ts';
import { createTuning, type Tuning } from '../tuning.ts';
import { lookAtProvider } from './look-at-provider.ts';
import { findProvider, keysOf, nameOfRunning } from './provider.ts';
import { providerRoutes } from './provider-routes.ts';
import { createProviderSwitch, type ProviderSwitch, type SwitchTarget } from './provider-switch.ts';

/** Speaks as OpenAI does; what it has, and whether it answers, is up to the test. */
let models: string[];
let dimension: number;
let refuses: boolean;
let asked: string[];
let provider: Server;

let folder: string;
let file: string;
let state: TestState;
let events: EventLog;
let operations: Operations;
let tuning: Tuning;
let apply: Apply;
let parts: Parameters<typeof createProviderSwitch>[0];
let switching: ProviderSwitch;
let target: SwitchTarget;
/** Revisions that the backend was restarted with. */
let applied: number[];
let server: HttpServer;
let index: IndexFacts;
let did: string[];
/** What the backend tells of itself, and what happens when it is started. */
let told: (values: ReadonlyMap<string, string>) => Record<string, string>;
let onStart: () => void;
const http = createHttpClient({ ownPorts: () => [] });

beforeAll(async () => {
  provider = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
    request.resume();
    if (refuses) {
      response.writeHead(401).end();
      return;
    }
    response.setHeader('content-type', 'application/json');
    response.end(
      request.url === '/models'
        ? JSON.stringify({ data: models.map((id) => ({ id })) })
        : JSON.stringify({ data: [{ embedding: Array.from({ length: dimension }, () => 0) }] }),
    );
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await http.close();
  await new Promise((resolve) => provider.close(resolve));
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-provider-'));
  file = join(folder, '.env');
  writeFileSync(file, 'LLM_BINDING=ollama\nLLM_MODEL=qwen3 # local\nLLM_BINDING_API_KEY=the-old-key\n');
  [models, dimension, refuses, asked, did] = [['big', 'embedder'], 1_024, false, [], []];
  const url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  writeFileSync(
    join(folder, 'ragwarden.yaml'),
    JSON.stringify({
      tuning: {
        providers: [
          { id: 'ollama', llm: { binding: 'ollama', model: 'qwen3', host: 'http://127.0.0.1:9' } },
          {
            id: 'google_gemini',
            llm: {
              binding: 'gemini',
              model: 'big',
              host: 'https://example.org',
              key_env: 'GEMINI_KEY',
              check_url: url,
            },
          },
          {
            id: 'embedded',
            embedding: { binding: 'openai', model: 'embedder', host: url, dimension: 3_072, key_env: 'GEMINI_KEY' },
          },
          { id: 'same', embedding: { binding: 'openai', model: 'embedder', host: url } },
          { id: 'keyless', llm: { binding: 'openai', model: 'big', host: url } },
        ],
      },
    }),
  );
  const env = { GEMINI_KEY: 'the-key-of-gemini', RAGWARDEN_DATA_DIR: join(folder, 'data') };
  const { providers } = readConfig({ env, cwd: folder }).config.tuning;
  state = await openTestState();
  events = createEventLog({ db: state.db, clock: systemClock, instance: 'warden-1' });
  operations = createOperations({ db: state.db, clock: systemClock, log: silentLogger, events, instance: 'warden-1' });
  index = {
    graphId: 'main',
    ...{ documents: 5, chunks: 10, entities: 20, relations: 30, dimension: 1_024, embeddingModel: 'embedder' },
  };
  tuning = createTuning({ db: state.db, events, clock: systemClock, firstValues: () => ({}), indexes: () => [index] });
  const nothing = { requests: 0, failed: 0, answers: {}, canary: null };
  applied = [];
  apply = createApply({
    ...{ tuning, operations, db: state.db, events },
    watch: {
      look: async () => ({ before: nothing, previousRevision: 0 }),
      begin: async (_, { revision }) => void applied.push(revision),
    },
  });
  const values = () => parseEnvFile(readFileSync(file, 'utf8')).values();
  told = (of) => ({ llm_binding: of.get('LLM_BINDING') ?? '', llm_model: of.get('LLM_MODEL') ?? '' });
  onStart = () => undefined;
  target = {
    id: 'main',
    environmentFile: file,
    lifecycle: {
      automatic: true,
      describe: { stop: 'stop it', start: 'start it' },
      stop: async () => undefined,
      async start() {
        did.push(`start with ${values().get('LLM_BINDING')}`);
        onStart();
      },
      findSignOfLife: async () => undefined,
      isExpectedDown: () => false,
      expectUp: () => undefined,
    },
    index: () => index,
    probe: async () => ({ configuration: told(values()) }) as never, // all that is asked of it
    takePoint: async () => void did.push('point'),
    currentProvider: async () =>
      nameOfRunning(providers, { binding: values().get('LLM_BINDING'), model: values().get('LLM_MODEL') }),
  };
  const readKey = async (key: { value: string } | { file: string }) => ('value' in key ? key.value : '');
  parts = {
    ...{ tuning, apply, operations, db: state.db, events, providers: () => providers },
    watch: { of: async (of) => new Map(of.filter((one) => applied.includes(one)).map((one) => [one, {} as never])) }, // whether there is one

    look: (one, of, signal) => lookAtProvider({ http, clock: systemClock, readKey }, one, of, signal),
    keys: (one) => keysOf(one, readKey),
  };
  switching = createProviderSwitch(parts);
  server = createHttpServer({
    log: silentLogger,
    clock: systemClock,
    allowedHosts: () => [],
    authenticate: async () => ({ subject: 'local:admin', role: 'admin', workspaces: 'all', via: 'token' }),
  });
  await server.register(providerRoutes({ providers: () => providers, switching, operations, targets: [target] }));
});
afterEach(async () => {
  await server.close();
  await operations.stop();
  await state.remove();
  rmSync(folder, { recursive: true, force: true });
});

const ask = async (body: object, path = '/api/system/provider/switch', headers: Record<string, string> = {}) => {
  const answer = await server.inject({
    method: 'POST',
    url: path,
    headers: { authorization: 'Bearer x', 'content-type': 'application/json', ...headers },
    payload: JSON.stringify(body),
  });
  return { status: answer.statusCode, body: answer.json() };
};
const setNow = async () =>
  Object.fromEntries(
    (await tuning.setValues()).get('default') === undefined
      ? []
      : Object.entries((await tuning.setValues()).get('default') ?? {}),
  );
const asking = { actor: 'a', reason: null };
const original = 'LLM_BINDING=ollama\nLLM_MODEL=qwen3 # local\nLLM_BINDING_API_KEY=the-old-key\n';

test.each(['/api/system/provider/switch', '/api/provider/switch'])(
  'POST %s looks at the new provider, has the backend restarted with it, and answers with the fields of the document',
  async (path) => {
    const { status, body } = await ask({ provider: 'google_gemini' }, path);
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toEqual({
      success: true,
      previous_provider: 'ollama',
      current_provider: 'google_gemini',
      message: 'The backend asks google_gemini now.',
      validation_result: {
        valid: true,
        checks: Array(2).fill({ of: 'llm', status: 'passed', message: expect.stringContaining('has big') }),
      },
      provider_config: {
        llm: {
          binding: 'gemini',
          model: 'big',
          host: 'https://example.org',
          has_key: true,
          dimension: null,
          check: 'list',
        },
        embedding: null,
      },
      revision: 1,
    });
    expect(readFileSync(file, 'utf8')).toBe(
      'LLM_BINDING=gemini\nLLM_MODEL=big # local\nLLM_BINDING_API_KEY=the-key-of-gemini\nLLM_BINDING_HOST=https://example.org\n',
    );
    expect(did).toEqual(['start with gemini']);
    expect(asked).toEqual(Array(2).fill('GET /models Bearer the-key-of-gemini'));
    expect(await setNow()).toMatchObject({ llm_binding: 'gemini', llm_model: 'big' });
    expect(await events.list({ limit: 1 })).toMatchObject([{ type: 'tuning.provider-switched' }]);
    expect((await events.listAudit({ limit: 5 })).map(({ action }) => action)).toContain('tuning.provider-switch');
    // The key stands in the environment file and nowhere else.
    expect(await state.everything()).not.toContain('the-key-of-gemini');
  },
);

describe('when the check of the new provider fails', () => {
  test('before anything is touched, nothing is', async () => {
    models = ['another'];
    const { status, body } = await ask({ provider: 'gemini' });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: false,
      previous_provider: 'ollama',
      current_provider: 'ollama',
      message: 'Nothing was changed: llm: It answers, but has no model big.',
      validation_result: { valid: false, checks: [{ of: 'llm', status: 'failed' }] },
      revision: null,
    });
    expect([readFileSync(file, 'utf8'), did, await setNow()]).toEqual([original, [], {}]);
    expect(await tuning.revisions({ limit: 9 })).toEqual([]);
  });

  test('once the backend runs with it, the file, the backend and the wish are what they were', async () => {
    await tuning.set({ kind: 'default' }, { llm_model: 'qwen3', top_k: 60 }, { actor: 'a', reason: null });
    onStart = () => {
      refuses = true;
    };
    const { body } = await ask({ provider: 'google_gemini' });
    expect(body).toMatchObject({ success: false, current_provider: 'ollama', validation_result: { valid: false } });
    expect(body.message).toMatch(/^The provider was not switched: .*refuses the credentials \(401\)/);
    expect(readFileSync(file, 'utf8')).toBe(original);
    expect(did).toEqual(['start with gemini', 'start with ollama']);
    expect(await setNow()).toEqual({ llm_model: 'qwen3', top_k: 60 });
    expect(readdirSync(folder).filter((name) => name.startsWith('.env'))).toEqual(['.env']);
    expect(await events.list({ limit: 1 })).toMatchObject([
      { type: 'tuning.provider-not-switched', severity: 'error' },
    ]);
  });

  test('a backend that does not start with it, or has its provider from elsewhere, gets back what it had', async () => {
    let starts = 0;
    onStart = () => {
      starts += 1;
      if (starts === 1) throw new AppError('target/lifecycle-failed', 'It is not healthy.');
    };
    expect((await ask({ provider: 'google_gemini' })).body).toMatchObject({ success: false });
    expect([readFileSync(file, 'utf8'), await setNow()]).toEqual([original, {}]);
    told = () => ({ llm_binding: 'ollama', llm_model: 'qwen3' });
    const { body } = await ask({ provider: 'google_gemini' });
    expect(body.message).toContain('its own environment counts more than its file');
    expect([readFileSync(file, 'utf8'), await setNow()]).toEqual([original, {}]);
  });
});

test('a switch that was called off when the backend already asks the new provider is told as made', async () => {
  // What is called off hears of it where nothing can be ended any more.
  const whole = createProviderSwitch({
    ...parts,
    operations: { ...operations, cancel: (id) => operations.wait(id) },
  });
  const begun = await whole.begin(target, { provider: 'google_gemini', requestedBy: 'a', confirm: false });
  onStart = () => void operations.cancel(begun.id);
  expect(await operations.wait(begun.id)).toMatchObject({ result: { success: true } });
  expect(readFileSync(file, 'utf8')).toContain('LLM_BINDING=gemini');
  expect(await setNow()).toMatchObject({ llm_binding: 'gemini' });
});

test('another embedding is stopped with the numbers of the index, and with confirm a point is taken first', async () => {
  dimension = 3_072;
  const refused = await ask({ provider: 'embedded' });
  expect(refused).toMatchObject({ status: 409, body: { code: 'conflict/confirmation-required' } });
  expect(refused.body.detail).toContain('60 vectors of main have to be embedded anew');
  expect([readFileSync(file, 'utf8'), did]).toEqual([original, []]);
  expect((await ask({ provider: 'embedded', confirm: true })).body).toMatchObject({ success: true });
  expect(did).toEqual(['point', 'start with ollama']);
  expect(readFileSync(file, 'utf8')).toContain('EMBEDDING_DIM=3072');
});

test('an embedding whose vectors are not as long as those of the index is no provider for it', async () => {
  dimension = 768;
  const { body } = await ask({ provider: 'same', confirm: true });
  expect(body).toMatchObject({ success: false });
  expect(body.message).toContain('Its vectors have 768 numbers, those of the index 1024');
  expect(readFileSync(file, 'utf8')).toBe(original);
});

test('what else was set is not applied along, and a key that belongs to another provider is taken away', async () => {
  await tuning.set({ kind: 'default' }, { top_k: 60 }, { actor: 'a', reason: null });
  expect((await ask({ provider: 'keyless' })).body).toMatchObject({ success: true });
  const text = readFileSync(file, 'utf8');
  expect(text).toContain('# LLM_BINDING_API_KEY=the-old-key');
  expect(text).not.toContain('TOP_K');
});

test('the key of one provider is not sent to the host of another, unless that is meant', async () => {
  await ask({ provider: 'google_gemini' });
  await tuning.rollback(0, { actor: 'a', reason: null });
  const written = readFileSync(file, 'utf8');
  const begin = (confirm: boolean) => apply.begin(target, { requestedBy: 'a', confirm });
  await expect(begin(false)).rejects.toMatchObject({
    code: 'conflict/confirmation-required',
    detail: expect.stringMatching(/^LLM_BINDING_API_KEY in the file belongs to the provider before/),
  });
  expect(readFileSync(file, 'utf8')).toBe(written);
  // What does not name whom to ask goes on as ever, and so does a file without a key.
  await tuning.set({ kind: 'default' }, { llm_binding: 'gemini', llm_binding_host: 'https://example.org' }, asking);
  expect(await operations.wait((await begin(false)).id)).toMatchObject({ state: 'succeeded' });
  writeFileSync(file, 'LLM_BINDING=ollama\n');
  expect(await operations.wait((await begin(false)).id)).toMatchObject({ state: 'succeeded' });
});

test('what a killed switch had set is taken back with the file, and stays where the backend was restarted with it', async () => {
  await tuning.set({ kind: 'default' }, { llm_model: 'qwen3', top_k: 60 }, asking);
  const left = { targetId: 'main', input: { provider: 'google_gemini', revision: 1 } };
  expect((await switching.settle(left)).message).toContain('was not switched to');
  const values = { llm_binding: 'gemini', llm_model: 'big' };
  await tuning.set({ kind: 'default' }, values, { actor: 'a', reason: 'switch to provider google_gemini' });
  applied = [2];
  expect((await switching.settle(left)).message).toContain('was restarted with provider google_gemini');
  expect(await setNow()).toMatchObject(values);
  applied = [];
  expect((await switching.settle(left)).message).toContain('what it had set was taken back');
  expect(await setNow()).toEqual({ llm_model: 'qwen3', top_k: 60 });
});

test.each([
  [{ provider: 'nobody' }, 422, 'is none of ollama, google_gemini, embedded, same, keyless'],
  [{}, 422, ''],
  [{ provider: 'ollama', model: 'x' }, 422, ''],
  [{ provider: 'ollama', target_id: 'other' }, 404, 'no target'],
])('%j is refused and changes nothing', async (body, status, said) => {
  const answer = await ask(body);
  expect(answer.status).toBe(status);
  expect(JSON.stringify(answer.body)).toContain(said);
  expect([readFileSync(file, 'utf8'), asked]).toEqual([original, []]);
});

test('whoever does not want to wait follows the operation', async () => {
  const begun = await ask({ provider: 'google_gemini' }, undefined, { prefer: 'wait=0' });
  expect([200, 202]).toContain(begun.status);
  if (begun.status === 202) expect(await operations.wait(begun.body.id)).toMatchObject({ state: 'succeeded' });
  expect(readFileSync(file, 'utf8')).toContain('gemini');
});

test('the list tells which one the backend asks, and no key', async () => {
  const answer = await server.inject({ url: '/api/v1/tuning/providers', headers: { authorization: 'Bearer x' } });
  const { items } = answer.json();
  expect(items.map((one: { provider: string; current: boolean }) => [one.provider, one.current])).toContainEqual([
    'ollama',
    true,
  ]);
  expect(answer.body).not.toContain('the-key');
});

test('names are those of the settings, and the documents’ name of Gemini is the same as its own', () => {
  const one = (id: string) => ({ id, llm: { binding: 'gemini', model: 'm' }, embedding: undefined }) as never; // all that is read
  expect(findProvider([one('gemini')], 'google_gemini')).toBeDefined();
  expect(findProvider([one('google_gemini')], 'gemini')).toBeDefined();
  expect(findProvider([], 'gemini')).toBeUndefined();
  expect(nameOfRunning([one('a'), one('b')], { binding: 'gemini', model: 'other' })).toBe('google_gemini');
  expect(nameOfRunning([], { binding: undefined, model: undefined })).toBeNull();
});
