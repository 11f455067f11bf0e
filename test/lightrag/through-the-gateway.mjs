// Indexes and queries a real LightRAG entirely through the gateway, both lenses, and says what held. See README.md.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { compare, converse } from './gateway-suite.mjs';
import { findFreePort, waitFor } from './lightrag-process.mjs';
import { startStandInLlm } from './stand-in-llm.mjs';
import { startWarden } from './warden-process.mjs';
import { startWatchedBackend } from './watched-backend.mjs';

const DIM = 16;
const KEY = 'gateway-key';
const { values } = parseArgs({ options: { server: { type: 'string' } } });
if (!values.server) {
  console.error('usage: node through-the-gateway.mjs --server venv/bin/lightrag-server');
  process.exit(2);
}
const folder = await mkdtemp(join(tmpdir(), 'lightrag-gateway-'));
const llm = await startStandInLlm({ dim: DIM });
let failures = 0;

function check(what, held, seen) {
  if (!held) failures++;
  console.log(`${held ? 'ok  ' : 'FAIL'} ${what}: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`);
}

const port = await findFreePort();
const gatewayPort = await findFreePort();
const url = `http://127.0.0.1:${port}`;
let warden;
let backend;
try {
  warden = await startWarden({
    folder,
    apiKey: KEY,
    gatewayPort,
    settings: {
      target: {
        id: 'library',
        url,
        workspace: 'library',
        working_dir: join(folder, 'rag_storage'),
        input_dir: join(folder, 'inputs'),
        probe_interval_seconds: 1,
        canary: {
          question: 'Who keeps the lamp of the ragwarden canary?',
          expected: 'Ottilie Rabenau',
          document: 'The lamp of the ragwarden canary is kept by Ottilie Rabenau.',
          // The way that would call a model, if no keywords were sent along.
          mode: 'mix',
          interval_seconds: 86_400,
        },
      },
      documents: { stuck_after_seconds: 5 },
      monitoring: { interval_seconds: 0.5 },
      backup: { enabled: false },
      gateway: { providers: [{ id: 'standin', url: llm.url.replace(/\/v1$/, ''), api: 'openai' }] },
    },
  });
  backend = await startWatchedBackend({
    command: resolve(values.server),
    folder,
    llmUrl: `http://127.0.0.1:${gatewayPort}/llm/standin/v1`,
    dim: DIM,
    settings: { LIGHTRAG_API_KEY: KEY, PORT: String(port) },
  });
  console.log(`     server ready after ${backend.startMs} ms`);
  // Counting begins with the first look; what ends before it is history.
  await waitFor(
    'the first look',
    async () => (await warden.read('/api/v1/targets/library/documents')).items[0],
    (one) => one?.counted_since !== null,
    20_000,
  );
  const direct = async (method, path, body) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    return response.json();
  };
  const conversed = await converse({
    gateway: `http://127.0.0.1:${gatewayPort}`,
    key: KEY,
    isSample: false,
    breakModel() {
      llm.setFault({ what: 'status', status: 400, kind: 'answer' });
      return () => llm.setFault(undefined);
    },
  });
  await compare({ conversed, read: warden.read, backend: direct, llm, target: 'library', check });
  await canary();
  await leftBehind();
} catch (error) {
  failures++;
  console.error(error);
  console.error(warden?.log().split('\n').slice(-20).join('\n'));
} finally {
  try {
    if (backend) process.kill(await backend.readPid(), 'SIGTERM');
  } catch {} // ended already
  await warden?.stop();
  await llm.stop();
}
if (failures === 0) await rm(folder, { recursive: true, force: true });
else console.error(`${failures} did not hold; kept for a look: ${folder}`);
process.exit(failures === 0 ? 0 : 1);

async function canary() {
  const planted = await warden.cli('canary', 'plant');
  check('the canary is planted and found', planted.code === 0, (planted.stdout + planted.stderr).trim());
  await warden.cli('target', 'inspect', '--quiet');
  const passed = await warden.json('canary', 'run');
  check(
    'index and model agree on the dimension, each seen by itself',
    passed.verdict === 'passed' && passed.index_dimension === DIM && passed.embedding_dimension === DIM,
    {
      verdict: passed.verdict,
      ms: passed.latency_ms,
      index: passed.index_dimension,
      model: passed.embedding_dimension,
    },
  );
  const before = llm.calls.answer + llm.calls.keywords;
  await warden.cli('canary', 'run');
  check(
    'a question of the canary calls the model for embeddings only',
    llm.calls.answer + llm.calls.keywords === before,
    llm.calls,
  );
  llm.setFault({ what: 'status', status: 400, kind: 'embedding' });
  const failed = await warden.json('canary', 'run');
  llm.setFault(undefined);
  const health = await (await fetch(`${url}/health`)).json();
  const target = (await warden.json('target', 'list')).items[0];
  check(
    'an embedding that fails degrades the graph, although the health of the backend smiles',
    failed.code === 4 && health.status === 'healthy' && target.reasons.some(({ code }) => code === 'canary-failed'),
    { verdict: failed.verdict, message: failed.message, health: health.status, target: target.status },
  );
  check('and it passes again', (await warden.cli('canary', 'run')).code === 0, 'mended');
}

async function leftBehind() {
  const release = llm.hold('extract');
  const before = llm.calls.extract;
  for (const n of [1, 2, 3])
    await fetch(`http://127.0.0.1:${gatewayPort}/documents/text`, {
      method: 'POST',
      headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
      body: JSON.stringify({ text: `The Ice Road ${n} leads to the Amber Coast.`, file_source: `cut-${n}.txt` }),
    });
  await waitFor(
    'an extraction',
    () => llm.calls.extract,
    (calls) => calls > before,
  );
  process.kill(await backend.readPid(), 'SIGKILL');
  release();
  const refused = await fetch(`http://127.0.0.1:${gatewayPort}/health`);
  check('while it is gone the gateway answers at once', refused.status === 502, refused.status);
  await refused.arrayBuffer();
  const [program, ...args] = backend.startCommand;
  await new Promise((done) => spawn(program, args, { stdio: 'ignore' }).once('close', done));
  await backend.waitUntilUp();
  const stuck = await waitFor(
    'stuck documents',
    () => warden.json('documents', 'stuck'),
    ({ items }) => items[0]?.stuck !== null && items[0].stuck.listed.length > 0,
    60_000,
  );
  check('documents that a kill left behind are stuck, with age and cause', stuck.code === 4, {
    cause: stuck.items[0].stuck.cause,
    listed: stuck.items[0].stuck.listed.map((one) => `${one.file_path} ${one.status} ${one.age_seconds} s`),
  });
  const reprocessed = await warden.cli('documents', 'reprocess');
  check('they are taken up again when asked', reprocessed.code === 0, (reprocessed.stdout + reprocessed.stderr).trim());
  const free = await waitFor(
    'no stuck document',
    () => warden.json('documents', 'status'),
    ({ items }) => items[0]?.stuck === null && items[0].in_flight === 0,
    60_000,
  );
  const events = (await warden.json('events', '--type', 'ingest.*')).items ?? [];
  check('and all have ended', free.code === 0, {
    counts: free.items[0].counts,
    events: events.map((one) => one.type),
  });
}
