import type { ChildProcesses, ChildResult } from '../../platform/child-processes/index.ts';
import type { RepositoryLocation } from './location.ts';
import type { Call } from './repository.ts';

const sessionFailed = /unable to start the sftp session/;
const handedOn = /^subprocess ssh: /m;
const limitMs = 20_000;

/**
 * What `ssh` says of a store that could not be opened, as restic words it; empty where restic has told, or there is nothing to tell.
 * restic often ends before it has handed that on (0.14: 21 of 25 times of an unknown host key), and without it nobody knows whether a
 * key was refused, a host not known, or nobody there. So `ssh` is asked once more, as restic asks it.
 */
export async function wordsOfSsh(
  children: Pick<ChildProcesses, 'run'>,
  { kind, resticArgument }: RepositoryLocation,
  { exitCode, stderr }: Pick<ChildResult, 'exitCode' | 'stderr'>,
  { signal, operationId, env }: Call & { readonly env: Readonly<Record<string, string>> },
): Promise<string> {
  if (kind !== 'sftp' || exitCode === 0 || !sessionFailed.test(stderr) || handedOn.test(stderr)) return '';
  const { hostname, port, username } = new URL(resticArgument);
  const args = [
    ...['-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', hostname.replace(/^\[(.*)\]$/, '$1')],
    ...(port === '' ? [] : ['-p', port]),
    ...(username === '' ? [] : ['-l', username]),
    ...['-s', 'sftp'],
  ];
  const asked = { program: 'ssh', args, env, purpose: 'asking ssh', timeoutMs: limitMs, signal, operationId };
  const said = await children.run(asked).catch(() => undefined);
  signal?.throwIfAborted();
  if (!said || said.exitCode === 0) return '';
  return said.stderr
    .split('\n')
    .flatMap((line) => (line.trim() === '' ? [] : [`subprocess ssh: ${line.trim()}\n`]))
    .join('');
}
