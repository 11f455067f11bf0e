// Starts and ends a real `lightrag-server` in a folder of its own, against the stand-in model server.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_LIMIT_MS = 120_000;

/** A port that was free a moment ago. LightRAG cannot be given port 0. */
export async function findFreePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** The settings of a run; `settings` overrides or adds. Paths are relative to the folder, as people write them. */
function envOf({ llmUrl, dim, port, settings }) {
  return {
    HOST: '127.0.0.1',
    PORT: String(port),
    WORKING_DIR: './rag_storage',
    INPUT_DIR: './inputs',
    WORKSPACE: 'library',
    LLM_BINDING: 'openai',
    LLM_BINDING_HOST: llmUrl,
    LLM_BINDING_API_KEY: 'stand-in',
    LLM_MODEL: 'stand-in',
    EMBEDDING_BINDING: 'openai',
    EMBEDDING_BINDING_HOST: llmUrl,
    EMBEDDING_BINDING_API_KEY: 'stand-in',
    EMBEDDING_MODEL: 'stand-in-embed',
    EMBEDDING_DIM: String(dim),
    ...settings,
  };
}

/**
 * @param {{ command: string, folder: string, llmUrl: string, dim: number, settings?: Record<string, string> }} options
 *   `command` is the path of `lightrag-server`; `folder` is created, and holds `.env`, data and log
 * @returns `url`, `env` (as written), `startMs` (until /health answered), `stop()` (SIGTERM) and `kill()` (SIGKILL)
 * @throws Error with the end of the server's log when it ends or does not answer in two minutes
 */
export async function startLightRag({ command, folder, llmUrl, dim, settings = {} }) {
  await mkdir(folder, { recursive: true });
  const port = settings.PORT ?? (await findFreePort());
  const env = envOf({ llmUrl, dim, port, settings });
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  await writeFile(join(folder, '.env'), `${lines.join('\n')}\n`);

  const { PATH, HOME, TIKTOKEN_CACHE_DIR, PYTHONPATH } = process.env;
  const inherited = { PATH, HOME, TIKTOKEN_CACHE_DIR, PYTHONPATH, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' };
  const startedAt = performance.now();
  const child = spawn(command, [], { cwd: folder, env: inherited, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(join(folder, 'output.log'), { flags: 'a' });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  ended.catch(() => {});

  async function end(signal) {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const outcome = await ended;
    log.end();
    return outcome;
  }

  const url = `http://127.0.0.1:${port}`;
  const state = await Promise.race([ended, answers(`${url}/health`).then((ok) => (ok ? 'ready' : 'silent'))]);
  if (state !== 'ready') {
    await end('SIGKILL');
    const tail = (await readFile(join(folder, 'output.log'), 'utf8')).split('\n').slice(-25).join('\n');
    throw new Error(`lightrag-server did not start (${JSON.stringify(state)}):\n${tail}`);
  }
  return {
    url,
    env,
    pid: child.pid,
    startMs: Math.round(performance.now() - startedAt),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

async function answers(url) {
  const until = performance.now() + START_LIMIT_MS;
  while (performance.now() < until) {
    try {
      const response = await fetch(url);
      await response.arrayBuffer();
      return true;
    } catch {
      await sleep(200);
    }
  }
  return false;
}

/**
 * Polls until `read()` gives a value that `accept` takes, and returns it.
 * @throws Error naming `what` and the last value after `limitMs`
 */
export async function waitFor(what, read, accept, limitMs = 60_000) {
  const until = performance.now() + limitMs;
  let value;
  while (performance.now() < until) {
    value = await read();
    if (accept(value)) return value;
    await sleep(50);
  }
  throw new Error(`waited for ${what}, last seen: ${JSON.stringify(value)?.slice(0, 2000)}`);
}
