// A real LightRAG as an operator runs it: stopped and started by commands, outside the process that looks at it.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { startLightRag, waitFor } from './lightrag-process.mjs';

// A process that has ended but was not waited for (a zombie) still takes signals, so its state is read as well.
const stopScript = `import { readFileSync } from 'node:fs';
const pid = Number(readFileSync(process.argv[2], 'utf8'));
const living = () => {
  try {
    return !/^State:\\s+Z/m.test(readFileSync('/proc/' + pid + '/status', 'utf8'));
  } catch {
    return false;
  }
};
if (living()) process.kill(pid, 'SIGTERM');
while (living()) await new Promise((done) => setTimeout(done, 50));
`;

const startScript = `import { spawn } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
const [, , pidFile, command, folder] = process.argv;
const log = openSync(folder + '/output.log', 'a');
const env = JSON.parse(readFileSync(folder + '/environment.json', 'utf8'));
const child = spawn(command, [], { cwd: folder, env, detached: true, stdio: ['ignore', log, log] });
writeFileSync(pidFile, String(child.pid));
child.unref();
`;

/**
 * Starts the server once through `startLightRag`, later through the commands that ragwarden is given.
 * @returns `url`, `env`, the two commands as argument lists, `readPid()`, `waitUntilUp()`
 */
export async function startWatchedBackend({ command, folder, llmUrl, dim, settings }) {
  const server = await startLightRag({ command, folder, llmUrl, dim, settings });
  const pidFile = join(folder, 'server.pid');
  await writeFile(pidFile, String(server.pid));
  // ragwarden runs the command with its own environment, which does not know where the server's token tables lie.
  const { PATH, HOME, TIKTOKEN_CACHE_DIR, PYTHONPATH } = process.env;
  const environment = { PATH, HOME, TIKTOKEN_CACHE_DIR, PYTHONPATH, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' };
  await writeFile(join(folder, 'environment.json'), JSON.stringify(environment));
  await writeFile(join(folder, 'stop.mjs'), stopScript);
  await writeFile(join(folder, 'start.mjs'), startScript);
  return {
    url: server.url,
    env: server.env,
    startMs: server.startMs,
    stopCommand: [process.execPath, join(folder, 'stop.mjs'), pidFile],
    startCommand: [process.execPath, join(folder, 'start.mjs'), pidFile, command, folder],
    readPid: async () => Number(await readFile(pidFile, 'utf8')),
    waitUntilUp: () => waitFor('the server', () => answers(server.url), Boolean, 120_000),
  };
}

async function answers(url) {
  try {
    const response = await fetch(`${url}/health`);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** SHA-256 of every file below the folders by path, without what ragwarden keeps there for itself. */
export async function digestTree(...folders) {
  const digests = {};
  for (const folder of folders.filter((one) => existsSync(one))) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || path.includes('/.ragwarden/')) continue;
      const name = join(folder, relative(folder, path));
      digests[name] = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
    }
  }
  return digests;
}

/** Paths that are missing, new or different. */
export function compareTrees(before, after) {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((path) => before[path] !== after[path]);
}
