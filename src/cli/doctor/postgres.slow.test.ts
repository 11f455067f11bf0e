import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../../test/setup/free-port.ts';
import { hasPart, programOf } from '../../../test/setup/parts.ts';
import { judgeExtensions, lookAtClients, type PostgresSeen, seePostgres } from './postgres.ts';

const never = new AbortController().signal;
const here = hasPart('postgresql');
const folder = mkdtempSync(join(tmpdir(), 'ragwarden-doctor-postgres-'));

describe.skipIf(!here)('a real PostgreSQL', () => {
  let server: ChildProcess;
  let port: number;
  let seen: PostgresSeen;
  const connection = () => ({ host: '127.0.0.1', port, user: 'ada', password: 'w0rd-of-ada', database: 'postgres' });

  beforeAll(async () => {
    const bin = dirname(programOf('postgresql'));
    port = await freePort();
    // PostgreSQL refuses to run as root.
    const idOf = (flag: '-u' | '-g'): number => Number(execFileSync('id', [flag, 'postgres']));
    const asUser = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : undefined;
    if (asUser) chownSync(folder, asUser.uid, asUser.gid);
    const data = join(folder, 'data');
    execFileSync(
      join(bin, 'initdb'),
      ['-D', data, '-U', 'ada', '--no-sync', '-A', 'trust', '-E', 'UTF8', '--no-locale'],
      {
        ...asUser,
        stdio: 'ignore',
        cwd: folder,
      },
    );
    server = spawn(
      join(bin, 'postgres'),
      ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', '-c', 'fsync=off'],
      { ...asUser, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    await new Promise<void>((resolve, reject) => {
      let said = '';
      server.stderr?.on('data', (text: Buffer) => {
        said += text.toString();
        if (said.includes('ready to accept connections')) resolve();
      });
      server.once('exit', () => reject(new Error(`postgres ended:\n${said}`)));
    });
    const found = await seePostgres(connection(), 'PostgreSQL', 'POSTGRES_HOST', never);
    if ('verdict' in found) throw new Error(found.detail);
    seen = found;
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT');
    await ended;
  });

  test('tells its version and its extensions', () => {
    expect(seen.major).toBeGreaterThan(8);
    expect(seen.extensions.has('plpgsql')).toBe(true);
    expect(judgeExtensions(seen, [])).toMatchObject({ verdict: 'ok', detail: `PostgreSQL ${seen.version}` });
  });

  test('without the extension that the storages of the backend need fails with the command that makes it', () => {
    expect(judgeExtensions(seen, ['PGKVStorage', 'PGVectorStorage', 'PGGraphStorage'])).toMatchObject({
      verdict: 'fail',
      mend: "psql -c 'CREATE EXTENSION vector' && psql -c 'CREATE EXTENSION age'",
    });
    const extensions = new Map([['vector', '0.8.0']]);
    expect(judgeExtensions({ ...seen, extensions }, ['PGVectorStorage', 'PGTableGraphStorage'])).toMatchObject({
      verdict: 'ok',
    });
  });

  test('is compared with the clients that are to dump it', async () => {
    expect(await lookAtClients(seen, never)).toMatchObject({ verdict: 'ok' });
    expect(await lookAtClients({ ...seen, major: 99, version: '99.1' }, never)).toMatchObject({
      verdict: 'fail',
      mend: 'apt-get install postgresql-client-99',
    });
  });

  test('that lets nobody in is told without the password', async () => {
    const refused = await seePostgres({ ...connection(), database: 'nowhere' }, 'PostgreSQL', 'POSTGRES_HOST', never);
    expect(refused).toMatchObject({ verdict: 'fail', detail: expect.stringContaining('nowhere') });
    expect(JSON.stringify(refused)).not.toContain('w0rd-of-ada');
  });
});

test('nobody there is told with the setting to check', async () => {
  const found = await seePostgres({ host: '127.0.0.1', port: await freePort() }, 'PostgreSQL', 'POSTGRES_HOST', never);
  expect(found).toMatchObject({ verdict: 'fail', mend: expect.stringContaining('POSTGRES_HOST') });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));
