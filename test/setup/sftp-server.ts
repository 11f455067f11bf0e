import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../tools/system-packages.mjs';
import { memoryFolder } from './memory-folder.ts';
import { programOf } from './parts.ts';

/** How `ssh` is set up on the side that asks. */
export type SshSetting = 'right' | 'wrong key' | 'unknown host key';

/** A throw-away OpenSSH server of one test file that gives nothing but SFTP, on a port of its own. */
export type TestSftp = {
  /** Where repositories lie, on this machine. */
  readonly folder: string;
  /** `sftp://…` of a path below that folder, as restic takes it. */
  location(path: string): string;
  /** What a tool needs so that the `ssh` it starts reads settings, a key and known hosts of the test's own. */
  environment(how: SshSetting): Readonly<Record<string, string>>;
  /** Gives the server what the test has put below `folder`. */
  own(): void;
  remove(): Promise<void>;
};

type User = { readonly name: string; readonly ids: { readonly uid: number; readonly gid: number } | undefined };

/** As root sshd wants folders of the system; as anybody else it lets that one user in. `daemon` has a home that is there. */
function unprivileged(): User {
  if (process.getuid?.() !== 0) return { name: userInfo().username, ids: undefined };
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith('daemon:'));
  const [name = 'daemon', , uid, gid] = (line ?? 'daemon:x:1:1').split(':');
  return { name, ids: { uid: Number(uid), gid: Number(gid) } };
}

/** One sshd for each connection, which it is handed: no port is guessed, and nothing has to be waited for. */
export async function startSftp(): Promise<TestSftp> {
  const root = memoryFolder('sftp');
  const user = unprivileged();
  const give = (path: string): void => {
    if (user.ids) chownSync(path, user.ids.uid, user.ids.gid);
  };
  const makeKey = (name: string): string => {
    const file = join(root, name);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
    return file;
  };
  const publicKey = (name: string): string => readFileSync(join(root, `${name}.pub`), 'utf8');
  const [hostKey, clientKey, otherKey] = ['host', 'client', 'other'].map(makeKey);
  const folder = join(root, 'repositories');
  mkdirSync(folder);
  const allowed = join(root, 'authorized_keys');
  writeFileSync(allowed, publicKey('client'));
  const settings = join(root, 'sshd_config');
  writeFileSync(
    settings,
    `HostKey ${hostKey}
AuthorizedKeysFile ${allowed}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding no
PidFile none
LogLevel ERROR
Subsystem sftp internal-sftp
`,
  );
  for (const path of [root, folder, hostKey ?? '', allowed, settings]) give(path);

  const children = new Set<ChildProcess>();
  // Ends with the test run, however that ends.
  const setpriv = findProgram('setpriv');
  const command = [programOf('openssh'), '-i', '-e', '-f', settings];
  const [program = '', ...args] = setpriv ? [setpriv, '--pdeathsig', 'KILL', '--', ...command] : command;
  const serve = (socket: Socket): void => {
    const child = spawn(program, args, { stdio: [socket, socket, 'ignore'], ...user.ids });
    children.add(child);
    child.once('close', () => children.delete(child));
    child.once('error', () => children.delete(child));
    // The other end is that process now.
    socket.destroy();
  };
  const server = createServer({ pauseOnConnect: true }, serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const known = join(root, 'known_hosts');
  writeFileSync(known, `[127.0.0.1]:${port} ${publicKey('host')}`);
  writeFileSync(join(root, 'known_hosts.other'), `[127.0.0.1]:${port} ${publicKey('other')}`);
  const ssh = findProgram('ssh') ?? 'ssh';
  const environment: TestSftp['environment'] = (how) => {
    const bin = join(root, `bin-${how.replaceAll(' ', '-')}`);
    mkdirSync(bin, { recursive: true });
    const lines = [
      `IdentityFile ${how === 'wrong key' ? otherKey : clientKey}`,
      'IdentitiesOnly yes',
      'IdentityAgent none',
      `UserKnownHostsFile ${how === 'unknown host key' ? join(root, 'none') : known}`,
      'GlobalKnownHostsFile none',
    ];
    writeFileSync(join(bin, 'config'), `${lines.join('\n')}\n`);
    writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nexec '${ssh}' -F '${join(bin, 'config')}' "$@"\n`);
    chmodSync(join(bin, 'ssh'), 0o755);
    return { PATH: `${bin}:${process.env.PATH}` };
  };
  return {
    folder,
    location: (path) => `sftp://${user.name}@127.0.0.1:${port}/${join(folder, path)}`,
    environment,
    own() {
      for (const name of readdirSync(folder, { recursive: true })) give(join(folder, String(name)));
    },
    async remove() {
      server.close();
      await Promise.all([...children].map(end));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
