import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../platform/errors.ts';
import type { GatewayKey } from './ports.ts';

/** Whatever begins so is ours: consumed here, never forwarded, whether it opens anything or not. */
const ownPrefix = 'rw_';
const longestCredential = 8_192;

export type Credentials = {
  readonly key: GatewayKey | undefined;
  /** Headers that carried a credential of ours, lower case. */
  readonly consumed: readonly string[];
  /** The caller brought something of their own. */
  readonly own: boolean;
};

const none: Credentials = { key: undefined, consumed: [], own: false };

/**
 * What the caller identifies with: `X-API-Key`, `Authorization: Bearer`, or the password of `Authorization: Basic`.
 * @param keys by digest
 * @throws AppError `access/unauthenticated` for a key of ours that is unknown, revoked or expired;
 *   `access/ambiguous` for two of them
 */
export function readCredentials(
  headers: IncomingHttpHeaders,
  keys: ReadonlyMap<string, GatewayKey>,
  nowMs: number,
): Credentials {
  const apiKey = headers['x-api-key'];
  const { authorization } = headers;
  if (apiKey === undefined && authorization === undefined) return none;
  const bearer = authorization === undefined ? undefined : secretOf(authorization);
  const found: string[] = [];
  const consumed: string[] = [];
  if (typeof apiKey === 'string' && apiKey.trimStart().startsWith(ownPrefix)) {
    found.push(apiKey.trim());
    consumed.push('x-api-key');
  }
  if (bearer?.startsWith(ownPrefix)) {
    found.push(bearer);
    consumed.push('authorization');
  }
  const [secret, other] = found;
  if (secret === undefined) return { ...none, own: true };
  if (other !== undefined && other !== secret)
    throw new AppError('access/ambiguous', 'Send one ragwarden key, in `Authorization` or in `X-API-Key`.');
  const key = secret.length > longestCredential ? undefined : keys.get(digestOf(secret));
  if (key === undefined || (key.expiresMs !== null && key.expiresMs <= nowMs))
    throw new AppError(
      'access/unauthenticated',
      'This key opens nothing here: it is no key of the gateway, or it was revoked or has expired.',
    );
  const own =
    (apiKey !== undefined && !consumed.includes('x-api-key')) ||
    consumed.length < Number(authorization !== undefined) + Number(apiKey !== undefined);
  return { key, consumed, own };
}

const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

function secretOf(authorization: string): string | undefined {
  const match = /^\s*(\S+)\s+(\S+)\s*$/.exec(authorization);
  // Also without a scheme, or with one that nobody knows: it must not be passed on for that.
  if (match === null) return authorization.trim();
  if (match[1]?.toLowerCase() !== 'basic') return match[2];
  const pair = Buffer.from(match[2] ?? '', 'base64').toString('latin1');
  const [user = '', ...password] = pair.split(':');
  return user.startsWith(ownPrefix) ? user : password.join(':');
}

/** As many as are seen within minutes; a token is long, and reading it again for each request costs more than the rest. */
const rememberedTokens = 1_000;

/**
 * Who the caller's own token says it is: `sub` of a JWT, unverified, for attribution only and never for a decision.
 */
export function createSubjectReader(): (authorization: string | undefined) => string | null {
  const remembered = new Map<string, string | null>();
  return (authorization) => {
    if (authorization === undefined || authorization.length > longestCredential) return null;
    const known = remembered.get(authorization);
    if (known !== undefined) return known;
    const subject = subjectOf(authorization);
    if (remembered.size >= rememberedTokens) remembered.clear();
    remembered.set(authorization, subject);
    return subject;
  };
}

function subjectOf(authorization: string): string | null {
  const payload = /^bearer +[^.\s]+\.([^.\s]+)\.[^.\s]*$/i.exec(authorization)?.[1];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    const sub: unknown = typeof claims === 'object' && claims !== null && 'sub' in claims ? claims.sub : undefined;
    return typeof sub === 'string' && sub !== '' && sub.length <= 256 && !/\p{Cc}/u.test(sub) && sub.isWellFormed()
      ? sub
      : null;
  } catch {
    return null;
  }
}
