// A small program that leaks one thing, or uses it as it should: `node program.mjs KIND leak|healthy [FOLDER or URL]`
// It takes one step for each message and says when it is done: whoever watches it decides how quickly time passes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

const [kind, how, place] = process.argv.slice(2);
const leaks = how === 'leak';
const kept = [];
let turn = 0;
/** Of a leak the most it takes from the machine. */
const most = { memory: 600, descriptors: 1_500, sockets: 600, threads: 40, children: 60, files: 1_500, sessions: 30 }[
  kind
];

const turns = {
  memory() {
    // A cache with a bound lets go of its oldest.
    kept.push(Buffer.alloc(500_000, 1));
    if (!leaks && kept.length > 10) kept.shift();
    // Collections come often in the time that is watched.
    globalThis.gc?.();
  },
  descriptors() {
    kept.push(openSync('/dev/null', 'r'));
    if (!leaks && kept.length > 4) closeSync(kept.shift());
  },
  async sockets() {
    const socket = connect(server.address().port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    kept.push(socket);
    if (!leaks && kept.length > 2) kept.shift().destroy();
  },
  async threads() {
    if (turn % 2 !== 0) return;
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
    await once(worker, 'online');
    kept.push(worker);
    if (!leaks && kept.length > 1) await kept.shift().terminate();
  },
  async children() {
    const child = spawn('sleep', ['120'], { stdio: 'ignore' });
    kept.push(child);
    if (leaks || kept.length <= 2) return;
    const first = kept.shift();
    first.kill();
    await once(first, 'exit');
  },
  files() {
    const path = join(place, String(turn));
    writeFileSync(path, 'x');
    kept.push(path);
    if (!leaks && kept.length > 4) rmSync(kept.shift());
  },
  async sessions() {
    if (!leaks && kept.length >= 3) {
      await kept[turn % 3].query('begin; select 1; commit');
      return;
    }
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: place, application_name: `${how}-${process.ppid}` });
    client.on('error', () => {});
    kept.push(client);
    await client.connect();
    // Forgets to end it.
    if (leaks) await client.query('begin; select 1');
  },
};
const server = createServer((socket) => socket.on('error', () => {}).resume());

const end = () => {
  if (kind === 'children') for (const child of kept) child.kill();
  process.exit(0);
};
process.on('SIGTERM', end);
process.on('disconnect', end);
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
process.on('message', async () => {
  turn += 1;
  if (!leaks || kept.length < most) await turns[kind]();
  process.send('done');
});
process.send('ready');
