import { accessSync, constants, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Config, readConfig } from '../config/index.ts';
import { createChildProcesses, findProgram, systemSearchPath } from '../platform/child-processes/index.ts';
import { systemClock } from '../platform/clock.ts';
import { describeError, isAppError, systemCode } from '../platform/errors.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { silentLogger } from '../platform/logging.ts';
import { backupStatusAnswer, healthAnswer, pageOf, read, targetAnswer } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { type CommandContext, printJson, type RemoteFlags, settingFlags, withApi } from './cli.ts';
import { exitCodes, ServerRefusal } from './exit-code.ts';
import { formatBytes, withoutControls } from './format.ts';
import { coloured } from './words.ts';

/** One thing that was looked at; `mend` says what to do when it is not right. */
export type Finding = {
  readonly check: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly message: string;
  readonly mend?: string;
};

/** Looks at this machine, and at the running server when there is one. @returns 4 when something fails */
export async function runDoctor(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal, env, cwd, signal } = context;
  const { dataDir, config: file } = flags;
  const reading = readConfig({ env, cwd, flags: settingFlags({ dataDir, config: file }) });
  const { config } = reading;
  const findings: Finding[] = [
    ...(reading.problems.length === 0
      ? [
          ok(
            'settings',
            reading.file === undefined ? 'no problem; there is no settings file' : `no problem in ${reading.file}`,
          ),
        ]
      : reading.problems.map((one) => fail('settings', `${one.place}: ${one.message}`, one.mend))),
    checkNode(process.versions.node),
    await checkRestic(signal),
    checkSetpriv(),
    checkDataFolder(config.dataDir),
    checkFreeSpace(config.dataDir),
    ...checkSeparateDisks(config),
    checkClock(Date.now()),
  ];
  const remote = await withApi(context, flags, (api) => checkServer(api)).catch((err: unknown) => {
    if (signal.aborted) throw err;
    return notReached(err);
  });
  findings.push(...remote.findings);
  if (!remote.reached) findings.push(await checkPort(config), ...(await checkTarget(config, signal)));

  if (flags.json) printJson(terminal, { findings });
  else
    for (const { check, state, message, mend } of withoutControls(findings)) {
      if (flags.quiet && state === 'ok') continue;
      terminal.out(`${coloured(terminal.colours, state)}${' '.repeat(6 - state.length)}${check}: ${message}`);
      if (mend !== undefined) terminal.out(`      ${terminal.colours.dim('→')} ${mend}`);
    }
  return findings.some((one) => one.state === 'fail') ? exitCodes.checkFailed : exitCodes.ok;
}

const ok = (check: string, message: string): Finding => ({ check, state: 'ok', message });
const warn = (check: string, message: string, mend: string): Finding => ({ check, state: 'warn', message, mend });
const fail = (check: string, message: string, mend: string): Finding => ({ check, state: 'fail', message, mend });

const checkNode = (version: string): Finding =>
  Number(version.split('.')[0]) >= 24
    ? ok('Node.js', version)
    : fail('Node.js', `${version} is too old`, 'Install Node.js 24 or newer.');

/** Older ones lack what the repository needs. */
const leastRestic = [0, 14] as const;

async function checkRestic(signal: AbortSignal): Promise<Finding> {
  const program = findProgram('restic', systemSearchPath);
  if (program === undefined)
    return fail(
      'restic',
      'it is missing, so backups are unavailable',
      'Install it: `apt-get install restic`, or see https://restic.net.',
    );
  const recordDir = mkdtempSync(join(tmpdir(), 'ragwarden-doctor-'));
  const children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir });
  try {
    const { stdout, exitCode } = await children.run({
      program,
      args: ['version'],
      env: { PATH: systemSearchPath },
      purpose: 'restic version',
      timeoutMs: 10_000,
      signal,
    });
    const version = /^restic (\d+)\.(\d+)(\.\d+)?/.exec(stdout);
    if (exitCode !== 0 || !version)
      return fail('restic', `${program} does not tell its version`, 'Install restic anew.');
    const [major, minor] = [Number(version[1]), Number(version[2])];
    const enough = major > leastRestic[0] || (major === leastRestic[0] && minor >= leastRestic[1]);
    const shown = version[0].slice('restic '.length);
    return enough
      ? ok('restic', `${shown} at ${program}`)
      : fail('restic', `${shown} is too old`, 'Install restic 0.14 or newer.');
  } catch (err) {
    if (signal.aborted) throw err;
    return fail('restic', `${program} cannot be run: ${describeError(err)}`, 'Install restic anew.');
  } finally {
    await children.stop();
    rmSync(recordDir, { recursive: true, force: true });
  }
}

const checkSetpriv = (): Finding =>
  findProgram('setpriv', systemSearchPath) === undefined
    ? warn(
        'setpriv',
        'it is missing: should ragwarden be killed, a running child process ends only at the next start',
        'Install util-linux.',
      )
    : ok('setpriv', 'child processes end with ragwarden, however that ends');

/** The folder itself or, before it exists, the nearest one above it. */
function existingFolder(path: string): string {
  const parent = dirname(path);
  return statSync(path, { throwIfNoEntry: false }) !== undefined || parent === path ? path : existingFolder(parent);
}

function checkDataFolder(dataDir: string): Finding {
  const folder = existingFolder(dataDir);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    if (!statSync(folder).isDirectory())
      return fail('data folder', `${folder} is not a folder`, 'Choose another with --data-dir.');
  } catch (err) {
    return fail(
      'data folder',
      `${folder} cannot be written (${systemCode(err) ?? 'unknown error'})`,
      'Check its owner and permissions, or choose another with --data-dir.',
    );
  }
  if (folder !== dataDir) return ok('data folder', `${dataDir} will be made`);
  return (statSync(dataDir).mode & 0o077) === 0
    ? ok('data folder', `${dataDir} can be written, by its owner only`)
    : warn('data folder', `${dataDir} can be read by others`, `chmod 700 ${dataDir}`);
}

const scarceBytes = 1024 * 1024 * 1024;
const tooLittleBytes = 100 * 1024 * 1024;

function checkFreeSpace(dataDir: string): Finding {
  const folder = existingFolder(dataDir);
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const message = `${formatBytes(free)} free on the file system of ${folder}`;
  if (free < tooLittleBytes) return fail('free space', message, 'Free some, or put the data folder elsewhere.');
  if (free < scarceBytes) return warn('free space', message, 'A backup needs room for staging and repository.');
  return ok('free space', message);
}

/** Said, not failed: a repository beside the data it protects is better than none. */
function checkSeparateDisks(config: Config): Finding[] {
  if (!config.backup.enabled) return [];
  const protectedFolder = config.target?.workingDir ?? (config.target === undefined ? config.dataDir : undefined);
  if (protectedFolder === undefined) return [];
  try {
    const same = statSync(existingFolder(config.backup.location)).dev === statSync(existingFolder(protectedFolder)).dev;
    return [
      same
        ? warn(
            'repository',
            `${config.backup.location} lies on the same file system as the data it protects; one broken disk takes both`,
            'Set BACKUP_DIR to another disk, or copy the repository elsewhere.',
          )
        : ok('repository', `${config.backup.location} lies on another file system than the data it protects`),
    ];
  } catch (err) {
    return [
      fail('repository', `it cannot be looked at: ${describeError(err)}`, 'Check BACKUP_DIR and its permissions.'),
    ];
  }
}

/** Points are named and kept by time, so a clock that never was set would spoil both. */
const checkClock = (nowMs: number): Finding =>
  new Date(nowMs).getUTCFullYear() < 2026
    ? fail('clock', `it says ${new Date(nowMs).toISOString()}`, 'Set the clock of this machine, or let NTP do it.')
    : ok('clock', new Date(nowMs).toISOString());

type ServerFindings = { readonly reached: boolean; readonly findings: readonly Finding[] };

async function checkServer(api: ApiClient): Promise<ServerFindings> {
  const health = read(healthAnswer, await api.call('/health'));
  const findings: Finding[] = [ok('server', `it answers at ${api.api}: ${health.status}`)];
  const targets = read(pageOf(targetAnswer), await api.call('/api/v1/targets')).items;
  if (targets.length === 0)
    findings.push(
      warn('target', 'none is configured', 'Set RAGWARDEN_TARGET_URL and WORKING_DIR, or start with `ragwarden up`.'),
    );
  for (const target of targets) {
    const reasons = target.reasons.map((one) => one.message).join(' ');
    findings.push(
      target.status === 'HEALTHY'
        ? ok(`target ${target.id}`, `${target.kind ?? 'a backend'} answers`)
        : target.status === 'OFFLINE'
          ? fail(`target ${target.id}`, `it does not answer. ${reasons}`, 'Start it, or check RAGWARDEN_TARGET_URL.')
          : warn(`target ${target.id}`, `${target.status}. ${reasons}`, '`ragwarden target inspect` looks again.'),
    );
  }
  findings.push(...(await checkBackups(api)));
  return { reached: true, findings };
}

async function checkBackups(api: ApiClient): Promise<Finding[]> {
  try {
    const backup = read(backupStatusAnswer, await api.call('/api/v1/backup/status'));
    const state = !backup.available
      ? fail(
          'backups',
          backup.unavailable_reason ?? 'they are unavailable',
          'Mend that, then `ragwarden backup create`.',
        )
      : backup.rpo.met
        ? ok('backups', 'a verified point meets the objective')
        : warn('backups', backup.error ?? 'no verified point meets the objective', 'Run `ragwarden backup create`.');
    const kit = backup.warnings.find((warning) => warning.includes('recovery kit'));
    return [
      state,
      kit === undefined
        ? ok('recovery kit', 'somebody has confirmed that it is kept elsewhere')
        : warn(
            'recovery kit',
            kit,
            'Run `ragwarden backup kit`, keep the page elsewhere, then `ragwarden backup kit --confirm`.',
          ),
    ];
  } catch (err) {
    if (err instanceof ServerRefusal && ['feature/disabled', 'target/unknown'].includes(err.code))
      return [warn('backups', err.detail, 'Nothing is protected while that is so.')];
    throw err;
  }
}

function notReached(err: unknown): ServerFindings {
  if (isAppError(err) && err.code === 'server/unreachable')
    return { reached: false, findings: [ok('server', 'none is running, so only this machine was looked at')] };
  const detail = isAppError(err) || err instanceof ServerRefusal ? err.detail : describeError(err);
  return {
    reached: true,
    findings: [
      fail('server', detail, 'Check RAGWARDEN_URL and RAGWARDEN_TOKEN, or run this as the user who runs ragwarden.'),
    ],
  };
}

async function checkPort(config: Config): Promise<Finding> {
  const { host, port } = config.server;
  if (port === 0) return ok('port', 'any free one');
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, resolve);
    });
    return ok('port', `${port} on ${host} is free`);
  } catch (err) {
    const code = systemCode(err);
    return fail(
      'port',
      code === 'EADDRINUSE'
        ? `${port} on ${host} is taken`
        : `${port} on ${host} cannot be used (${code ?? 'unknown error'})`,
      'Stop what holds it, or set RAGWARDEN_PORT to another.',
    );
  } finally {
    server.close();
  }
}

async function checkTarget({ target }: Config, signal: AbortSignal): Promise<Finding[]> {
  if (!target)
    return [
      warn(
        'target',
        'none is configured; `ragwarden up` brings the sample',
        'Set RAGWARDEN_TARGET_URL and WORKING_DIR.',
      ),
    ];
  const client = createHttpClient();
  try {
    const { status } = await client.request({
      url: `${target.url.replace(/\/+$/, '')}/health`,
      timeoutMs: 10_000,
      maxBytes: 4 * 1024 * 1024,
      signal,
    });
    return [
      status < 500
        ? ok(`target ${target.id}`, `${target.url} answers (HTTP ${status})`)
        : warn(`target ${target.id}`, `${target.url} answers with HTTP ${status}`, 'Look into its log.'),
    ];
  } catch (err) {
    if (signal.aborted) throw err;
    return [fail(`target ${target.id}`, describeError(err), 'Start it, or check RAGWARDEN_TARGET_URL.')];
  } finally {
    await client.close();
  }
}
