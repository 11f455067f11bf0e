/**
 * The whole story on the bundled sample, in a folder of its own: a point, damage, the way back, a rehearsal, a copy elsewhere,
 * the place that is lost, the second place that answers, and the first one filled again. `node demo.mjs [--keep]`; it needs what
 * was built, and restic. Ends with 1 at the first step that does not end as it shall.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const program = resolve(import.meta.dirname, '../../bin/ragwarden');
const keep = process.argv.includes('--keep');
const folder = mkdtempSync(join(tmpdir(), 'ragwarden-demo-'));
const dataDir = join(folder, 'data');
const workspace = join(dataDir, 'sample', 'rag_storage');
const say = (text) => process.stdout.write(`\n# ${text}\n`);

const question = 'Where do the trams wait?';

const env = {
  PATH: process.env.PATH,
  HOME: folder,
  RAGWARDEN_DATA_DIR: dataDir,
  LIGHTRAG_REPLICATION_ENABLED: 'true',
  // What the backend must be able to answer, also after it was brought up elsewhere.
  RAGWARDEN_CANARY_QUESTION: question,
  RAGWARDEN_CANARY_EXPECTED: 'River Park',
  // The first point is taken here, not by itself.
  RAGWARDEN_BACKUP_AT_START: 'false',
  RAGWARDEN_LOG_LEVEL: 'error',
};

/** @returns the running product and where it listens */
async function start() {
  const child = spawn(process.execPath, [program, 'up', '--port', '0', '--metrics-port', '0', '--gateway-port', '0'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const ready = await Promise.race([
    once(lines, 'line').then(([line]) => JSON.parse(line)),
    once(child, 'exit').then(([code]) => {
      throw new Error(`it ended before it was ready (${code})`);
    }),
  ]);
  return { child, api: ready.api, gateway: ready.gateway };
}

/**
 * Runs a command as its reader would, and shows what it prints. What is held by other work (exit code 11: a new place is copied to
 * at once, by itself) is asked for again.
 * @returns what it printed on standard output
 */
async function ragwarden(...words) {
  process.stdout.write(`\n$ ragwarden ${words.join(' ')}\n`);
  for (const lastMs = Date.now() + 120_000; ; await new Promise((passed) => setTimeout(passed, 500))) {
    const child = spawn(process.execPath, [program, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    let told = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    child.stderr.on('data', (chunk) => {
      told += chunk;
    });
    const [code] = await once(child, 'close');
    if (code === 11 && Date.now() < lastMs) continue;
    process.stdout.write(`${told}${printed}`);
    if (code !== 0) throw new Error(`ragwarden ${words[0]} ended with ${code}`);
    return printed;
  }
}

async function ask(gateway) {
  const body = JSON.stringify({ query: question, mode: 'naive' });
  process.stdout.write(`\n$ curl ${gateway}/query -H 'content-type: application/json' -d '${body}'\n`);
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${gateway}/query`, { method: 'POST', headers, body });
  const { response } = await answer.json();
  if (answer.status !== 200 || typeof response !== 'string') throw new Error(`the backend answered ${answer.status}`);
  process.stdout.write(`${response.slice(0, 160)}…\n`);
}

async function tell({ gateway }) {
  say('A backend answers, through the gateway.');
  await ask(gateway);

  say('A recovery point: files, configuration, state, at one moment, and verified.');
  const [, point] = /(backup_\w+)/.exec(await ragwarden('backup', 'create')) ?? [];
  if (point === undefined) throw new Error('no point was named');

  say('Somebody damages the index.');
  const chunks = join(workspace, 'kv_store_text_chunks.json');
  writeFileSync(chunks, readFileSync(chunks).subarray(0, 1_000));
  process.stdout.write(`${chunks} is cut off after 1,000 bytes\n`);

  say('The point brings it back; what lay there is kept aside.');
  await ragwarden('backup', 'restore', point, '--yes');
  JSON.parse(readFileSync(chunks, 'utf8'));
  await ask(gateway);

  say('A drill restores the point beside everything and looks at what comes out.');
  await ragwarden('drill', 'run', point);

  say('Another place gets a copy of every point as soon as it is known; all of it is read back there.');
  await ragwarden('replicate', 'add', 'second', '--location', join(folder, 'copies'));
  await ragwarden('replicate', 'run', 'second');
  await ragwarden('replicate', 'verify', 'second', '--percent', '100');
  await ragwarden('replicate', 'status');

  say('The disk of the backend is lost. Its process still answers, from memory: the failover stops it first.');
  rmSync(workspace, { recursive: true, force: true });
  rmSync(join(dataDir, 'sample', 'inputs'), { recursive: true, force: true });
  process.stdout.write(`${join(dataDir, 'sample')}: rag_storage and inputs are gone\n`);
  await ragwarden('failover', 'run', '--yes');
  say('It answers from its second place, through the same gateway.');
  await ask(gateway);

  say('The first place is filled from the second, and stands by.');
  await ragwarden('failover', 'reseed', '--yes');
  await ragwarden('failover', 'status');
}

let running;
try {
  running = await start();
  await tell(running);
  say('That is the story.');
} catch (err) {
  process.stderr.write(`\n${err.message}\n`);
  process.exitCode = 1;
} finally {
  if (running?.child.exitCode === null && running.child.signalCode === null) {
    const ended = once(running.child, 'exit');
    running.child.kill('SIGTERM');
    await ended;
  }
  if (keep) process.stdout.write(`kept: ${folder}\n`);
  else rmSync(folder, { recursive: true, force: true });
}
