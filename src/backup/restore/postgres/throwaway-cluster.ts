import { access, chmod, chown, constants, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ChildProcesses, RunningChild } from '../../../platform/child-processes/index.ts';
import { systemSearchPath } from '../../../platform/child-processes/index.ts';
import { AppError } from '../../../platform/errors.ts';
import type { PostgresConnection } from '../../postgres/connection.ts';
import { type PostgresPrograms, programIn } from '../../postgres/programs.ts';
import { makeOutside } from '../outside.ts';

/** A server for one rehearsal: socket only, no network, nothing synced. */
export type ThrowawayCluster = {
  readonly connection: PostgresConnection;
  /** Where its files lie. */
  readonly folder: string;
  /** Ends the server and removes all of it. May be called twice. */
  remove(): Promise<void>;
};

const readyLimitMs = 60_000;

/**
 * @param scratchDir where the data goes, if the user that PostgreSQL runs as can reach it; else the system's folder for such things
 * @throws AppError `restore/blocked`
 */
export async function startThrowawayCluster(
  children: ChildProcesses,
  programs: PostgresPrograms,
  scratchDir: string,
  options: { readonly operationId: string; readonly signal: AbortSignal; readonly encoding: string },
): Promise<ThrowawayCluster> {
  const who = await unprivilegedUser();
  // A socket's path is at most a hundred characters long, and a scratch folder may be longer.
  const outside = await makeOutside(options.operationId);
  const sockets = join(outside, 'run');
  const reachable = who === undefined || (await everybodyReaches(scratchDir));
  const folder = reachable ? await mkdtemp(join(scratchDir, 'cluster-')) : join(outside, 'cluster');
  let server: RunningChild | undefined;
  const remove = async (): Promise<void> => {
    await server?.stop(10_000);
    await rm(folder, { recursive: true, force: true });
    await rm(outside, { recursive: true, force: true });
  };
  try {
    for (const path of [sockets, folder]) {
      await mkdir(path, { recursive: true });
      if (who) await chown(path, who.uid, who.gid);
      await chmod(path, 0o700);
    }
    const run = {
      env: { PATH: systemSearchPath, LC_ALL: 'C', TZ: 'UTC' },
      cwd: sockets,
      operationId: options.operationId,
      signal: options.signal,
      ...who,
    };
    const data = join(folder, 'data');
    const made = await children.run({
      ...run,
      program: programIn(programs, 'initdb'),
      // Only the user it runs as, and us who made the folder, can come to the socket.
      args: [
        '-D',
        data,
        '-U',
        'postgres',
        '-A',
        'trust',
        '-E',
        options.encoding,
        '--locale=C',
        '--no-sync',
        '--no-instructions',
      ],
      purpose: 'throw-away PostgreSQL',
    });
    if (made.exitCode !== 0)
      throw new AppError(
        'restore/blocked',
        `A throw-away PostgreSQL could not be made: ${made.stderr.trim().split('\n').at(-1)}`,
      );
    let ready: () => void = () => undefined;
    const listening = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const settings = {
      listen_addresses: '',
      unix_socket_directories: sockets,
      fsync: 'off',
      full_page_writes: 'off',
      synchronous_commit: 'off',
      wal_level: 'minimal',
      max_wal_senders: '0',
      autovacuum: 'off',
      logging_collector: 'off',
      max_connections: '20',
    };
    server = await children.start({
      ...run,
      program: programIn(programs, 'postgres'),
      args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      purpose: 'throw-away PostgreSQL',
      // The fast shutdown; the gentle one waits for clients.
      stopSignal: 'SIGINT',
      onStderrLine: (line) => {
        if (line.includes('ready to accept connections')) ready();
      },
    });
    const late = AbortSignal.timeout(readyLimitMs);
    const ended = server.exited.then(({ stderr }) => stderr.trim().split('\n').at(-1) ?? 'it said nothing');
    const outcome = await Promise.race([
      listening.then(() => undefined),
      ended,
      new Promise<string>((resolve) =>
        late.addEventListener('abort', () => resolve('it was not ready in a minute'), { once: true }),
      ),
    ]);
    if (outcome !== undefined)
      throw new AppError('restore/blocked', `A throw-away PostgreSQL did not start: ${outcome}`);
    return {
      folder,
      connection: { host: sockets, port: 5432, user: 'postgres', password: undefined, database: 'postgres' },
      remove,
    };
  } catch (err) {
    await remove();
    throw err;
  }
}

/** PostgreSQL refuses to run as root: then it runs as the user its package made, else as nobody. */
async function unprivilegedUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const user = ['postgres', 'nobody'].map((name) => users.find(([first]) => first === name)).find(Boolean);
  return { uid: Number(user?.[2] ?? 65534), gid: Number(user?.[3] ?? 65534) };
}

/** Whether every folder on the way lets others through. */
async function everybodyReaches(path: string): Promise<boolean> {
  await access(path, constants.R_OK);
  for (let folder = path; ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
