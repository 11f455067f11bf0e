import { expect, test, vi } from 'vitest';
import type { ChildProcesses } from '../../platform/child-processes/index.ts';
import { parseRepositoryLocation } from './location.ts';
import { wordsOfSsh } from './ssh-words.ts';

const failed = 'Fatal: unable to open repository at sftp://x: unable to start the sftp session, error: EOF\n';
const location = parseRepositoryLocation('sftp://points@store.example.org:2222//srv/points', 'file');
/** Of child processes, what is started here. */
const saying = (exitCode: number, stderr: string) => {
  const run = vi.fn(async (_spec: object) => ({ exitCode, stderr }));
  return { run, children: { run } as unknown as ChildProcesses };
};

test('what ssh said and restic did not hand on is asked of ssh, as restic asks it', async () => {
  const { run, children } = saying(255, 'Host key verification failed.\r\n');
  const said = await wordsOfSsh(children, location, { exitCode: 1, stderr: failed }, { env: { PATH: '/bin' } });
  expect(said).toBe('subprocess ssh: Host key verification failed.\n');
  expect(run).toHaveBeenCalledWith(
    expect.objectContaining({
      program: 'ssh',
      args: expect.arrayContaining(['BatchMode=yes', 'store.example.org', '2222', 'points', '-s', 'sftp']),
      env: { PATH: '/bin' },
    }),
  );
});

test('nothing is asked where restic has told, of another failure or of another store; one that lets in says nothing', async () => {
  const { run, children } = saying(0, 'Warning: Permanently added it.');
  const ask = (stderr: string, exitCode = 1, at = location) =>
    wordsOfSsh(children, at, { exitCode, stderr }, { env: {} });
  expect(await ask(`subprocess ssh: Permission denied (publickey).\n${failed}`)).toBe('');
  expect(await ask('Fatal: wrong password or no key found')).toBe('');
  expect(await ask(failed, 0)).toBe('');
  expect(await ask(failed, 1, parseRepositoryLocation('rest:http://x/', 'file'))).toBe('');
  expect(run).not.toHaveBeenCalled();
  expect(await ask(failed)).toBe('');
  expect(run).toHaveBeenCalledOnce();
});
