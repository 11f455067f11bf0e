import { resolve } from 'node:path';
import { z } from 'zod';
import type { Problem } from './settings-file.ts';

/** What the tool reads for each kind of store elsewhere; nothing else reaches it. */
export const storeCredentialNames = {
  s3: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_DEFAULT_REGION'],
  azure: ['AZURE_ACCOUNT_NAME', 'AZURE_ACCOUNT_KEY', 'AZURE_ACCOUNT_SAS'],
  gs: ['GOOGLE_PROJECT_ID', 'GOOGLE_ACCESS_TOKEN'],
  rest: ['RESTIC_REST_USERNAME', 'RESTIC_REST_PASSWORD'],
} as const;
/** From file or environment only: one names a file of this machine, the other another host than the kind of store promises. */
export const storeCredentialsOfFile = {
  azure: ['AZURE_ENDPOINT_SUFFIX'],
  gs: ['GOOGLE_APPLICATION_CREDENTIALS'],
} as const;
/** Of this one the store's tools want the file itself, not what is in it. */
export const isCredentialFile = (name: string): boolean => name === 'GOOGLE_APPLICATION_CREDENTIALS';

export const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable');
export const namedSecret = z
  .strictObject({ value_env: variableName.optional(), value_file: z.string().min(1).optional() })
  .refine((one) => (one.value_env === undefined) !== (one.value_file === undefined), 'needs value_env or value_file');
/** By the name of the variable that the tool reads. */
export const namedCredentials = z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), namedSecret);

/** A file is read whenever it is needed, so that it may be renewed. */
export type StoreSecret = { readonly value: string } | { readonly file: string };
export type StoreCredentials = Readonly<Record<string, StoreSecret>>;

type Around = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly problems: Problem[];
};

/** One secret that the file names; a problem where it names it twice, or a variable that is not set. */
export function findNamedSecret(
  place: string,
  { name, file }: { readonly name: string | undefined; readonly file: string | undefined },
  { env, cwd, problems }: Around,
): StoreSecret | undefined {
  if (name !== undefined && file !== undefined)
    problems.push({ place, message: 'names one secret twice', mend: 'Name a variable or a file.' });
  if (file !== undefined) return { file: resolve(cwd, file) };
  if (name === undefined) return undefined;
  const value = env[name] ?? '';
  if (value === '')
    problems.push({ place, message: `names the variable ${name}, which is not set`, mend: `Set ${name}.` });
  return { value };
}

export function findNamedCredentials(
  place: string,
  given: z.infer<typeof namedCredentials>,
  around: Around,
): StoreCredentials {
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, one]) => {
      const secret = findNamedSecret(place, { name: one.value_env, file: one.value_file }, around);
      return secret ? [[name, secret]] : [];
    }),
  );
}
