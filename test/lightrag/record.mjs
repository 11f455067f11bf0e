// Records a real LightRAG: its HTTP answers, a small workspace, and one left behind by SIGKILL. See README.md.

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cafe, harbour, hitQuery, later, rivers, tokyo, upload } from './documents.mjs';
import { createRecorder } from './exchange.mjs';
import { startLightRag, waitFor } from './lightrag-process.mjs';
import { recordOpenMode, recordPasswordMode } from './record-access.mjs';
import * as http from './record-http.mjs';
import { startStandInLlm } from './stand-in-llm.mjs';

const DIM = 16;
const KEY = 'recorded-key';
const ACCOUNT = { user: 'operator', password: 'recorded-password', secret: 'recorded-secret-of-at-least-32-bytes' };

const { values } = parseArgs({
  options: { server: { type: 'string' }, out: { type: 'string' }, only: { type: 'string' } },
});
if (!values.server || !values.out) {
  console.error('usage: node record.mjs --server venv/bin/lightrag-server --out FOLDER [--only http|workspace|crash]');
  process.exit(2);
}
const command = resolve(values.server);
const out = resolve(values.out);
const root = await mkdtemp(join(tmpdir(), 'lightrag-recording-'));
const llm = await startStandInLlm({ dim: DIM });

/** Runs `work` beside a server in its own folder and always ends the server. */
async function withServer(name, settings, work) {
  const folder = join(root, name);
  const server = await startLightRag({ command, folder, llmUrl: llm.url, dim: DIM, settings });
  console.log(`${name}: ready after ${server.startMs} ms`);
  const headers = settings.LIGHTRAG_API_KEY ? { 'X-API-Key': settings.LIGHTRAG_API_KEY } : {};
  const scrub = (text) => neutral(text, folder, server.url);
  const api = createRecorder({ url: server.url, headers, folder: join(out, 'http'), scrub });
  try {
    return await work(api, { server, folder, scrub });
  } finally {
    await server.stop();
  }
}

/** Paths (data folder, and the tracebacks that LightRAG shows) and ports of this machine, replaced by lasting ones. */
function neutral(text, folder, url) {
  return text
    .replaceAll(folder, '/srv/rag')
    .replace(/\/[^\s"\\]*\/(lib\/python3\.\d+\/site-packages)\//g, '/srv/venv/$1/')
    .replace(/\/[^\s"\\]*\/(lib\/python3\.\d+\/)(?!site-packages)/g, '/usr/$1')
    .replaceAll(new URL(url).host, '127.0.0.1:9621')
    .replaceAll(new URL(llm.url).host, '127.0.0.1:18080');
}

async function recordHttp() {
  await withServer('key-mode', { LIGHTRAG_API_KEY: KEY }, async (api, { folder }) => {
    const { body } = await api.ask('GET', '/openapi.json');
    await writeFile(join(out, 'routes.json'), routeTable(body));
    await http.recordEmptyServer(api);
    await http.recordIngest(api, llm);
    await http.recordScan(api, join(folder, 'inputs', 'library'));
    await http.recordFailures(api, llm);
    await http.recordQueries(api, llm);
    await http.recordOllamaRoutes(api, llm);
    await http.recordGraph(api);
    await http.recordRemovals(api);
    await http.recordRetryWhileBusy(api, llm);
  });
  const accounts = `${ACCOUNT.user}:${ACCOUNT.password}`;
  await withServer('password-mode', { AUTH_ACCOUNTS: accounts, TOKEN_SECRET: ACCOUNT.secret }, (api) =>
    recordPasswordMode(api, ACCOUNT),
  );
  const limits = { MAX_PENDING_DOCUMENTS: '1', MAX_UPLOAD_SIZE: '1024', MAX_REQUEST_BODY_BYTES: '2048' };
  await withServer('open-mode', limits, (api) => recordOpenMode(api, llm));
}

/** Data and input folders as LightRAG left them, and the settings with neutral ports. */
async function keepWorkspace(folder, target, url) {
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  for (const part of ['rag_storage', 'inputs']) {
    await cp(join(folder, part), join(target, part), { recursive: true, preserveTimestamps: true });
  }
  const env = neutral(await readFile(join(folder, '.env'), 'utf8'), folder, url);
  await writeFile(join(target, '.env'), env.replace(/^PORT=.*$/m, 'PORT=9621'));
}

function insert(api, documents) {
  const body = { texts: documents.map((d) => d.text), file_sources: documents.map((d) => d.source) };
  return api.ask('POST', '/documents/texts', { body });
}

function uploadFile(api) {
  const multipart = { name: 'file', filename: upload.source, contentType: 'text/plain', content: upload.text };
  return api.ask('POST', '/documents/upload', { multipart });
}

async function ingestLibrary(api) {
  await insert(api, [harbour, rivers, tokyo, cafe]);
  await http.waitUntilIdle(api);
  await uploadFile(api);
  await waitFor(
    'the upload',
    () => http.readCounts(api),
    (counts) => counts.processed === 5,
  );
  await http.waitUntilIdle(api);
}

async function recordWorkspace() {
  let url;
  await withServer('workspace', { LIGHTRAG_API_KEY: KEY }, async (api, { server }) => {
    url = server.url;
    await ingestLibrary(api);
    llm.setFault({ what: 'status', status: 400, kind: 'extract' });
    await insert(api, [later[0]]);
    await waitFor(
      'the failed document',
      () => http.readCounts(api),
      (counts) => counts.failed === 1,
    );
    await http.waitUntilIdle(api);
    llm.setFault(undefined);
    await api.ask('POST', '/query', { body: { query: hitQuery } });
    // A query's cache row reaches the disk with the answer or at shutdown; either way before the copy.
  });
  await keepWorkspace(join(root, 'workspace'), join(out, 'workspace'), url);
}

async function recordCrash() {
  const settings = { LIGHTRAG_API_KEY: KEY };
  const folder = join(root, 'crashed');
  await withServer('crashed', settings, async (api, { server }) => {
    await insert(api, [harbour, tokyo]);
    await http.waitUntilIdle(api);
    const release = llm.hold('extract');
    const before = llm.calls.extract;
    await insert(api, [rivers, cafe, ...later]);
    await uploadFile(api);
    await waitFor(
      'three extractions at once',
      () => llm.calls.extract - before,
      (calls) => calls >= 3,
    );
    await waitFor(
      'the rest to queue up',
      () => http.readCounts(api),
      (counts) => counts.all === 10,
    );
    await server.kill();
    release();
    await keepWorkspace(folder, join(out, 'workspace-crashed'), server.url);
  });
  await withServer('crashed', settings, async (api) => {
    await api.record('after-crash-health', 'GET', '/health', { headers: { 'X-API-Key': undefined } });
    await api.record('after-crash-status-counts', 'GET', '/documents/status_counts');
    await api.record('after-crash-pipeline-status', 'GET', '/documents/pipeline_status');
    await api.record('after-crash-paginated', 'POST', '/documents/paginated', { body: { sort_field: 'id' } });
    await api.record('after-crash-reprocess-failed', 'POST', '/documents/reprocess_failed');
    await waitFor(
      'all documents',
      () => http.readCounts(api),
      (counts) => counts.processed === 10,
    );
    await http.waitUntilIdle(api);
    await api.record('after-crash-status-counts-recovered', 'GET', '/documents/status_counts');
  });
}

const parts = { http: recordHttp, workspace: recordWorkspace, crash: recordCrash };
const chosen = values.only ? [values.only] : Object.keys(parts);
await mkdir(out, { recursive: true });
if (!values.only) await rm(join(out, 'http'), { recursive: true, force: true }); // two parts write there
try {
  for (const name of chosen) await parts[name]();
  await rm(root, { recursive: true, force: true });
} catch (error) {
  console.error(`kept for a look: ${root}`);
  throw error;
} finally {
  await llm.stop();
}

/** The server's routes with their parameters and declared statuses; its prose is left out. */
function routeTable(openapi) {
  const rows = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => ({
      method: method.toUpperCase(),
      path,
      parameters: (route.parameters ?? []).map((one) => `${one.in}:${one.name}`),
      statuses: Object.keys(route.responses ?? {}).sort(),
      secured: (route.security ?? []).length > 0,
    })),
  );
  rows.sort((a, b) => (a.path === b.path ? (a.method < b.method ? -1 : 1) : a.path < b.path ? -1 : 1));
  return `[\n${rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n')}\n]\n`;
}
