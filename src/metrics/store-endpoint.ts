import { readFile } from 'node:fs/promises';
import { AppError } from '../platform/errors.ts';

/** Where a Prometheus-compatible store answers, and who we are there. */
export type StoreEndpoint = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly auth:
    | { readonly kind: 'none' }
    | { readonly kind: 'bearer'; readonly token: EndpointSecret }
    | { readonly kind: 'basic'; readonly username: string; readonly password: EndpointSecret };
  readonly timeoutMs: number;
};
/** A file is read at each use, so that it may be renewed. */
type EndpointSecret = { readonly value: string } | { readonly file: string };

/** @throws AppError `outgoing/failed` when the file of a secret cannot be read */
export async function endpointHeaders({ headers, auth }: StoreEndpoint): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value;
  if (auth.kind === 'bearer') all.authorization = `Bearer ${await readSecret(auth.token)}`;
  if (auth.kind === 'basic') {
    const pair = `${auth.username}:${await readSecret(auth.password)}`;
    all.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  return all;
}

async function readSecret(secret: EndpointSecret): Promise<string> {
  if ('value' in secret) return secret.value;
  try {
    return (await readFile(secret.file, 'utf8')).trim();
  } catch (cause) {
    throw new AppError('outgoing/failed', `The secret in ${secret.file} cannot be read.`, { cause });
  }
}
