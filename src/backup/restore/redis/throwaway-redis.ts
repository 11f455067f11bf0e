import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { findProgram, systemSearchPath } from '../../../platform/child-processes/index.ts';
import { AppError } from '../../../platform/errors.ts';
import type { RedisPlace } from '../../sources/redis/redis-place.ts';
import { makeOutside } from '../outside.ts';

export type ThrowawayRedis = { readonly place: RedisPlace; stop(): Promise<void> };

/** Any of them reads an RDB; the first that is installed is taken. */
const programs = ['redis-server', 'valkey-server'];

export const findRedisServer = (searchPath = systemSearchPath): string | undefined =>
  programs.map((program) => findProgram(program, searchPath)).find((path) => path !== undefined);

/** The kernel takes no longer path for a socket. */
const longestSocketPath = 100;

/**
 * A Redis of our own, on a socket that nobody else may open, with what lies in the file; it writes nothing to disk.
 * @param dump a file of `folder`; absent: it begins empty
 * @throws AppError `child/missing-program`, `restore/blocked` when it cannot read the file
 */
export async function startThrowawayRedis(options: {
  children: ChildProcesses;
  folder: string;
  dump: string;
  operationId: string;
  signal: AbortSignal;
  /** The name of the database that the connection begins with. */
  database: number;
}): Promise<ThrowawayRedis> {
  const { children, folder, signal } = options;
  const program = findRedisServer();
  if (program === undefined)
    throw new AppError(
      'child/missing-program',
      `None of ${programs.join(', ')} is installed here, and one is needed to read the copy of a Redis.`,
    );
  const wanted = join(folder, 'redis.sock');
  const elsewhere = Buffer.byteLength(wanted) > longestSocketPath;
  const socketFolder = elsewhere ? await makeOutside(options.operationId) : folder;
  const socket = join(socketFolder, 'redis.sock');
  const removeSocket = async (): Promise<void> => {
    if (elsewhere) await rm(socketFolder, { recursive: true, force: true });
    else await rm(socket, { force: true });
  };
  const ready = Promise.withResolvers<void>();
  let said: string[] = [];
  const settings: readonly [string, string][] = [
    ['--port', '0'],
    ['--unixsocket', socket],
    ['--unixsocketperm', '700'],
    ['--dir', folder],
    ['--dbfilename', options.dump],
    ['--save', ''],
    ['--appendonly', 'no'],
    ['--daemonize', 'no'],
    // A copy may come from a server that was set up for more than the usual sixteen.
    ['--databases', '4096'],
  ];
  try {
    const child = await children.start({
      program,
      args: settings.flat(),
      env: { PATH: systemSearchPath, LC_ALL: 'C' },
      cwd: folder,
      purpose: 'throw-away Redis',
      operationId: options.operationId,
      signal,
      onStdoutLine(line) {
        said = [...said, line].slice(-8);
        if (/ready to accept connections/i.test(line)) ready.resolve();
      },
    });
    const ended = child.exited.then((result) => {
      signal.throwIfAborted();
      const why = [...said, result.stderr].reverse().find((line) => /fatal|can't|error|wrong|corrupt/i.test(line));
      throw new AppError(
        'restore/blocked',
        `${program} cannot read the copy of the Redis: ${withoutHead(why ?? said.at(-1) ?? 'it said nothing')}. A newer one may be needed here.`,
      );
    });
    ended.catch(() => undefined);
    await Promise.race([ready.promise, ended]);
    return {
      place: {
        host: 'localhost',
        port: 0,
        path: socket,
        username: undefined,
        password: undefined,
        database: options.database,
        tls: undefined,
      },
      async stop() {
        await child.stop();
        await removeSocket();
      },
    };
  } catch (err) {
    await removeSocket();
    throw err;
  }
}

/** `123:M 29 Nov 2026 15:00:00.000 # Fatal error …` without what stands before the sentence. */
const withoutHead = (line: string): string => line.replace(/^\d+:[A-Z] [^*#.-]*\.\d+ [*#.-] /, '').trim();
