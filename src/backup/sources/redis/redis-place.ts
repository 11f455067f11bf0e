import { readFileSync } from 'node:fs';
import { AppError, describeError } from '../../../platform/errors.ts';

/** Where a Redis answers and how one gets in; holds a secret. */
export type RedisPlace = {
  readonly host: string;
  readonly port: number;
  /** A socket of this machine in place of host and port. */
  readonly path?: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** Undefined: without TLS. */
  readonly tls: { readonly verify: boolean; readonly ca: string | undefined } | undefined;
};

/**
 * Reads a URL as the backend's own client (redis-py) does: parts are decoded once, the database stands in the path or in
 * `db=`, `ssl_cert_reqs=none` takes any certificate, `ssl_ca_certs` names a file.
 * @throws AppError `backup/capture-failed` without anything of the URL in it
 */
export function readRedisUrl(text: string): RedisPlace {
  const url = URL.parse(text);
  if (!url || !/^rediss?:$/.test(url.protocol))
    throw new AppError(
      'backup/capture-failed',
      'The URL of the Redis cannot be read: write redis://HOST:PORT/DATABASE.',
    );
  const database = Number(url.searchParams.get('db') ?? (url.pathname.slice(1) || '0'));
  if (!Number.isInteger(database) || database < 0)
    throw new AppError(
      'backup/capture-failed',
      'The URL of the Redis names no database: write a number after the port.',
    );
  const ca = url.searchParams.get('ssl_ca_certs');
  return {
    host: url.hostname.replace(/^\[|\]$/g, '') || 'localhost',
    port: url.port === '' ? 6379 : Number(url.port),
    username: given(url.username),
    password: given(url.password),
    database,
    tls:
      url.protocol === 'rediss:'
        ? {
            verify: url.searchParams.get('ssl_cert_reqs') !== 'none',
            ca: ca === null ? undefined : readAuthority(ca),
          }
        : undefined,
  };
}

/** In words, without what is secret. */
export const placeInWords = (place: RedisPlace): string =>
  place.path === undefined
    ? `database ${place.database} of the Redis at ${place.host}:${place.port}`
    : `database ${place.database} of the Redis at ${place.path}`;

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (err) {
    throw new AppError(
      'backup/capture-failed',
      `The certificates that the URL of the Redis names cannot be read: ${describeError(err)}.`,
      { cause: err },
    );
  }
}

/** A stray percent sign stands for itself. */
function given(part: string): string | undefined {
  if (part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
