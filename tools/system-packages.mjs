// Programs that are not npm packages: what needs them, how to see that they are there, how to get them.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, globSync } from 'node:fs';
import path from 'node:path';
import { run } from './child.mjs';

/**
 * One row per program.
 * - programs: any one of them proves it; a path with a `*` is looked for as it is, for those that Debian keeps off PATH
 * - also: further programs that must be there too
 * - neededBy: who asks for it today; an empty list is installed by nobody
 */
export const SYSTEM_PARTS = [
  { name: 'restic', programs: ['restic'], minimum: '0.14', neededBy: ['product', 'tests'] },
  {
    name: 'prometheus',
    programs: ['promtool'],
    also: ['prometheus'],
    packages: { apk: ['prometheus'], dnf: ['golang-github-prometheus'] },
    neededBy: ['tests'],
  },
  {
    name: 'chromium',
    programs: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    neededBy: ['tests'],
  },
  {
    name: 'postgresql',
    programs: ['postgres', '/usr/lib/postgresql/*/bin/postgres'],
    packages: { dnf: ['postgresql-server'] },
    neededBy: ['tests'],
  },
  { name: 'redis', programs: ['redis-server'], packages: { apt: ['redis-server'] }, neededBy: ['tests'] },
  {
    name: 'alertmanager',
    programs: ['prometheus-alertmanager', 'alertmanager'],
    packages: { apt: ['prometheus-alertmanager'] },
    neededBy: ['tests'],
  },
  { name: 'openssl', programs: ['openssl'], neededBy: ['tests'] },
  {
    name: 'ceph',
    programs: ['radosgw'],
    also: ['ceph-mon', 'ceph-osd', 'ceph', 'radosgw-admin'],
    packages: { apt: ['radosgw', 'ceph-mon', 'ceph-osd'], dnf: ['ceph-radosgw', 'ceph-mon', 'ceph-osd'] },
    neededBy: ['tests'],
  },
  {
    name: 'openssh',
    // It starts itself anew by its whole path.
    programs: ['/usr/{,local/}{s,}bin/sshd'],
    also: ['ssh', 'ssh-keygen'],
    packages: { apt: ['openssh-server', 'openssh-client'], dnf: ['openssh-server', 'openssh-clients'] },
    neededBy: ['tests'],
  },
  { name: 'rclone', programs: ['rclone'], neededBy: ['tests'] },
];

const INSTALLERS = [
  { name: 'apt', program: 'apt-get' },
  { name: 'dnf', program: 'dnf', args: ['install', '-y'] },
  { name: 'apk', program: 'apk', args: ['add'] },
  { name: 'brew', program: 'brew', args: ['install'] },
];

/** Path of a program on PATH, or of the newest match of a pattern; undefined when it is not there. */
export function findProgram(name, env = process.env) {
  if (name.includes('/')) return globSync(name).sort().at(-1);
  for (const folder of (env.PATH ?? '').split(path.delimiter).filter(Boolean)) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** Whether `0.16.4` is at least `0.14`. */
export function isAtLeast(version, minimum) {
  const [have, want] = [version, minimum].map((text) => text.split('.').map(Number));
  for (const [index, part] of want.entries()) {
    if ((have[index] ?? 0) !== part) return (have[index] ?? 0) > part;
  }
  return true;
}

/**
 * Why a part cannot be used, for people; undefined when it can.
 * @param {(typeof SYSTEM_PARTS)[number]} part
 */
export function whyUnusable(part, env = process.env) {
  const found = part.programs.map((name) => findProgram(name, env)).find(Boolean);
  if (!found) return `${part.name} is missing`;
  const absent = (part.also ?? []).filter((name) => !findProgram(name, env));
  if (absent.length > 0) return `${part.name} is incomplete: ${absent.join(', ')} missing`;
  if (part.minimum) {
    const version = versionOf(found, env);
    if (!version) return `${part.name} does not tell its version`;
    if (!isAtLeast(version, part.minimum)) return `${part.name} ${version} is older than ${part.minimum}`;
  }
  return undefined;
}

function versionOf(program, env) {
  try {
    return /\d+\.\d+(\.\d+)?/.exec(execFileSync(program, ['version'], { env, encoding: 'utf8', timeout: 10_000 }))?.[0];
  } catch {
    return undefined;
  }
}

/** Parts that somebody asks for and that cannot be used, with the reason. */
export function missingParts(neededBy, env = process.env) {
  return SYSTEM_PARTS.filter((part) => part.neededBy.includes(neededBy))
    .map((part) => ({ part, reason: whyUnusable(part, env) }))
    .filter(({ reason }) => reason !== undefined);
}

/** The command a person would type, or undefined where no known package manager is. */
export function installPlan(parts, env = process.env, isRoot = process.getuid?.() === 0) {
  const installer = INSTALLERS.find(({ program }) => findProgram(program, env));
  if (!installer) return undefined;
  const names = parts.flatMap((part) => part.packages?.[installer.name] ?? [part.name]);
  const asRoot = isRoot || installer.name === 'brew' ? [] : ['sudo', '-n'];
  const command = installer.name === 'apt' ? aptCommand(names) : [installer.program, ...installer.args, ...names];
  const typed = installer.name === 'apt' ? ['apt-get', 'install', ...names] : command;
  return {
    command: [...asRoot, ...command],
    typed: [...asRoot.slice(0, 1), ...typed].join(' '),
    needsSudo: asRoot.length > 0,
  };
}

/**
 * Debian starts a service as soon as its package is there. policy-rc.d refuses that for the time of the installation; a
 * policy the machine already had is put back. An SSH server that came for the tests does not answer after the next boot either.
 * One shell, so that the same text runs with and without sudo.
 */
function aptCommand(names) {
  const script = `
policy=/usr/sbin/policy-rc.d
kept=$policy.kept-by-ragwarden
if [ -e "$policy" ] && [ ! -e "$kept" ]; then mv "$policy" "$kept"; fi
put_back() { rm -f "$policy"; if [ -e "$kept" ]; then mv "$kept" "$policy"; fi; }
trap put_back EXIT
trap 'exit 130' INT TERM HUP
printf '#!/bin/sh\\nexit 101\\n' > "$policy" && chmod 755 "$policy"
case " $* " in
  *" openssh-server "*) [ -e /usr/sbin/sshd ] || { mkdir -p /etc/ssh && : > /etc/ssh/sshd_not_to_be_run; } ;;
esac
export DEBIAN_FRONTEND=noninteractive
get() { apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" < /dev/null; }
get install --no-install-recommends "$@" && exit 0
get update && get install --no-install-recommends "$@"
`;
  return ['sh', '-c', script, 'install', ...names];
}

/**
 * Installs what is missing where rights allow, and says so before.
 * @param {'product' | 'tests'} neededBy
 * @returns {Promise<{name: string, reason: string}[]>} what is still missing, with the command that would bring it
 */
export async function installMissing(neededBy, say, env = process.env) {
  const missing = missingParts(neededBy, env);
  if (missing.length === 0) return [];
  const plan = installPlan(
    missing.map(({ part }) => part),
    env,
  );
  const hindrance = plan ? whyNotAllowed(plan, env) : 'no package manager that ragwarden knows is here';
  if (!hindrance) {
    say(
      `${missing.map(({ reason }) => reason).join('; ')}: installing with \`${plan.typed}\` (RAGWARDEN_NO_INSTALL=1 forbids it)`,
    );
    await run(plan.command[0], plan.command.slice(1), { env, stdio: ['ignore', 2, 2] });
  }
  return missingParts(neededBy, env).map(({ part, reason }) => ({
    name: part.name,
    reason: `${reason}${hindrance ? ` (not installed: ${hindrance})` : ''}${plan ? `; \`${plan.typed}\` brings it` : ''}`,
  }));
}

function whyNotAllowed(plan, env) {
  if (env.RAGWARDEN_NO_INSTALL === '1') return 'RAGWARDEN_NO_INSTALL=1';
  if (!plan.needsSudo) return undefined;
  if (!findProgram('sudo', env)) return 'it needs root';
  try {
    execFileSync('sudo', ['-n', 'true'], { env, stdio: 'ignore', timeout: 10_000 });
    return undefined;
  } catch {
    return 'sudo asks for a password';
  }
}
