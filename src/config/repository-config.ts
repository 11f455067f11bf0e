import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import type { Origins } from './read-config.ts';
import type { SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';
import {
  findNamedCredentials,
  namedCredentials,
  type StoreCredentials,
  type StoreSecret,
  storeCredentialNames,
  storeCredentialsOfFile,
} from './store-credentials.ts';

export const backupStructure = z.strictObject({
  /** Of the store of the repository, where that is elsewhere. */
  credentials: namedCredentials.optional(),
});

/** Where recovery points are stored. */
export type RepositoryConfig = {
  /** An absolute folder, or a store elsewhere as restic writes it. Holds no secret. */
  readonly location: string;
  readonly passwordFile: string;
  /** Certificates that vouch for a store elsewhere, instead of those that the system trusts. */
  readonly caFile: string | undefined;
  readonly credentials: StoreCredentials;
};

/** Of one of these a location is taken apart when it is opened; `rclone:` starts a program and is for replicas of the file. */
const elsewhere = /^(s3|azure|gs|rest|sftp):./;
/** All that any of these stores reads: which of it is used is known when its kind is. */
const credentialNames: readonly string[] = [
  ...Object.values(storeCredentialNames).flat(),
  ...Object.values(storeCredentialsOfFile).flat(),
];

/** Credentials come from the file by name, else from the variables that the store's own tools read, or `<NAME>_FILE`. */
export function buildRepository(
  values: SettingValues,
  structure: z.infer<typeof backupStructure>,
  facts: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly cwd: string;
    readonly dataDir: string;
    readonly origins: Origins;
    readonly problems: Problem[];
  },
): RepositoryConfig {
  const { env, cwd, dataDir, problems } = facts;
  const { place } = facts.origins.backupLocation;
  const location = values.backupLocation ?? join(dataDir, 'repository');
  const isElsewhere = elsewhere.test(location);
  if (!isAbsolute(location) && !isElsewhere)
    problems.push({
      place,
      message: `the repository must be an absolute folder or a store elsewhere (s3:, azure:, gs:, rest:, sftp:), not "${withoutPassword(location)}"`,
      mend: 'Write the whole path, or such as s3:https://host/bucket/path.',
    });
  if (isElsewhere && withoutPassword(location) !== location)
    problems.push({
      place,
      message: 'the location of the repository holds a password',
      mend: 'Take it out, and set RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD.',
    });
  const given = structure.credentials ?? {};
  for (const name of Object.keys(given))
    if (!credentialNames.includes(name))
      problems.push({
        place: 'backup.credentials',
        message: `${name} is nothing that a store reads`,
        mend: `Name one of ${credentialNames.join(', ')}.`,
      });
  const fromEnvironment: StoreCredentials = Object.fromEntries(
    credentialNames.flatMap((name): [string, StoreSecret][] => {
      const [value, file] = [env[name] || undefined, env[`${name}_FILE`] || undefined];
      if (isElsewhere && value !== undefined && file !== undefined)
        problems.push({ place: name, message: `${name} and ${name}_FILE are both set`, mend: 'Unset one of them.' });
      if (file !== undefined) return [[name, { file: resolve(cwd, file) }]];
      return value === undefined ? [] : [[name, { value }]];
    }),
  );
  return {
    location,
    passwordFile:
      values.backupPasswordFile === undefined
        ? join(dataDir, 'repository-password')
        : resolve(cwd, values.backupPasswordFile),
    caFile: values.backupCaFile === undefined ? undefined : resolve(cwd, values.backupCaFile),
    credentials: { ...fromEnvironment, ...findNamedCredentials('backup.credentials', given, { env, cwd, problems }) },
  };
}

const withoutPassword = (location: string): string => location.replace(/(\/\/[^/@:]*):[^/@]*@/, '$1@');
