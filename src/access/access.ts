import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '../platform/errors.ts';
import type { Principal, Role } from '../platform/http/index.ts';

export type Workspaces = Principal['workspaces'];

/** A credential that was given to somebody. The secret itself is never kept. */
export type AccessToken = {
  readonly id: string;
  readonly subject: string;
  readonly role: Role;
  readonly workspaces: Workspaces;
  readonly label: string;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly revokedMs: number | null;
  /** After a rotation: how long the secret from before is still good. */
  readonly previousUntilMs: number | null;
  readonly rotatedMs: number | null;
  /** Told in minutes, not to the request. */
  readonly lastUsedMs: number | null;
};

export type TokenState = 'active' | 'expired' | 'revoked';

export function tokenState(token: Pick<AccessToken, 'expiresMs' | 'revokedMs'>, nowMs: number): TokenState {
  if (token.revokedMs !== null) return 'revoked';
  return token.expiresMs !== null && token.expiresMs <= nowMs ? 'expired' : 'active';
}

export const expiryNoticeMs = 7 * 24 * 3_600_000;
const dayMs = 24 * 3_600_000;

/**
 * Whether to tell of the end of a token: a week before, or in the last quarter of a shorter life; one that was made for
 * less than a day was never meant to stay.
 */
export function isExpiryNear(
  token: Pick<AccessToken, 'createdMs' | 'rotatedMs' | 'expiresMs' | 'revokedMs'>,
  nowMs: number,
): boolean {
  if (token.expiresMs === null || tokenState(token, nowMs) !== 'active') return false;
  const lifeMs = token.expiresMs - (token.rotatedMs ?? token.createdMs);
  return lifeMs >= dayMs && token.expiresMs - nowMs <= Math.min(expiryNoticeMs, lifeMs / 4);
}

/** SHA-256 in hex: enough for secrets of 256 random bits, and what the configured token is compared through. */
export const secretHash = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** Both are hex digests of the same length. */
export const sameHash = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** The value that unsafe methods of a session must carry: derived, so that every tab of a session sees the same one. */
export const csrfToken = (sessionSecret: string): string =>
  createHash('sha256').update('csrf\0').update(sessionSecret).digest('base64url');

/** Names inside this installation; what an issuer elsewhere says lives in another namespace. */
export const localSubject = (name: string): string => `local:${name}`;
export const localName = /^[a-z0-9][a-z0-9._-]{0,62}$/;

export type Credential = { readonly kind: 'token'; readonly secret: string } | { readonly kind: 'none' };

/** Characters. Issuers put many claims into a JWT; anything longer is no token of theirs or ours. */
export const longestToken = 8_192;

/**
 * What the headers carry: `Authorization: Bearer` or `X-API-Key`, each good for every kind of token.
 * @throws AppError `access/unauthenticated` for another scheme: silently ignoring it would look like a wrong token;
 * `access/ambiguous` when the two headers differ: which of them a proxy in front of us believed cannot be known here
 */
export function credentialOf(headers: Readonly<Record<string, string | string[] | undefined>>): Credential {
  const { authorization } = headers;
  const key = headers['x-api-key'] === '' ? undefined : headers['x-api-key'];
  let secret = key === undefined ? undefined : String(key);
  if (authorization !== undefined) {
    secret = /^bearer +(\S+)$/i.exec(String(authorization))?.[1];
    if (secret === undefined)
      throw new AppError('access/unauthenticated', 'Only `Authorization: Bearer …` is understood.');
    if (key !== undefined && key !== secret)
      throw new AppError('access/ambiguous', 'Send one token, in `Authorization` or in `X-API-Key`.');
  }
  if (secret === undefined) return { kind: 'none' };
  if (secret.length > longestToken)
    throw new AppError('access/unauthenticated', `No token is longer than ${longestToken} characters.`);
  return { kind: 'token', secret };
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
export const isUnsafe = (method: string): boolean => !safeMethods.has(method);

/**
 * Whether a browser's `Origin` is the host that the request came to.
 * @param secure the request came over TLS: then a page without it is not ours
 */
export function isOwnOrigin(origin: string | undefined, host: string, secure: boolean): boolean {
  if (origin === undefined) return false;
  const from = URL.parse(origin);
  if (!from || (from.protocol !== 'http:' && from.protocol !== 'https:')) return false;
  // The other way round it may well be ours: a proxy in front of us that we do not know speaks TLS.
  if (secure && from.protocol !== 'https:') return false;
  // The scheme's default port may be left out on either side.
  return URL.parse(`${from.protocol}//${host}`)?.host === from.host;
}

/**
 * Pure: may a request that carries a session cookie change something?
 * @param csrfHash hash of the token that belongs to the session
 */
export function decideCsrf(
  request: {
    method: string;
    origin: string | undefined;
    host: string;
    secure: boolean;
    csrfHeader: string | undefined;
  },
  csrfHash: string,
): 'fine' | 'foreign-origin' | 'wrong-token' {
  if (!isUnsafe(request.method)) return 'fine';
  if (!isOwnOrigin(request.origin, request.host, request.secure)) return 'foreign-origin';
  return request.csrfHeader !== undefined && sameHash(secretHash(request.csrfHeader), csrfHash)
    ? 'fine'
    : 'wrong-token';
}
