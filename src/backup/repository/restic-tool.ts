import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ChildProcesses,
  type ChildResult,
  type ChildSpec,
  findProgram,
  systemSearchPath,
} from '../../platform/child-processes/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { AppError, isAppError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import { readPassword } from './keys.ts';
import type { LightKey } from './light-key.ts';
import type { RepositoryLocation } from './location.ts';
import { endAtMissingPack } from './missing-pack.ts';
import { endAtRefusal } from './refusing-store.ts';
import type { Call, ToolVersion } from './repository.ts';
import { resticFailure } from './restic-errors.ts';
import { parseVersion } from './restic-output.ts';
import { wordsOfSsh } from './ssh-words.ts';

export type ResticOptions = {
  readonly location: RepositoryLocation;
  /** 0600; restic reads it itself. */
  readonly passwordFile: string;
  /** Private to this repository; also holds restic's temporary files. Made when missing. */
  readonly cacheDir: string;
  /** Exactly what this repository needs besides: credentials of its store, PATH where ssh or rclone lie elsewhere. */
  readonly environment: Readonly<Record<string, string>>;
  readonly children: ChildProcesses;
  readonly log: Logger;
  readonly clock: Clock;
  /** What restic is started through, such as `nice -n 19`: it must become restic itself, as those do. */
  readonly through?: readonly string[];
  /** A path or a name on the search path; `restic` unless told. */
  readonly program?: string;
  /** Certificates that vouch for a store elsewhere, instead of those that the system trusts. */
  readonly caFile?: string | undefined;
  /** How long a store elsewhere may take to say whether a repository is there, and how long to move any byte at all. */
  readonly patience?: { readonly answerMs: number; readonly silenceMs: number };
};

export const ordinaryPatience = { answerMs: 60_000, silenceMs: 600_000 };

type Run = Call &
  Partial<Pick<ChildSpec, 'cwd' | 'input' | 'onStdoutLine' | 'onStderrLine' | 'written' | 'maxOutputBytes'>> & {
    /** Besides what every run gets: of another repository that is copied from. */
    readonly env?: Readonly<Record<string, string>>;
    /** How many times longer nothing may move, since it waits for another program; 0: for ever. */
    readonly waits?: number;
  };

export type ResticTool = {
  version(call?: Call): Promise<ToolVersion>;
  /** Runs restic whatever it answers; `args` begin with the command, `doing` is for errors: `storing files`. */
  run(doing: string, args: readonly string[], more?: Run): Promise<ChildResult>;
  /** Takes any exit code but 0 for a failure. */
  demand(doing: string, args: readonly string[], more?: Run): Promise<ChildResult>;
  /** What starts restic, for whoever joins it to another program by a pipe. */
  spec(doing: string, args: readonly string[], more?: Run): Promise<ChildSpec>;
  /** As `demand`, for an answer in JSON. */
  ask(doing: string, args: readonly string[], call: Call): Promise<unknown>;
};

const answerBytes = 256 * 1024 * 1024;

/**
 * Starts restic 0.14 or newer. The location goes through the environment (it may hold credentials), the password through a
 * file. It is ended by SIGINT: on SIGTERM 0.14 leaves its lock behind.
 */
export function createResticTool(options: ResticOptions, lightKey: LightKey): ResticTool {
  const { location, cacheDir, children, passwordFile } = options;
  const program = options.program ?? 'restic';
  const tempDir = join(cacheDir, 'tmp');
  const env: Record<string, string> = {
    PATH: systemSearchPath,
    ...options.environment,
    RESTIC_REPOSITORY: location.resticArgument,
    RESTIC_CACHE_DIR: cacheDir,
    RESTIC_PROGRESS_FPS: '4',
    TMPDIR: tempDir,
  };
  const searchPath = env.PATH ?? systemSearchPath;
  const { silenceMs } = options.patience ?? ordinaryPatience;
  let known: ToolVersion | undefined;

  const version = async ({ signal, operationId }: Call = {}): Promise<ToolVersion> => {
    if (known) return known;
    const result = await children
      .run({ program, args: ['version'], env, purpose: 'restic version', signal, operationId })
      .catch((err: unknown) => {
        if (isAppError(err) && err.code === 'child/missing-program')
          throw missingTool('restic is not installed', searchPath, err);
        throw err;
      });
    const found = parseVersion(result.stdout);
    if (!found) throw missingTool(`${program} does not say that it is restic`, searchPath);
    if (!found.supported) throw missingTool(`restic ${found.text} is too old, 0.14 or newer is needed`, searchPath);
    known = { name: 'restic', version: found.text };
    return known;
  };

  const spec: ResticTool['spec'] = async (
    doing,
    args,
    { signal, operationId, env: more = {}, waits = 1, ...rest } = {},
  ) => {
    await version({ signal, operationId });
    const hint = await lightKey.hint(await readPassword(passwordFile));
    await mkdir(tempDir, { recursive: true, mode: 0o700 });
    const trust = options.caFile === undefined ? [] : ['--cacert', options.caFile];
    const [first = program, ...words] = [
      ...(options.through ?? []),
      ...[program, '--password-file', passwordFile, ...trust, ...args],
    ];
    const elsewhere =
      location.kind === 'folder'
        ? {}
        : {
            ...endAtRefusal({ doing, location, signal, onStderrLine: rest.onStderrLine }),
            ...(waits === 0
              ? {}
              : { silence: { limitMs: silenceMs * waits, reason: () => silent(location, silenceMs * waits) } }),
          };
    return {
      program: first,
      args: words,
      // What is ours wins: two stores of one kind cannot have different credentials.
      env: { ...more, ...env, ...(hint === undefined ? {} : { RESTIC_KEY_HINT: hint }) },
      purpose: doing,
      stopSignal: 'SIGINT',
      signal,
      operationId,
      ...rest,
      ...elsewhere,
    };
  };

  const run: ResticTool['run'] = async (doing, args, more = {}) => {
    const { signal, onStderrLine } = more;
    // What is missing is a finding of a check, and nothing that a backup cannot store anew.
    const reads = ['restore', 'dump', 'ls'].includes(args.find((word) => !word.startsWith('-')) ?? '');
    const watched = reads ? { ...more, ...endAtMissingPack({ doing, location, signal, onStderrLine }) } : more;
    const result = await children.run(await spec(doing, args, watched)).catch((err: unknown) => {
      if (!isAppError(err) || err.code !== 'child/missing-program') throw err;
      // It was there before; the next call looks again.
      known = undefined;
      throw missingTool('restic is not installed any more', searchPath, err);
    });
    const ofSsh = await wordsOfSsh(children, location, result, { signal, operationId: more.operationId, env });
    return { ...result, stderr: ofSsh + withoutSignatures(result.stderr) };
  };

  const demand: ResticTool['demand'] = async (doing, args, more = {}) => {
    const result = await run(doing, args, more);
    if (result.exitCode !== 0) throw resticFailure(result, doing, location);
    return result;
  };

  return {
    version,
    spec,
    run,
    demand,
    async ask(doing, args, { signal, operationId }) {
      const result = await demand(doing, args, { signal, operationId, maxOutputBytes: answerBytes });
      try {
        return JSON.parse(result.stdout);
      } catch (cause) {
        throw new AppError(
          'repository/failed',
          `The answer of restic cannot be read (${doing}, ${location.display}).`,
          {
            cause,
          },
        );
      }
    },
  };
}

const silent = ({ display }: RepositoryLocation, silenceMs: number): AppError =>
  new AppError(
    'repository/unreachable',
    `${display} took the connection and then nothing came or went for ${Math.round(silenceMs / 1_000)} s. Check that server, and the network between.`,
  );

/** Some stores are asked with a signature in the address, which restic shows when that fails. */
const withoutSignatures = (stderr: string): string =>
  stderr.replace(/([?&](?:sig|X-Amz-(?:Signature|Security-Token|Credential))=)[^&"\s]+/gi, '$1***');

const installCommands = [
  ['apt-get', 'apt-get install restic'],
  ['dnf', 'dnf install restic'],
  ['apk', 'apk add restic'],
  ['pacman', 'pacman -S restic'],
  ['zypper', 'zypper install restic'],
  ['brew', 'brew install restic'],
] as const;

function missingTool(what: string, searchPath: string, cause?: unknown): AppError {
  const command = installCommands.find(([name]) => findProgram(name, `${searchPath}:${systemSearchPath}`))?.[1];
  const mend = command ? `Install it with \`${command}\`` : 'Install restic 0.14 or newer';
  return new AppError('child/missing-program', `${what}. ${mend} and try again.`, { cause });
}
