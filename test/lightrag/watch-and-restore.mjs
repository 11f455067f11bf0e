// Watches, protects and restores a real LightRAG with the built product, and says what held. See README.md.

import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cafe, harbour, hitQuery, later, rivers, tokyo, upload } from './documents.mjs';
import { createRecorder } from './exchange.mjs';
import { waitFor } from './lightrag-process.mjs';
import { asUpload, readCounts, waitUntilIdle } from './record-http.mjs';
import { startStandInLlm } from './stand-in-llm.mjs';
import { startWarden } from './warden-process.mjs';
import { compareTrees, digestTree, startWatchedBackend } from './watched-backend.mjs';

const DIM = 16;
const KEY = 'watched-key';
const { values } = parseArgs({ options: { server: { type: 'string' }, only: { type: 'string' } } });
if (!values.server) {
  console.error('usage: node watch-and-restore.mjs --server venv/bin/lightrag-server [--only named|unnamed]');
  process.exit(2);
}
const root = await mkdtemp(join(tmpdir(), 'lightrag-watched-'));
const llm = await startStandInLlm({ dim: DIM });
let failures = 0;

/** One finding: what was looked at, whether it held, and the figures. */
function check(what, held, seen) {
  if (!held) failures++;
  const figures = seen === undefined ? '' : `: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`;
  console.log(`${held ? 'ok  ' : 'FAIL'} ${what}${figures}`);
}

const same = (a, b) => JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
/** Without empty states, and without the sum that the server sends as `all`. */
const counted = (counts) => Object.fromEntries(Object.entries(counts ?? {}).filter(([s, n]) => n > 0 && s !== 'all'));

async function timed(work) {
  const startedAt = performance.now();
  const value = await work();
  return { value, ms: Math.round(performance.now() - startedAt) };
}

function insert(api, documents) {
  const body = { texts: documents.map((d) => d.text), file_sources: documents.map((d) => d.source) };
  return api.ask('POST', '/documents/texts', { body });
}

async function run(name, workspace, parts) {
  console.log(`-- ${name}: WORKSPACE=${JSON.stringify(workspace)}`);
  const folder = join(root, name);
  const backend = await startWatchedBackend({
    command: resolve(values.server),
    folder,
    llmUrl: llm.url,
    dim: DIM,
    settings: { LIGHTRAG_API_KEY: KEY, WORKSPACE: workspace },
  });
  console.log(`     server ready after ${backend.startMs} ms`);
  const api = createRecorder({ url: backend.url, headers: { 'X-API-Key': KEY } });
  const folders = [join(folder, 'rag_storage'), join(folder, 'inputs')];
  const target = { id: 'library', url: backend.url, working_dir: folders[0], input_dir: folders[1], workspace };
  const lifecycle = { stop: { command: backend.stopCommand }, start: { command: backend.startCommand } };
  const place = { name, folder, folders, backend, api, target, lifecycle };
  try {
    await insert(api, [harbour, rivers, tokyo, cafe, ...later]);
    await waitUntilIdle(api);
    await api.ask('POST', '/documents/upload', asUpload(upload));
    await waitFor(
      'ten documents',
      () => readCounts(api),
      (counts) => counts.processed === 10,
    );
    await waitUntilIdle(api);
    for (const part of parts) await part(place);
  } finally {
    const pid = await backend.readPid();
    try {
      process.kill(pid, 'SIGTERM');
    } catch {} // ended already
  }
}

async function withWarden(place, { lifecycle, apiKey = KEY }, work) {
  const target = lifecycle ? { ...place.target, lifecycle } : place.target;
  const warden = await startWarden({ folder: place.folder, apiKey, settings: { target } });
  try {
    return await work(warden);
  } catch (error) {
    console.error(warden.log().split('\n').slice(-15).join('\n'));
    throw error;
  } finally {
    await warden.stop();
  }
}

/** Polls the one target until it is as wanted, and returns it as last seen. */
async function waitForTarget(warden, accept, limitMs) {
  let last;
  const read = async () => (last = (await warden.json('target', 'list')).items[0]);
  await waitFor('the target', read, accept, limitMs).catch(() => {});
  return last;
}

const reasonsOf = ({ status, reasons }) => `${status} ${reasons.map((r) => `[${r.code}] ${r.message}`).join(' ')}`;

async function watchProtectRestore(place) {
  const { api, backend, folders } = place;
  await withWarden(place, { lifecycle: place.lifecycle }, async (warden) => {
    const seen = await waitForTarget(warden, (target) => target.kind !== null && target.documents !== null, 20_000);
    const health = (await api.ask('GET', '/health')).body;
    check('kind and core_version', seen.kind === 'lightrag' && seen.core_version === health.core_version, {
      kind: seen.kind,
      core_version: seen.core_version,
      api_version: seen.api_version,
    });
    check('healthy', seen.status === 'HEALTHY', reasonsOf(seen));
    check('pipeline at rest', seen.pipeline?.busy === false, seen.pipeline);
    const own = await readCounts(api);
    check('documents by status as the server counts them', same(counted(seen.documents), counted(own)), seen.documents);

    const list = () => warden.json('backup', 'list').then(({ items }) => items);
    const [first] = await waitFor(
      'the first point',
      list,
      (points) => points.length > 0 && points[0].verified_at,
      60_000,
    );
    const components = first.user_data.components.map(
      (c) => `${c.name} ${c.status} ${c.file_count} files ${c.size_bytes} B`,
    );
    check(
      'first point is a verified, whole, consistent one',
      first.status === 'success' && first.grade === 'consistent',
      {
        grade: first.grade,
        reasons: first.reasons,
        seconds: first.duration,
        stored_bytes: first.stored_bytes,
        components,
      },
    );
    check('documents in the point', same(counted(first.documents), counted(own)), first.documents);

    const inspected = await warden.cli('target', 'inspect', '--json');
    const document = JSON.parse(inspected.stdout);
    const inspection = document.inspection;
    check(
      'inspection: dimension, no fault',
      inspection?.embedding?.every((e) => e.dimension === DIM) && inspection.faults.every((f) => f.severity === 'info'),
      {
        code: inspected.code,
        embedding: inspection?.embedding,
        counts: inspection?.counts,
        faults: inspection?.faults,
      },
    );

    const release = llm.hold('extract');
    const before = llm.calls.extract;
    await insert(api, [
      { source: 'tide.txt', text: 'The Tide Mill stands at the Kattegat. The Tide Mill grinds for Göteborg.' },
    ]);
    await waitFor(
      'an extraction',
      () => llm.calls.extract,
      (calls) => calls > before,
    );
    const during = await warden.json('backup', 'create');
    release();
    await waitUntilIdle(api);
    const moving = (await list()).find((one) => one.backup_id !== first.backup_id);
    check('a point while documents are processed is not called consistent', moving && moving.grade !== 'consistent', {
      code: during.code,
      grade: moving?.grade,
      reasons: moving?.reasons,
      seconds: moving?.duration,
    });

    place.answer = await askForReferences(api);
    // Let what the idle server still writes reach the disk with a point that is known to be at rest.
    await warden.json('backup', 'create');
    const [point] = (await list()).sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1));
    place.point = point.backup_id;
    place.digests = await digestTree(...folders);
    check('a point at rest', point.grade === 'consistent', `${point.backup_id} ${point.grade} ${point.reasons}`);

    await damage(place);
    check('the damage is there', compareTrees(place.digests, await digestTree(...folders)).length >= 3);
    const pid = await backend.readPid();
    const { value: restored, ms } = await timed(() => warden.cli('backup', 'restore', place.point, '--yes'));
    check(
      'restore with lifecycle',
      restored.code === 0,
      `${ms} ms, exit ${restored.code} ${restored.code === 0 ? restored.stdout.trim() : restored.stderr.slice(-1500)}`,
    );
    check('the server was stopped and started', pid !== (await backend.readPid()));
    await isIdenticalAndAnswers(place);
  });
}

/** Removes a document's file, a whole store, and half of another one. */
async function damage({ folders, target }) {
  const storage = join(folders[0], target.workspace);
  const inputs = (await readdir(folders[1], { recursive: true, withFileTypes: true })).filter((e) => e.isFile());
  await rm(join(inputs[0].parentPath, inputs[0].name));
  await rm(join(storage, 'kv_store_full_docs.json'));
  await truncate(join(storage, 'vdb_entities.json'), 500);
}

/** Files that a query about an ingested document is answered from; the model's cache gains a row the first time. */
async function askForReferences(api) {
  const { status, body } = await api.ask('POST', '/query', { body: { query: hitQuery, mode: 'naive' } });
  return status === 200 ? body.references.map((reference) => reference.file_path).sort() : [];
}

async function isIdenticalAndAnswers({ backend, folders, digests, api, answer }) {
  await backend.waitUntilUp();
  const different = compareTrees(digests, await digestTree(...folders));
  check(`byte for byte identical (${Object.keys(digests).length} files)`, different.length === 0, different);
  const found = await askForReferences(api);
  check('answers a query from the same documents as before', found.length > 0 && same(found, answer), found);
}

async function restoreByHand(place) {
  const { backend, folders } = place;
  await withWarden(place, {}, async (warden) => {
    await warden.json('backup', 'create');
    const points = (await warden.json('backup', 'list')).items.sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1));
    place.digests = await digestTree(...folders);
    await damage(place);
    const startedAt = performance.now();
    const restoring = warden.launch('backup', 'restore', points[0].backup_id, '--yes');
    const operation = async () => (await warden.json('operations', 'list')).items.find((o) => o.state === 'running');
    const asked = await waitFor(
      'the question to stop',
      async () => ({ code: restoring.code, running: await operation() }),
      ({ code, running }) => code !== undefined || /stop/i.test(running?.phase ?? ''),
      60_000,
    );
    check('the restore waits for the server to be stopped', asked.code === undefined, asked.running?.phase);
    await command(backend.stopCommand);
    const next = await waitFor(
      'the question to start',
      async () => ({ code: restoring.code, running: await operation() }),
      ({ code, running }) => code !== undefined || /start/i.test(running?.phase ?? ''),
      90_000,
    );
    check('then it waits for the server to be started', next.code === undefined, next.running?.phase);
    await command(backend.startCommand);
    const { code, stdout, stderr } = await restoring.ended;
    check(
      'restore by hand',
      code === 0,
      `${Math.round(performance.now() - startedAt)} ms, exit ${code}\n${stdout}${stderr.slice(-1200)}`,
    );
    await isIdenticalAndAnswers(place);
  });
}

async function command([program, ...args]) {
  const child = spawn(program, args, { stdio: 'ignore' });
  await new Promise((done) => child.once('close', done));
}

async function wrongKey(place) {
  await withWarden(place, { apiKey: 'wrong' }, async (warden) => {
    const seen = await waitForTarget(warden, (target) => target.status === 'DEGRADED', 15_000);
    check(
      'wrong API key is DEGRADED with the reason',
      seen.status === 'DEGRADED' && /key/i.test(reasonsOf(seen)),
      reasonsOf(seen),
    );
  });
}

async function killedWhileIngesting(place) {
  const { api, backend } = place;
  await withWarden(place, { lifecycle: place.lifecycle }, async (warden) => {
    const release = llm.hold('extract');
    const before = llm.calls.extract;
    await insert(
      api,
      [1, 2, 3].map((n) => ({ source: `cut-${n}.txt`, text: `The Ice Road ${n} leads to the Amber Coast.` })),
    );
    await waitFor(
      'an extraction',
      () => llm.calls.extract,
      (calls) => calls > before,
    );
    process.kill(await backend.readPid(), 'SIGKILL');
    release();
    const gone = await waitForTarget(warden, (target) => target.status === 'OFFLINE', 60_000);
    check('a killed server is OFFLINE', gone.status === 'OFFLINE', reasonsOf(gone));
    await command(backend.startCommand);
    await backend.waitUntilUp();
    const isStuck = (target) => target.reasons.some(({ code, message }) => /stuck/.test(`${code} ${message}`));
    const { value: seen, ms } = await timed(() => waitForTarget(warden, isStuck, 110_000));
    check(
      'documents left behind are DEGRADED as stuck',
      seen.status === 'DEGRADED' && isStuck(seen),
      `${reasonsOf(seen)} after ${ms} ms, documents ${JSON.stringify(seen.documents)}`,
    );
  });
}

const runs = {
  unnamed: () => run('unnamed', '', [watchProtectRestore]),
  named: () => run('named', 'library', [watchProtectRestore, restoreByHand, wrongKey, killedWhileIngesting]),
};
try {
  for (const name of values.only ? [values.only] : Object.keys(runs)) await runs[name]();
} catch (error) {
  failures++;
  console.error(error);
} finally {
  await llm.stop();
}
if (failures === 0) await rm(root, { recursive: true, force: true });
else console.error(`${failures} did not hold; kept for a look: ${root}`);
process.exit(failures === 0 ? 0 : 1);
