import { constants } from 'node:fs';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createResticRepository, parseRepositoryLocation, type ResticOptions } from '../backup/index.ts';
import type { StoreLook } from '../cli/index.ts';
import type { Config, ReplicaConfig } from '../config/index.ts';
import { createChildProcesses, findProgram, systemSearchPath } from '../platform/child-processes/index.ts';
import { systemClock } from '../platform/clock.ts';
import { describeError, isAppError } from '../platform/errors.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { createRagwardenPlace, placeWithCredentials } from '../replication/index.ts';
import { readStoreSecret, repositoryOptions, storeEnvironment } from './repository-options.ts';

/** For one store, of which restic then says what it waited for. */
const answerMs = 8_000;
/** For whatever heeds that not, such as a dead share or another ragwarden. Less than whoever asks waits for all of them. */
const lookMs = 10_000;

type Found = Pick<StoreLook, 'state' | 'detail'>;

/**
 * Looks at each store elsewhere that the settings name: whether it answers, takes the key, and holds a repository that the password
 * opens. Only reads; what restic keeps for itself meanwhile lies in a temporary folder. One that does not answer hides no other.
 */
export async function lookAtStores(
  config: Config,
  asked: AbortSignal,
  limitMs = lookMs,
): Promise<readonly StoreLook[]> {
  const late = new AbortController();
  const signal = AbortSignal.any([asked, late.signal]);
  const givenUp = new Promise<void>((resolve) => late.signal.addEventListener('abort', () => resolve()));
  const scratch = await mkdtemp(join(tmpdir(), 'ragwarden-stores-'));
  const children = createChildProcesses({
    ...{ log: silentLogger, clock: systemClock, recordDir: join(scratch, 'children') },
  });
  const http = createHttpClient();
  const open = (options: Pick<ResticOptions, 'location' | 'environment' | 'caFile'>, passwordFile: string) =>
    createResticRepository({
      ...{ ...options, passwordFile, cacheDir: join(scratch, 'cache'), children, log: silentLogger },
      ...{ clock: systemClock, patience: { answerMs, silenceMs: answerMs } },
    });
  const lookInto = async (...[options, passwordFile]: Parameters<typeof open>): Promise<Found> => {
    const { kind, resticArgument } = options.location;
    const program = kind === 'sftp' ? 'ssh' : kind === 'rclone' ? 'rclone' : undefined;
    if (program && !findProgram(program, systemSearchPath)) return { state: 'no-program', detail: program };
    if (!(await isThere(passwordFile))) return { state: 'no-password', detail: passwordFile };
    if (kind === 'folder' && !(await isWritable(resticArgument)))
      return { state: 'read-only', detail: 'nothing can be written there' };
    const repository = open(options, passwordFile);
    const { version } = await repository.version();
    if (options.environment.AZURE_ENDPOINT_SUFFIX !== undefined && /^0\.1[0-5](\.|$)/.test(version))
      return { state: 'old-program', detail: `restic ${version} passes over AZURE_ENDPOINT_SUFFIX` };
    return { state: (await repository.open({ signal })).state, detail: '' };
  };
  const ofTarget = async (target: ReplicaConfig): Promise<Found> => {
    const secrets = { ...target.credentials, ...(target.apiKey ? { API_KEY: target.apiKey } : {}) };
    const credentials = Object.fromEntries(
      await Promise.all(
        Object.entries(secrets).map(async ([name, one]) => [name, await readStoreSecret(one, name)] as const),
      ),
    );
    if ('baseUrl' in target.place) {
      const source = open(await repositoryOptions(config), config.backup.passwordFile);
      const place = createRagwardenPlace({
        ...{ baseUrl: target.place.baseUrl, apiKey: credentials.API_KEY ?? '', http, source, children },
        ...{ spool: join(scratch, 'spool'), random: systemRandom, clock: systemClock, repositoryAt: () => source },
      });
      await place.look(null, { signal });
      return { state: 'ok', detail: '' };
    }
    const { kind } = parseRepositoryLocation(target.place.location, 'file');
    const options = {
      location: parseRepositoryLocation(placeWithCredentials(kind, target.place.location, credentials), 'file'),
      environment: storeEnvironment(kind, credentials, config),
      caFile: target.caFile ?? config.replication.caFile,
    };
    return lookInto(options, target.passwordFile ?? config.backup.passwordFile);
  };
  const look = async (named: Omit<StoreLook, keyof Found>, work: () => Promise<Found>): Promise<StoreLook> => {
    const tooLate = {
      ...{ ...named, state: 'outgoing/timeout' },
      detail: `${named.place} did not answer within ${limitMs / 1_000} s. Check that it runs, its address, and the network between.`,
    };
    const looked = work().then(
      (found) => ({ ...named, ...found }),
      (err: unknown) => {
        asked.throwIfAborted();
        if (late.signal.aborted) return tooLate;
        const told = isAppError(err)
          ? { state: err.code, detail: err.detail }
          : { state: 'failed', detail: describeError(err) };
        return { ...named, ...told };
      },
    );
    return Promise.race([looked, givenUp.then(() => tooLate)]);
  };
  const timer = setTimeout(() => late.abort(), limitMs);
  try {
    const own = parseRepositoryLocation(config.backup.location, 'environment');
    const targets = config.replication.enabled ? config.replication.targets.filter(({ enabled }) => enabled) : [];
    return await Promise.all([
      ...(own.kind === 'folder'
        ? []
        : [
            look({ id: null, place: own.display, offline: false }, async () =>
              lookInto(await repositoryOptions(config), config.backup.passwordFile),
            ),
          ]),
      ...targets.map((target) =>
        look({ id: target.id, place: placeOf(target), offline: target.offline }, () => ofTarget(target)),
      ),
    ]);
  } finally {
    clearTimeout(timer);
    await Promise.all([children.stop(), http.close()]);
    await rm(scratch, { recursive: true, force: true });
  }
}

const placeOf = ({ place }: ReplicaConfig): string =>
  'baseUrl' in place ? place.baseUrl : parseRepositoryLocation(place.location, 'file').display;

const isThere = (path: string): Promise<boolean> =>
  access(path, constants.R_OK).then(
    () => true,
    () => false,
  );

/** Of one that is not there yet: whether it can be made. */
async function isWritable(folder: string): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    const found = await access(path, constants.W_OK).then(
      () => true,
      (err: NodeJS.ErrnoException) => (err.code === 'ENOENT' && path !== dirname(path) ? undefined : false),
    );
    if (found !== undefined) return found;
  }
}
