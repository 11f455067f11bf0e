// Tunes a real LightRAG with the built product: applied, refused, rolled back without a hand. See README.md.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cafe, harbour, rivers, tokyo } from './documents.mjs';
import { createRecorder } from './exchange.mjs';
import { waitFor } from './lightrag-process.mjs';
import { waitUntilIdle } from './record-http.mjs';
import { startStandInLlm } from './stand-in-llm.mjs';
import { startWarden } from './warden-process.mjs';
import { startWatchedBackend } from './watched-backend.mjs';

const DIM = 768;
const KEY = 'tuned-key';
const { values } = parseArgs({ options: { server: { type: 'string' } } });
if (!values.server) {
  console.error('usage: node tune.mjs --server venv/bin/lightrag-server');
  process.exit(2);
}
const root = await mkdtemp(join(tmpdir(), 'lightrag-tuned-'));
const llm = await startStandInLlm({ dim: DIM });
let failures = 0;

/** One finding: what was looked at, whether it held, and the figures. */
function check(what, held, seen) {
  if (!held) failures++;
  const figures = seen === undefined ? '' : `: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`;
  console.log(`${held ? 'ok  ' : 'FAIL'} ${what}${figures}`);
}

const folder = join(root, 'tuned');
const file = join(folder, '.env');
const read = () => readFile(file, 'utf8');

async function tune(warden, backend, api) {
  const configuration = async () => (await api.ask('GET', '/health')).body.configuration;
  const before = await configuration();
  const original = await read();
  await waitFor(
    'an inspection and a first point',
    async () => (await warden.json('backup', 'list')).items,
    (points) => points.length > 0 && points[0].verified_at,
    60_000,
  );
  const inspected = await warden.cli('target', 'inspect');
  check('the index is looked at', inspected.code === 0);

  const wanted = { max_parallel_insert: 2, max_async_llm: 6, cosine_threshold: 0.25, top_k: 33 };
  const pairs = Object.entries(wanted).map(([name, value]) => `${name}=${value}`);
  const set = await warden.cli('tune', 'set', ...pairs, '--reason', 'held against a real server');
  check('values are set', set.code === 0, set.stderr.trim());
  const drift = await warden.cli('tune', 'drift');
  check('what the server does not run with yet is drift', drift.code === 4, drift.stdout.trim().split('\n'));
  const pid = await backend.readPid();
  const applied = await warden.cli('tune', 'apply', '--yes');
  check('apply', applied.code === 0, `exit ${applied.code} ${applied.stdout.trim()} ${applied.stderr.slice(-600)}`);
  check('the server was started anew', pid !== (await backend.readPid()));
  const after = await configuration();
  check(
    'it runs with them',
    after.max_parallel_insert === 2 && after.max_async === 6 && after.cosine_threshold === 0.25,
    {
      before: [before.max_parallel_insert, before.max_async, before.cosine_threshold],
      after: [after.max_parallel_insert, after.max_async, after.cosine_threshold],
    },
  );
  const written = await read();
  check(
    'the file holds everything else as it was',
    original.split('\n').every((line) => written.includes(line)),
    written.slice(original.length).trim().split('\n'),
  );
  check('nothing differs any more', (await warden.cli('tune', 'drift')).code === 0);

  const refused = await warden.cli('tune', 'set', 'vector_dimension=1024');
  check(
    'another dimension is refused with the numbers',
    refused.code === 1 && /vectors/.test(refused.stderr),
    refused.stderr.trim(),
  );
  const confirmed = await warden.cli('tune', 'set', 'vector_dimension=1024', '--confirm');
  check('and set when it is confirmed', confirmed.code === 0, confirmed.stderr.trim());
  const points = (await warden.json('backup', 'list')).items.length;
  const failed = await warden.cli('tune', 'apply', '--yes', '--confirm');
  check(
    'a server that does not start with it has its old file again',
    failed.code === 1 && (await read()) === written,
    {
      exit: failed.code,
      said: failed.stderr.slice(-700),
    },
  );
  check('a recovery point was taken first', (await warden.json('backup', 'list')).items.length === points + 1);
  await backend.waitUntilUp();
  const again = await configuration();
  check('it runs with what it had', again.max_async === 6 && again.max_parallel_insert === 2);
  const answer = await api.ask('POST', '/query', {
    body: { query: 'Who keeps the harbour?', mode: 'naive', only_need_context: true },
  });
  check('and answers', answer.status === 200 && JSON.stringify(answer.body).length > 100, { status: answer.status });
  check(
    'nothing is left beside the file',
    (await readdir(folder)).filter((name) => name.startsWith('.env')).join() === '.env',
  );

  const kept = await read();
  const servedBy = await backend.readPid();
  const gone = await warden.cli('tune', 'provider', 'switch', 'gone', '--yes');
  check(
    'a provider that does not answer is not switched to, and nothing is touched',
    gone.code === 4 && (await read()) === kept && (await backend.readPid()) === servedBy,
    gone.stdout.trim(),
  );
  const switched = await warden.cli('tune', 'provider', 'switch', 'other', '--yes');
  check('another model is switched to', switched.code === 0, switched.stdout.trim() || switched.stderr.slice(-600));
  check(
    'the server runs with it',
    (await configuration()).llm_model === 'other-model',
    (await configuration()).llm_model,
  );
  const embedding = await warden.cli('tune', 'provider', 'switch', 'wide', '--yes', '--confirm');
  check('an embedding of another length is no provider for this index', embedding.code === 4, embedding.stdout.trim());
  check('the server still runs', (await configuration()).llm_model === 'other-model');

  const back = await warden.cli('tune', 'rollback', '1');
  check('the revision before is one command away', back.code === 0, back.stdout.trim());
  const still = await warden.cli('tune', 'apply', '--yes');
  check(
    'and the model before comes back with it',
    still.code === 0 && !(await read()).includes('LLM_MODEL=other-model'),
    still.stdout.trim(),
  );
}

let backend;
try {
  backend = await startWatchedBackend({
    command: resolve(values.server),
    folder,
    llmUrl: llm.url,
    dim: DIM,
    settings: { LIGHTRAG_API_KEY: KEY, WORKSPACE: '' },
  });
  const api = createRecorder({ url: backend.url, headers: { 'X-API-Key': KEY } });
  const documents = [harbour, rivers, tokyo, cafe];
  await api.ask('POST', '/documents/texts', {
    body: { texts: documents.map((d) => d.text), file_sources: documents.map((d) => d.source) },
  });
  await waitUntilIdle(api);
  await writeFile(join(folder, 'model-key'), 'another-key');
  const standIn = { binding: 'openai', host: llm.url, key_file: join(folder, 'model-key'), check: 'call' };
  const warden = await startWarden({
    folder,
    apiKey: KEY,
    settings: {
      target: {
        id: 'library',
        url: backend.url,
        working_dir: join(folder, 'rag_storage'),
        input_dir: join(folder, 'inputs'),
        env_file: file,
        start_timeout_seconds: 60,
        lifecycle: { stop: { command: backend.stopCommand }, start: { command: backend.startCommand } },
      },
      tuning: {
        providers: [
          { id: 'other', llm: { ...standIn, model: 'other-model' } },
          { id: 'gone', llm: { ...standIn, model: 'other-model', host: 'http://127.0.0.1:9' } },
          { id: 'wide', embedding: { ...standIn, model: 'wide', dimension: DIM + 1 } },
        ],
      },
    },
  });
  try {
    await tune(warden, backend, api);
  } catch (error) {
    console.error(warden.log().split('\n').slice(-15).join('\n'));
    throw error;
  } finally {
    await warden.stop();
  }
} catch (error) {
  failures++;
  console.error(error);
} finally {
  try {
    process.kill(await backend?.readPid(), 'SIGTERM');
  } catch {} // ended already
  await llm.stop();
}
if (failures === 0) await rm(root, { recursive: true, force: true });
else console.error(`${failures} did not hold; kept for a look: ${root}`);
process.exit(failures === 0 ? 0 : 1);
