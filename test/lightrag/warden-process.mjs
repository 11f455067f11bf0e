// ragwarden as an operator runs it: `serve` with a settings file, and the commands beside it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from './lightrag-process.mjs';

const program = join(import.meta.dirname, '../../dist/main.js');

/**
 * @param {{ folder: string, settings: object, apiKey: string, gatewayPort?: number }} options `settings` is written as `ragwarden.yaml` (JSON is YAML)
 * @returns `cli(...args)` (code, stdout, stderr), `launch(...args)` (the same, running), `json(...args)`, `read(path)` of its API,
 *   `gateway` (URL), `stop()`
 */
export async function startWarden({ folder, settings, apiKey, gatewayPort = 0 }) {
  await writeFile(join(folder, 'ragwarden.yaml'), JSON.stringify(settings, null, 2));
  const { PATH, HOME } = process.env;
  const env = {
    PATH,
    HOME,
    RAGWARDEN_PORT: '0',
    LIGHTRAG_METRICS_PORT: '0',
    RAGWARDEN_GATEWAY_PORT: String(gatewayPort),
    LIGHTRAG_API_KEY: apiKey,
  };

  function launch(...args) {
    const child = spawn(process.execPath, [program, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { child, code: undefined, stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (said[name] += text));
    said.ended = once(child, 'close').then(([code]) => {
      said.code = code;
      return said;
    });
    return said;
  }
  const cli = (...args) => launch(...args).ended;
  async function json(...args) {
    const { code, stdout, stderr } = await cli(...args, '--json');
    try {
      return { code, ...JSON.parse(stdout) };
    } catch {
      throw new Error(`ragwarden ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
    }
  }

  const served = launch('serve');
  await waitFor(
    'ragwarden',
    () => served,
    ({ stdout, code }) => stdout.includes('"ready"') || code !== undefined,
    180_000,
  );
  if (served.code !== undefined) throw new Error(`ragwarden ended with ${served.code}:\n${served.stderr}`);
  const ready = JSON.parse(served.stdout.split('\n', 1)[0]);
  const token = (await readFile(join(folder, 'ragwarden-data', 'local-token'), 'utf8')).trim();
  return {
    gateway: ready.gateway,
    /** An answer of the API, as admin: JSON where it is. */
    async read(path) {
      const response = await fetch(`${ready.api}${path}`, { headers: { authorization: `Bearer ${token}` } });
      const text = await response.text();
      if (!response.ok) throw new Error(`${path} answers ${response.status}: ${text}`);
      return response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text;
    },
    cli,
    launch,
    json,
    log: () => served.stderr,
    async stop() {
      served.child.kill('SIGTERM');
      await served.ended;
      await writeFile(join(folder, 'ragwarden.log'), served.stderr, { flag: 'a' });
    },
  };
}
