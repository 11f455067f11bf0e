import { readFile } from 'node:fs/promises';
import { type LocationOrigin, parseRepositoryLocation, type ResticOptions } from '../backup/index.ts';
import {
  type Config,
  isCredentialFile,
  type StoreSecret,
  storeCredentialNames,
  storeCredentialsOfFile,
} from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import { environmentOf, placeWithCredentials, type Replica } from '../replication/index.ts';

/**
 * A secret of a store as it is now, by the name that the store's tools know it by.
 * @throws AppError `outgoing/failed` when its file cannot be read
 */
export async function readStoreSecret(secret: StoreSecret, name: string): Promise<string> {
  if ('value' in secret) return secret.value;
  if (isCredentialFile(name)) return secret.file;
  const text = await readFile(secret.file, 'utf8').catch((cause: unknown) => {
    throw new AppError('outgoing/failed', `The secret in ${secret.file} cannot be read.`, { cause });
  });
  return text.trim();
}

const namesOf: Readonly<Partial<Record<string, readonly string[]>>> = {
  ...storeCredentialNames,
  azure: [...storeCredentialNames.azure, ...storeCredentialsOfFile.azure],
  gs: [...storeCredentialNames.gs, ...storeCredentialsOfFile.gs],
};

/** Names of the variables that the repository needs besides its password, for whoever opens it elsewhere. */
export const repositoryVariables = (config: Config): string[] => {
  const { kind } = parseRepositoryLocation(config.backup.location, 'environment');
  return (namesOf[kind] ?? []).filter((name) => config.backup.credentials[name] !== undefined);
};

/** What the tool gets to open a store. What is on this machine, or reached by ssh, goes through no proxy. */
export const storeEnvironment = (
  kind: Exclude<Replica['kind'], 'ragwarden'>,
  credentials: Readonly<Record<string, string>>,
  { storeProxy }: Pick<Config, 'storeProxy'>,
): Readonly<Record<string, string>> => ({
  ...(kind === 'folder' || kind === 'sftp' ? {} : storeProxy),
  ...environmentOf(kind, credentials),
});

/**
 * How the repository of the settings is opened, or another one with the same credentials.
 * @throws AppError `repository/invalid-location`, `outgoing/failed` when a secret cannot be read
 */
export async function repositoryOptions(
  config: Config,
  place = config.backup.location,
  origin: LocationOrigin = 'environment',
): Promise<Pick<ResticOptions, 'location' | 'environment' | 'caFile'>> {
  const { backup } = config;
  const { kind } = parseRepositoryLocation(place, origin);
  const credentials: Record<string, string> = {};
  for (const name of namesOf[kind] ?? []) {
    const secret = backup.credentials[name];
    if (secret !== undefined) credentials[name] = await readStoreSecret(secret, name);
  }
  return {
    location: parseRepositoryLocation(placeWithCredentials(kind, place, credentials), origin),
    environment: storeEnvironment(kind, credentials, config),
    caFile: backup.caFile,
  };
}
