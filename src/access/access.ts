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
};

export type TokenState = 'active' | 'expired' | 'revoked';

export function tokenState(token: Pick<AccessToken, 'expiresMs' | 'revokedMs'>, nowMs: number): TokenState {
  if (token.revokedMs !== null) return 'revoked';
  return token.expiresMs !== null && token.expiresMs <= nowMs ? 'expired' : 'active';
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

/**
 * What the headers carry: `Authorization: Bearer`, else `X-API-Key`.
 * @throws AppError `access/unauthenticated` for another scheme: silently ignoring it would look like a wrong token
 */
export function credentialOf(headers: Readonly<Record<string, string | string[] | undefined>>): Credential {
  const { authorization } = headers;
  if (authorization !== undefined) {
    const secret = /^bearer +([^\s]{1,2048})$/i.exec(String(authorization))?.[1];
    if (secret === undefined)
      throw new AppError('access/unauthenticated', 'Only `Authorization: Bearer …` is understood.');
    return { kind: 'token', secret };
  }
  const key = headers['x-api-key'];
  if (typeof key === 'string' && key !== '') return { kind: 'token', secret: key.slice(0, 2048) };
  return { kind: 'none' };
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
export const isUnsafe = (method: string): boolean => !safeMethods.has(method);

/** Whether a browser's `Origin` is the host that the request came to. */
export function isOwnOrigin(origin: string | undefined, host: string): boolean {
  if (origin === undefined) return false;
  const from = URL.parse(origin);
  if (!from || (from.protocol !== 'http:' && from.protocol !== 'https:')) return false;
  // The scheme's default port may be left out on either side.
  return URL.parse(`${from.protocol}//${host}`)?.host === from.host;
}

/**
 * Pure: may a request that carries a session cookie change something?
 * @param csrfHash hash of the token that belongs to the session
 */
export function decideCsrf(
  request: { method: string; origin: string | undefined; host: string; csrfHeader: string | undefined },
  csrfHash: string,
): 'fine' | 'foreign-origin' | 'wrong-token' {
  if (!isUnsafe(request.method)) return 'fine';
  if (!isOwnOrigin(request.origin, request.host)) return 'foreign-origin';
  return request.csrfHeader !== undefined && sameHash(secretHash(request.csrfHeader), csrfHash)
    ? 'fine'
    : 'wrong-token';
}
