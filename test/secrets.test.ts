import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLightragDatabase } from '../src/backup/postgres/lightrag-database.fixture.ts';
import { startStandInQdrant } from '../src/backup/sources/qdrant/qdrant.fixture.ts';
import { type Setting, settings } from '../src/config/index.ts';
import { hasPart } from './setup/parts.ts';
import { mainProgram } from './setup/product-programs.ts';
import { startRedis } from './setup/redis-server.ts';
import { field, removeFolder, temporaryFolder, until } from './warden-harness.ts';

const root = resolve(import.meta.dirname, '..');
const main = mainProgram();

/** Recognisable, one for each setting that is a secret; where a URL is asked for, as its password. */
const forms: Record<string, (secret: string) => string> = {
  DATABASE_URL: (secret) => `postgresql://rag:${secret}@127.0.0.1:1/rag`,
  REDIS_URI: (secret) => `redis://:${secret}@127.0.0.1:1/0`,
};
/** Would make this start depend on another server; their own tests look for it. */
const elsewhere = new Set(['RAGWARDEN_DATABASE_URL']);
const secrets: Record<string, string> = {};
const environment: Record<string, string> = {};
for (const definition of Object.values(settings) as Setting[]) {
  const name = definition.env[0]?.name;
  if (!definition.secret || name === undefined || elsewhere.has(name)) continue;
  // Two names of one password must agree.
  const secret = `canary-${(name === 'DATABASE_URL' ? 'POSTGRES_PASSWORD' : name).toLowerCase().replaceAll('_', '-')}-0123456789abcdef`;
  // The seal is a key of 32 bytes, so that its own form is what is recognised.
  secrets[name] =
    name === 'RAGWARDEN_SEAL_KEY' ? Buffer.from('canary-seal-key-0123456789abcdef').toString('base64') : secret;
  const address = definition.parser.describe.startsWith('URL') ? `http://127.0.0.1:1/${secret}` : secret;
  environment[name] = forms[name]?.(secret) ?? (name === 'RAGWARDEN_SEAL_KEY' ? secrets[name] : address);
}

// What a point is taken of must be there, and then its password is in use.
const redis = hasPart('redis') ? await startRedis('--requirepass', secrets.REDIS_URI ?? '') : undefined;
if (redis) environment.REDIS_URI = redis.url({ password: secrets.REDIS_URI ?? '' });
else delete environment.REDIS_URI;
afterAll(() => redis?.remove());
const rag = hasPart('postgresql') ? await createLightragDatabase() : undefined;
if (rag) {
  const { host, port, database } = rag.connection;
  await rag.run(`create role canary login superuser password '${secrets.POSTGRES_PASSWORD}'`);
  environment.DATABASE_URL = `postgresql://canary:${secrets.POSTGRES_PASSWORD}@${host}:${port}/${database}`;
} else delete environment.DATABASE_URL;
afterAll(async () => {
  await rag?.run('drop role canary').catch(() => undefined);
  await rag?.remove();
});

const qdrant = await startStandInQdrant();
qdrant.key = secrets.QDRANT_API_KEY;
qdrant.fill('lightrag_vdb_chunks_bge_m3_1024d', '_', ['chunk-1']);
environment.QDRANT_URL = qdrant.url;
afterAll(() => qdrant.close());

describe('a secret of the configuration', () => {
  const dataDir = temporaryFolder('secrets');
  const workingDir = temporaryFolder('secrets-rag');
  const seen: string[] = [];
  const backend = createServer((request, response) => {
    seen.push(JSON.stringify(request.headers));
    request.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    const body = request.url === '/auth-status' ? { auth_configured: true } : { detail: 'broken' };
    response.writeHead(request.url === '/auth-status' ? 200 : 500, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  const asked = { env: {} as Record<string, string>, cwd: dataDir };
  let child: ReturnType<typeof spawn>;
  let api = '';
  let log = '';
  /** Where something recognisable was seen that is not to be seen. */
  const places: string[] = [];
  const look = (where: string, text: string, known: Record<string, string> = secrets): void => {
    for (const [name, secret] of Object.entries(known))
      for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').slice(0, -4)])
        if (text.includes(form)) places.push(`${name} in ${where}`);
  };
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${secrets.RAGWARDEN_ADMIN_TOKEN}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    look(`${method} ${path}`, `${text}${JSON.stringify([...answer.headers])}`);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = undefined;
    }
    return { status: answer.status, body: parsed, text, headers: answer.headers };
  };
  const lookAtArguments = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      try {
        look('the arguments of a process', readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        // It ended meanwhile.
      }
  };

  beforeAll(async () => {
    mkdirSync(join(workingDir, 'rag_storage'));
    writeFileSync(join(workingDir, 'rag_storage', 'kv_store_full_docs.json'), '{}');
    await new Promise<void>((done) => backend.listen(0, '127.0.0.1', done));
    asked.env = {
      PATH: process.env.PATH ?? '',
      ...environment,
      // It listens on a port, so this is no pipe.
      RAGWARDEN_TARGET_URL: `http://127.0.0.1:${(backend.address() as AddressInfo).port}`,
      RAGWARDEN_TARGET_USERNAME: 'warden',
      WORKING_DIR: join(workingDir, 'rag_storage'),
      ADMIN_USER_IDS: 'root',
      RAGWARDEN_PROBE_INTERVAL: '0.2',
      RAGWARDEN_BACKUP_AT_START: 'false',
      RAGWARDEN_LOG_LEVEL: 'trace',
    };
    child = spawn(
      process.execPath,
      [main, 'serve', '--data-dir', dataDir, '--port', '0', '--metrics-port', '0', '--gateway-port', '0'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        ...asked,
      },
    );
    child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(`it ended:\n${log}`)));
    const [line] = await Promise.race([once(child.stdout ?? child, 'data'), ended]);
    ended.catch(() => undefined);
    look('the first line', String(line));
    api = String(field(JSON.parse(String(line)), 'api'));
  });
  afterAll(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    backend.close();
    for (const folder of [dataDir, workingDir]) removeFolder(folder);
  });

  test('is used, and shown by no answer, log line, event, file, metric or argument list', async () => {
    await until('the backend was asked with its key', () =>
      seen.some((text) => text.includes(secrets.LIGHTRAG_API_KEY ?? '?')) ? true : undefined,
    );
    const paths = Object.entries(JSON.parse(readFileSync(join(root, 'docs/openapi.json'), 'utf8')).paths as object);
    expect(paths.length).toBeGreaterThan(30);
    for (const [path, methods] of paths)
      for (const method of Object.keys(methods as object)) {
        if (path.endsWith('/stream') || path === '/api/v1/access/logout') continue;
        const filled = path.replaceAll(/\{[^}]+\}/g, 'nothing');
        await call(method.toUpperCase(), filled, method === 'get' ? undefined : { nothing: 1 });
      }
    if (hasPart('restic')) {
      const taken = call('POST', '/api/v1/backup/trigger', {}, { prefer: 'wait=60' });
      let done = false;
      taken.finally(() => {
        done = true;
      });
      await until('the point is taken', () => {
        lookAtArguments();
        return done ? true : undefined;
      });
      const ended = (await taken).body;
      expect(JSON.stringify(field(ended, 'error'))).toBe('null');
      expect(field(ended, 'state')).toMatch(/^(succeeded|partial)$/);
      expect(qdrant.requests.at(-1)).toMatch(/^DELETE .*\.snapshot$/);
    }
    expect(places).toEqual([]);
    expect(field((await call('GET', '/api/v1/events')).body, 'items', 0, 'type')).toBeTruthy();
  });

  test('is shown by no command either, right or wrong', async () => {
    const run = async (args: string[], env: Record<string, string> = {}): Promise<string> => {
      const options = { env: { ...asked.env, ...env }, cwd: dataDir };
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...args], options).catch(
        (err: { stdout: string; stderr: string }) => err,
      );
      return `${stdout}${stderr}`;
    };
    const outputs = await Promise.all([
      run(['config', 'show', '--origin']),
      run(['config', 'show', '--json']),
      run(['doctor', '--data-dir', dataDir]),
      // Each of them wrong: too short, or not of the form that is asked for.
      run(['config', 'check'], {
        RAGWARDEN_JWT_SECRET: secrets.RAGWARDEN_JWT_SECRET?.slice(0, 31) ?? '',
        DATABASE_URL: secrets.DATABASE_URL ?? '',
        REDIS_URI: secrets.REDIS_URI ?? '',
      }),
    ]);
    expect(outputs[0]).toMatch(/access\.jwt\.secret +\(set\)/);
    expect(outputs[3]).toContain('RAGWARDEN_JWT_SECRET');
    const before = places.length;
    for (const [i, output] of outputs.entries()) look(`command ${i}`, output);
    look('command 3', outputs[3] ?? '', { 'the short one': secrets.RAGWARDEN_JWT_SECRET?.slice(0, 31) ?? '?' });
    expect(places.slice(before)).toEqual([]);
  });

  test('nor is a token, a login code or a cookie that was given out, and no file holds any of it', async () => {
    const given: Record<string, string> = {};
    const token = await call('POST', '/api/v1/access/tokens', { name: 'ops', role: 'admin' });
    given.token = String(field(token.body, 'token'));
    const id = String(field(token.body, 'id'));
    const login = await call('POST', '/api/v1/access/login', { token: given.token });
    given.cookie = /rw_session=([\w-]+)/.exec(login.headers.get('set-cookie') ?? '')?.[1] ?? '?';
    given.csrf = String(field(login.body, 'csrf_token'));
    given.code = String(field((await call('POST', '/api/v1/access/login-links')).body, 'code'));
    given.rotated = String(field((await call('POST', `/api/v1/access/tokens/${id}/rotate`, {})).body, 'token'));
    given.wrong = 'rw_admin_canary-of-a-wrong-token';
    await call('POST', '/api/v1/access/login', { token: given.wrong });
    await call('GET', '/api/v1/targets', undefined, { authorization: `Bearer ${given.wrong}` });
    for (const secret of Object.values(given)) expect(secret.length).toBeGreaterThan(20);
    const before = places.length;
    for (const path of ['/api/v1/access/tokens', '/api/v1/events', '/api/v1/audit?limit=500', '/metrics'])
      look(path, (await call('GET', path)).text, given);
    child.kill('SIGTERM');
    // All of its log, of which the last may come after its exit.
    await once(child, 'close');
    expect(log).toMatch(/"level":"debug"/);
    for (const known of [secrets, given]) {
      look('the log', log, known);
      for (const entry of readdirSync(dataDir, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) look(entry.name, readFileSync(join(entry.parentPath, entry.name), 'latin1'), known);
    }
    expect(places.slice(before)).toEqual([]);
  });
});
