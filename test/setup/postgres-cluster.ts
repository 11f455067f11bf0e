import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findProgram } from '../../tools/system-packages.mjs';
import { freePort } from './free-port.ts';
import { memoryFolder } from './memory-folder.ts';
import { programOf } from './parts.ts';

/** What must be encoded in a URL, and what must not be decoded twice. */
const password = 'p@ss/w:rd%40?#';

/** A throw-away PostgreSQL server of this test run, on a port of its own. */
export type PostgresCluster = {
  /** Of this database on it, with its user and password. */
  url(database: string): string;
  readonly pid: () => number;
  /** Ends every process of it at once, as a crash of the machine would. */
  takeAway(): Promise<void>;
  /** On the same port, with what it had written. */
  giveBack(): Promise<void>;
  remove(): Promise<void>;
};

/** PostgreSQL refuses to run as root: then it runs as the user that its package made, else as nobody. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  const line = ['postgres', 'nobody'].map((name) => users.find((user) => user.startsWith(`${name}:`))).find(Boolean);
  const [, , uid, gid] = (line ?? 'nobody:x:65534:65534').split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

/**
 * What the server stores of the password, derived in one round instead of 4096: hundreds of short connections would spend a
 * tenth of their time on it. PostgreSQL takes a secret in this form as it is ("Storage of SCRAM secrets" in `pg_authid`).
 */
function lightSecret(): string {
  const salt = Buffer.from('salt of the tests');
  const salted = pbkdf2Sync(password, salt, 1, 32, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$1:${salt.toString('base64')}$${stored}:${hmac('Server Key').toString('base64')}`;
}

/**
 * @param durable keeps what was committed across `takeAway`; without it nothing is synced, which is quicker
 */
export async function startPostgresCluster(options: { durable?: boolean } = {}): Promise<PostgresCluster> {
  const programs = dirname(realpathSync(programOf('postgresql')));
  const who = unprivileged();
  // Each database is some three hundred files, made and removed: in memory that costs a third.
  const folder = memoryFolder('pg');
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, lightSecret(), { mode: 0o600 });
  if (who) for (const path of [folder, passwordFile]) chownSync(path, who.uid, who.gid);
  chmodSync(folder, 0o700);
  const environment = { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' };
  const run = { cwd: folder, env: environment, ...who };
  const initdb = join(programs, 'initdb');
  // The password goes in clear on this machine: deriving keys for hundreds of short connections would be most of the time.
  // A server whose language sorts otherwise than by bytes, as most do.
  const knowsIcu = execFileSync(initdb, ['--help'], { encoding: 'utf8' }).includes('--locale-provider');
  const language = knowsIcu ? ['--locale-provider=icu', '--icu-locale=en-US'] : [];
  const layOut = (more: readonly string[]) =>
    execFileSync(
      initdb,
      [
        '-D',
        data,
        '-U',
        'ragwarden',
        '-E',
        'UTF8',
        '-A',
        'password',
        `--pwfile=${passwordFile}`,
        '--no-sync',
        '--no-instructions',
        ...more,
      ],
      { ...run, stdio: ['ignore', 'ignore', 'pipe'] },
    );
  try {
    layOut(language);
  } catch (err) {
    if (language.length === 0) throw err;
    rmSync(data, { recursive: true, force: true });
    layOut([]);
  }
  const port = await freePort();
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    // None: the name of one may be a hundred characters long, and that of a temporary folder longer.
    unix_socket_directories: '',
    shared_buffers: '16MB',
    max_connections: 200,
    autovacuum: 'off',
    fsync: options.durable ? 'on' : 'off',
    full_page_writes: options.durable ? 'on' : 'off',
    // A new database is a copy of a small one; a checkpoint for each would be most of its time.
    wal_level: 'minimal',
    max_wal_senders: 0,
  };
  const setpriv = findProgram('setpriv');
  let server: ChildProcess | undefined;
  let said = '';

  const start = async (): Promise<void> => {
    const command = [
      join(programs, 'postgres'),
      '-D',
      data,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ];
    // Ends with the test run, however that ends.
    const [program = '', ...args] = setpriv ? [setpriv, '--pdeathsig', 'QUIT', '--', ...command] : command;
    const child = spawn(program, args, { ...run, stdio: ['ignore', 'ignore', 'pipe'] });
    server = child;
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-20_000);
        if (said.includes('database system is ready to accept connections')) resolve();
      });
      child.once('exit', (code) => reject(new Error(`PostgreSQL ended (${code}):\n${said}`)));
    });
    said = '';
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const child = server;
    server = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };

  await start();
  return {
    url: (database) => `postgresql://ragwarden:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`,
    pid: () => server?.pid ?? 0,
    // `QUIT` is the immediate shutdown: no checkpoint, connections are cut, the next start recovers.
    takeAway: () => end('SIGQUIT'),
    giveBack: start,
    async remove() {
      await end('SIGQUIT');
      if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
    },
  };
}
