import { readFile } from 'node:fs/promises';
import { type LocationOrigin, parseRepositoryLocation, type ResticOptions } from '../backup/index.ts';
import { type Config, type StoreSecret, storeCredentialFiles, storeCredentialNames } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import { environmentOf, placeWithCredentials } from '../replication/index.ts';

/** The secret of a store, as it is now. @throws AppError `outgoing/failed` when its file cannot be read */
export async function readStoreSecret(secret: StoreSecret): Promise<string> {
  if ('value' in secret) return secret.value;
  const text = await readFile(secret.file, 'utf8').catch((cause: unknown) => {
    throw new AppError('outgoing/failed', `The secret in ${secret.file} cannot be read.`, { cause });
  });
  return text.trim();
}

const namesOf: Readonly<Partial<Record<string, readonly string[]>>> = {
  ...storeCredentialNames,
  gs: [...storeCredentialNames.gs, ...storeCredentialFiles.gs],
};

/** Names of the variables that the repository needs besides its password, for whoever opens it elsewhere. */
export const repositoryVariables = (config: Config): string[] => {
  const { kind } = parseRepositoryLocation(config.backup.location, 'environment');
  return (namesOf[kind] ?? []).filter((name) => config.backup.credentials[name] !== undefined);
};

/**
 * How the repository of the settings is opened, or another one with the same credentials.
 * @throws AppError `repository/invalid-location`, `outgoing/failed` when a secret cannot be read
 */
export async function repositoryOptions(
  { backup }: Config,
  place = backup.location,
  origin: LocationOrigin = 'environment',
): Promise<Pick<ResticOptions, 'location' | 'environment' | 'caFile'>> {
  const { kind } = parseRepositoryLocation(place, origin);
  const credentials: Record<string, string> = {};
  for (const name of namesOf[kind] ?? []) {
    const secret = backup.credentials[name];
    if (secret === undefined) continue;
    // Of this one the store's tools want the file itself.
    const isFile = name === 'GOOGLE_APPLICATION_CREDENTIALS';
    credentials[name] = isFile && 'file' in secret ? secret.file : await readStoreSecret(secret);
  }
  return {
    location: parseRepositoryLocation(placeWithCredentials(kind, place, credentials), origin),
    environment: environmentOf(kind, credentials),
    caFile: backup.caFile,
  };
}
