import { resolve } from 'node:path';
import { z } from 'zod';
import type { Problem } from './settings-file.ts';

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable');

/** How a server of somebody else is reached. Secrets are named, never written: a variable, or a file. */
export const storeEndpoint = {
  url: z.url({ protocol: /^https?$/ }).regex(/^[hH][tT][tT][pP][sS]?:\/\//),
  bearer_token_env: variable.optional(),
  bearer_token_file: z.string().min(1).optional(),
  username: z.string().min(1).optional(),
  password_env: variable.optional(),
  password_file: z.string().min(1).optional(),
  headers: z.record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string().regex(/^[\x20-\x7e]*$/)).optional(),
  timeout_seconds: z.number().min(1).max(300).optional(),
};
type GivenEndpoint = z.infer<z.ZodObject<typeof storeEndpoint>>;

/** A file is read whenever it is needed, so that it may be renewed. */
type EndpointSecret = { readonly value: string } | { readonly file: string };

/** Where a server answers, and who we are there. Holds secrets. */
export type StoreEndpoint = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly auth:
    | { readonly kind: 'none' }
    | { readonly kind: 'bearer'; readonly token: EndpointSecret }
    | { readonly kind: 'basic'; readonly username: string; readonly password: EndpointSecret };
  readonly timeoutMs: number;
};

export type EndpointReading = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly problems: Problem[];
};

/** @param place how the file names it */
export function buildStoreEndpoint(given: GivenEndpoint, place: string, reading: EndpointReading): StoreEndpoint {
  const { env, cwd, problems } = reading;
  const complain = (message: string, mend: string): void => {
    problems.push({ place, message, mend });
  };
  const secretOf = (what: 'bearer_token' | 'password'): EndpointSecret | undefined => {
    const [name, file] = [given[`${what}_env`], given[`${what}_file`]];
    if (name !== undefined && file !== undefined)
      complain(`${what} is named twice, as a variable and as a file`, 'Name it once.');
    if (file !== undefined) return { file: resolve(cwd, file) };
    if (name === undefined) return undefined;
    const value = env[name];
    if (value === undefined || value === '') complain(`names the variable ${name}, which is not set`, `Set ${name}.`);
    return { value: value ?? '' };
  };
  const token = secretOf('bearer_token');
  const password = secretOf('password');
  const url = new URL(given.url);
  if (url.username !== '' || url.password !== '')
    complain('the URL carries credentials', 'Name them in username and password_env, or in bearer_token_env.');
  if (token && (password ?? given.username) !== undefined)
    complain('has a bearer token and a user name or password', 'Use one of them.');
  if ((password === undefined) !== (given.username === undefined))
    complain('has a user name or a password without the other', 'Name both.');
  if (Object.keys(given.headers ?? {}).some((name) => name.toLowerCase() === 'authorization'))
    complain('the header Authorization holds a secret', 'Name it in bearer_token_env or bearer_token_file.');
  return {
    url: given.url,
    headers: given.headers ?? {},
    auth: token
      ? { kind: 'bearer', token }
      : password && given.username !== undefined
        ? { kind: 'basic', username: given.username, password }
        : { kind: 'none' },
    timeoutMs: (given.timeout_seconds ?? 30) * 1_000,
  };
}
