import { mkdir, readdir, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isAppError } from '../../platform/errors.ts';
import { createGate, type Gate } from './gate.ts';
import { readPassword } from './keys.ts';
import { createLightKey } from './light-key.ts';
import { type RepositoryLocation, withoutCredentials } from './location.ts';
import { endAtMissingPack } from './missing-pack.ts';
import type { Call, CheckRequest, CheckResult, OpenResult, Repository, RestoreRequest } from './repository.ts';
import { absolutePath, dataSubset, exactPattern, plainTag, snapshotId } from './restic-arguments.ts';
import { backUp } from './restic-backup.ts';
import {
  copySnapshots,
  type Inside,
  initArguments,
  insideOf,
  mendIndex,
  requireOneSetOfKeys,
  usersOfPacks,
} from './restic-copy.ts';
import { resticFailure } from './restic-errors.ts';
import { listSnapshot } from './restic-listing.ts';
import {
  configJson,
  parseFindings,
  parseFreedBytes,
  parseSnapshots,
  parseStatusLine,
  statsJson,
} from './restic-output.ts';
import { pipeFile, storeStream } from './restic-stream.ts';
import { createResticTool, ordinaryPatience, type ResticOptions, type ResticTool } from './restic-tool.ts';
import { createLockKeeper, type LockKeeper } from './restic-unlock.ts';

export type { ResticOptions } from './restic-tool.ts';

/** What another repository needs to know of one that it copies from. Its password and credentials stay in here. */
const insides = new WeakMap<Repository, Inside>();

const readLimitBytes = 16 * 1024 * 1024;

/**
 * A repository kept by restic 0.14 or newer. What only reads takes no lock, so that it works beside a check, on a full disk
 * and on a store that may only be read.
 */
export function createResticRepository(options: ResticOptions): Repository {
  const { location } = options;
  const lightKey = createLightKey(options);
  const tool = createResticTool(options, lightKey);
  const keeper = createLockKeeper(tool, options);
  const gate = createGate();
  const { answerMs } = options.patience ?? ordinaryPatience;
  /** For what removes or rewrites, which restic wants to be alone. */
  const alone = <T>(call: Call, work: () => Promise<T>): Promise<T> =>
    gate.exclusive(call.signal, () => keeper.unlessLocked(call, work));
  let opened: { readonly as: string; readonly result: OpenResult } | undefined;

  const open: Repository['open'] = async (call = {}) => {
    const as = await openedAs(options);
    if (as !== undefined && opened?.as === as) return opened.result;
    opened = undefined;
    const result = await look(call);
    if (as !== undefined && result.state === 'ok') opened = { as, result };
    return result;
  };

  const look: Repository['open'] = async (call = {}) => {
    const late = new AbortController();
    const ended = new AbortController();
    // A folder of the network may wait too, but says nothing else afterwards either.
    if (location.kind !== 'folder')
      options.clock.sleep(answerMs, ended.signal).then(
        () => late.abort(noAnswer(location, answerMs)),
        () => undefined,
      );
    const signal = call.signal ? AbortSignal.any([call.signal, late.signal]) : late.signal;
    try {
      const args = ['cat', 'config', '--no-lock'];
      const config = configJson.parse(await tool.ask('opening the repository', args, { ...call, signal }));
      return { state: 'ok', id: config.id, formatVersion: config.version };
    } catch (err) {
      if (isAppError(err) && err.code === 'repository/missing') return { state: 'missing' };
      if (isAppError(err) && err.code === 'repository/wrong-password') return { state: 'wrong-password' };
      throw err;
    } finally {
      ended.abort();
    }
  };

  const repository: Repository = {
    location: { kind: location.kind, display: location.display },
    version: () => tool.version(),
    open,
    locks: keeper.locks,
    removeOwnStaleLocks: keeper.removeOwnStaleLocks,
    unlock: keeper.unlock,

    async init({ signal, operationId, like } = {}) {
      if (location.kind === 'folder') {
        await mkdir(location.resticArgument, { recursive: true, mode: 0o700 });
        await clearHalfMade(location.resticArgument);
      }
      const from = like && insideOf(insides, like);
      const args = ['init', '--repository-version', '2', ...(from ? initArguments(from, options) : [])];
      if (from) requireOneSetOfKeys(options, from);
      await tool.demand('making the repository', args, {
        signal,
        operationId,
        ...(from ? { env: await from.asSource() } : {}),
      });
      await lightKey.ensure();
      const made = await open({ signal, operationId });
      if (made.state !== 'ok')
        throw new AppError(
          'repository/failed',
          `The new repository ${location.display} does not open (${made.state}).`,
        );
      return { id: made.id, formatVersion: made.formatVersion };
    },

    backup: async (request) => {
      await lightKey.ensure();
      return gate
        .shared(request.signal, () => keeper.unlessLocked(request, () => backUp(tool, options, request)))
        .catch(async (err: unknown) => {
          // restic that is interrupted in the first fifth of a second leaves the lock it has just made.
          if (request.signal?.aborted) await keeper.removeOwnStaleLocks().catch(() => undefined);
          throw err;
        });
    },

    storeStream: async (request) => {
      await lightKey.ensure();
      return gate
        .shared(request.signal, () => keeper.unlessLocked(request, () => storeStream(tool, options, request)))
        .catch(async (err: unknown) => {
          // As after an interrupted backup: the lock that restic has just made.
          await keeper.removeOwnStaleLocks().catch(() => undefined);
          throw err;
        });
    },

    pipeFile: (request) => gate.shared(request.signal, () => pipeFile(tool, options, request)),

    async snapshots({ tags = [], signal, operationId } = {}) {
      const filter = tags.length === 0 ? [] : [`--tag=${tags.map(plainTag).join(',')}`];
      const args = ['snapshots', '--json', '--no-lock', ...filter];
      return parseSnapshots(await tool.ask('listing snapshots', args, { signal, operationId }));
    },

    async readFile({ snapshotId: id, path, maxBytes = readLimitBytes, signal, operationId }) {
      const doing = 'reading a file of a snapshot';
      const args = ['dump', '--no-lock', '--', snapshotId(id), absolutePath(path)];
      const result = await tool.run(doing, args, { signal, operationId, maxOutputBytes: maxBytes });
      if (result.stdoutTruncated)
        throw new AppError('request/too-large', `${path} of snapshot ${id} is larger than ${maxBytes} bytes.`);
      if (result.exitCode === 0) return result.stdoutBytes;
      if (/cannot dump file: path .* not found in snapshot/s.test(result.stderr)) return undefined;
      throw resticFailure(result, doing, location);
    },

    list: async ({ snapshotId: id, signal, operationId }) =>
      (await listSnapshot(tool, options, snapshotId(id), { signal, operationId })).entries,

    restore: (request) =>
      gate.shared(request.signal, () => keeper.unlessLocked(request, () => restore(tool, options, request))),
    check: (request) => check(tool, options, { gate, keeper }, request),

    tag: ({ snapshotId: id, add, remove, signal, operationId }) =>
      alone({ signal, operationId }, async () => {
        const changes = [
          ...add.map((tag) => `--add=${plainTag(tag)}`),
          ...remove.map((tag) => `--remove=${plainTag(tag)}`),
        ];
        if (changes.length === 0) return true;
        const args = ['tag', ...changes, '--', snapshotId(id)];
        const { stderr } = await tool.demand('tagging a snapshot', args, { signal, operationId });
        return !/^Ignoring /m.test(stderr);
      }),

    forget: ({ snapshotIds, signal, operationId }) =>
      alone({ signal, operationId }, async () => {
        let forgotten = 0;
        const all = snapshotIds.map(snapshotId);
        for (let from = 0; from < all.length; from += 200) {
          const ids = all.slice(from, from + 200);
          const { stderr } = await tool.demand('forgetting snapshots', ['forget', '--', ...ids], {
            signal,
            operationId,
          });
          forgotten += ids.length - (stderr.match(/^Ignoring /gm)?.length ?? 0);
        }
        return { forgotten };
      }),

    prune: ({ withoutRepacking = false, signal, operationId } = {}) =>
      alone({ signal, operationId }, async () => {
        const args = ['prune', ...(withoutRepacking ? ['--max-repack-size=0'] : [])];
        const result = await tool.demand('freeing space', args, { signal, operationId });
        return { freedBytes: parseFreedBytes(result.stdout), durationMs: result.durationMs };
      }),

    copyFrom: (request) => {
      const from = insideOf(insides, request.from);
      requireOneSetOfKeys(options, from);
      // Neither side may be thinned out meanwhile by ourselves.
      return from.gate.shared(request.signal, () =>
        gate.shared(request.signal, () =>
          keeper
            .unlessLocked(request, () => copySnapshots(tool, options, from, request))
            .catch(async (err: unknown) => {
              await keeper.removeOwnStaleLocks().catch(() => undefined);
              await request.from.removeOwnStaleLocks().catch(() => undefined);
              throw err;
            }),
        ),
      );
    },
    usersOfPacks: (request) => usersOfPacks(tool, request),
    mendIndex: (request) => alone(request, () => mendIndex(tool, location, request)),

    async stats(call = {}) {
      const args = ['stats', '--json', '--mode=raw-data', '--no-lock'];
      const found = statsJson.parse(await tool.ask('measuring the repository', args, call));
      return { storedBytes: found.total_size, blobs: found.total_blob_count, snapshots: found.snapshots_count };
    },
  };
  insides.set(repository, {
    location,
    passwordFile: options.passwordFile,
    environment: options.environment,
    caFile: options.caFile,
    gate,
    async asSource() {
      const hint = await lightKey.hint(await readPassword(options.passwordFile));
      return {
        ...options.environment,
        RESTIC_FROM_REPOSITORY: location.resticArgument,
        ...(hint === undefined ? {} : { RESTIC_FROM_KEY_HINT: hint }),
      };
    },
  });
  return repository;
}

const noAnswer = ({ display }: RepositoryLocation, answerMs: number): AppError =>
  new AppError(
    'repository/unreachable',
    `${display} did not answer within ${Math.round(answerMs / 1_000)} s. Check that it runs, its address, and the network between.`,
  );

/**
 * The place and the password as they look from outside; undefined where that cannot be seen. While they are the same there is no
 * need to ask restic again which repository this is: a start of restic for each point and each plan.
 */
async function openedAs({ location, passwordFile }: ResticOptions): Promise<string | undefined> {
  if (location.kind !== 'folder') return undefined;
  const facts: unknown[] = [await readPassword(passwordFile)];
  for (const name of ['config', 'keys']) {
    const seen = await stat(join(location.resticArgument, name)).catch(() => undefined);
    if (!seen) return undefined;
    facts.push(seen.dev, seen.ino, seen.size, seen.mtimeMs, seen.ctimeMs);
  }
  return JSON.stringify(facts);
}

async function restore(tool: ResticTool, { location, log }: ResticOptions, request: RestoreRequest): Promise<void> {
  const { signal, operationId, onProgress } = request;
  await mkdir(absolutePath(request.target), { recursive: true, mode: 0o700 });
  const args = [
    'restore',
    '--json',
    `--target=${request.target}`,
    ...(request.verify ? ['--verify'] : []),
    ...(request.include ?? []).map((path) => `--include=${exactPattern(absolutePath(path))}`),
    '--',
    snapshotId(request.snapshotId),
  ];
  const onStdoutLine = (line: string): void => {
    const progress = onProgress && parseStatusLine(line);
    if (progress) onProgress?.(progress);
  };
  const attempt = (more: readonly string[]) =>
    tool.demand('restoring files', [...more, ...args], { signal, operationId, onStdoutLine });
  try {
    await attempt([]);
  } catch (err) {
    if (!isAppError(err) || err.code === 'repository/locked' || !/lock in backend/.test(String(err.context.stderr)))
      throw err;
    // A store that is full or may only be read cannot take the lock; what it holds can be read all the same.
    log.warn({ repository: location.display }, 'the repository takes no lock: restoring without one');
    await attempt(['--no-lock']);
  }
}

const abandonedMs = 86_400_000;
const notReadToItsEnd =
  'a pack is missing, so the rest was not read to its end: restic would look for that pack for most of a minute. Mend it, then check again';

async function check(
  tool: ResticTool,
  { location, cacheDir, clock }: ResticOptions,
  { gate, keeper }: { readonly gate: Gate; readonly keeper: LockKeeper },
  request: CheckRequest,
): Promise<CheckResult> {
  const { readData, signal, operationId } = request;
  const subset = readData === 'subset' ? dataSubset(request.subset) : undefined;
  // A killed check leaves its private cache behind; a younger one may belong to a check that runs.
  for (const name of await readdir(cacheDir).catch((): string[] => [])) {
    const path = join(cacheDir, name);
    const seen = name.startsWith('restic-check-cache-') ? await stat(path).catch(() => undefined) : undefined;
    if (seen && clock.now() - seen.mtimeMs > abandonedMs) await rm(path, { recursive: true, force: true });
  }
  const data = subset === undefined ? (readData === 'all' ? ['--read-data'] : []) : [`--read-data-subset=${subset}`];
  const cache = location.kind === 'folder' ? ['--no-cache'] : [];
  const doing = 'checking the repository';
  const attempt = async (more: readonly string[]): Promise<CheckResult> => {
    const beganMs = clock.monotonic();
    const lines: string[] = [];
    const watched = endAtMissingPack({ doing, location, signal, onStderrLine: (line) => lines.push(line) });
    const args = ['check', ...more, ...cache, ...data];
    const result = await tool.run(doing, args, { ...watched, operationId }).catch((err: unknown) => {
      if (!isAppError(err) || err.code !== 'repository/damaged') throw err;
      return err;
    });
    if (result instanceof AppError) {
      // What the index names and is not there was told before; only what is damaged inside may be more.
      const findings = parseFindings(withoutCredentials(lines.join('\n'), location));
      return {
        ok: false,
        findings: [...(findings.length > 0 ? findings : [result.detail]), notReadToItsEnd],
        durationMs: Math.round(clock.monotonic() - beganMs),
      };
    }
    if (result.exitCode === 0) return { ok: true, findings: [], durationMs: result.durationMs };
    const failure = resticFailure(result, doing, location);
    // A lock or a wrong password is a check that did not take place.
    if (failure.code !== 'repository/damaged') throw failure;
    const findings = parseFindings(withoutCredentials(`${result.stdout}\n${result.stderr}`, location));
    return { ok: false, findings: findings.length > 0 ? findings : [failure.detail], durationMs: result.durationMs };
  };
  // The lock costs restic a fifth of a second, and stops every backup of others meanwhile. Without it a check may meet what
  // another run is just writing or removing: what is sound then is sound, what is not is looked at again with the lock.
  const first = await gate.shared(signal, () => attempt(['--no-lock'])).catch(() => signal?.throwIfAborted());
  if (first?.ok) return first;
  try {
    return await gate.exclusive(signal, () => keeper.unlessLocked(request, () => attempt([])));
  } catch (err) {
    // Damage must not stay untold behind a lock that nobody removes.
    if (!first || !isAppError(err) || err.code !== 'repository/locked') throw err;
    return { ...first, findings: [...first.findings, `seen while the repository was locked: ${err.detail}`] };
  }
}

/** An init that was killed leaves a key without a config. A second one would add a key that does not fit the first, and nothing would open. */
async function clearHalfMade(folder: RepositoryLocation['resticArgument']): Promise<void> {
  const names: string[] = await readdir(folder);
  if (!names.includes('keys') || names.includes('config')) return;
  for (const name of ['data', 'index', 'snapshots'].filter((one) => names.includes(one))) {
    const entries = await readdir(join(folder, name), { recursive: true, withFileTypes: true });
    // Its keys may be all that can save it.
    if (entries.some((entry) => !entry.isDirectory()))
      throw new AppError(
        'repository/damaged',
        `The repository ${folder} holds data but its config file is missing. Put that file back from a copy.`,
      );
  }
  for (const key of await readdir(join(folder, 'keys'))) await unlink(join(folder, 'keys', key));
}
