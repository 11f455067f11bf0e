import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { HttpError } from './http.ts';

export type Claims = {
  readonly sub: string;
  readonly role: 'user' | 'guest';
  readonly exp: number;
  readonly iat: number;
  readonly metadata: Record<string, string>;
};

export type Authentication = {
  readonly mode: 'disabled' | 'enabled';
  readonly apiKey: string | undefined;
  hasAccount(user: string, password: string): boolean;
  issue(user: string, role: 'user' | 'guest', metadata: Record<string, string>): string;
  /** @throws HttpError 401, 403 as the real server's combined check */
  require(request: IncomingMessage): Claims | undefined;
  isAllowed(request: IncomingMessage): boolean;
  /** A new token for the sliding renewal, when less than half of the life is left. */
  renewed(claims: Claims): string | undefined;
};

const userLifeSeconds = 48 * 3600;
const guestLifeSeconds = 24 * 3600;

/** @param accounts `user:password` pairs; none: no login is needed */
export function createAuthentication(
  apiKey: string | undefined,
  accounts: readonly (readonly [string, string])[],
  secret: string,
): Authentication {
  const mode = accounts.length > 0 ? 'enabled' : 'disabled';

  function sign(claims: Claims): string {
    const head = encode({ alg: 'HS256', typ: 'JWT' });
    const body = encode(claims);
    return `${head}.${body}.${createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url')}`;
  }

  function verify(token: string): Claims {
    const [head = '', body = '', signature = ''] = token.split('.');
    const wanted = createHmac('sha256', secret).update(`${head}.${body}`).digest();
    const given = Buffer.from(signature, 'base64url');
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new HttpError(401, 'Invalid token');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims; // signed by this server
    if (claims.exp * 1000 < Date.now()) throw new HttpError(401, 'Invalid token');
    return claims;
  }

  function check(request: IncomingMessage): Claims | undefined {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (bearer !== undefined) {
      const claims = verify(bearer);
      if ((mode === 'enabled') === (claims.role === 'user')) return claims;
      throw new HttpError(401, 'Invalid token. Please login again.');
    }
    if (mode === 'disabled' && apiKey === undefined) return undefined;
    const key = request.headers['x-api-key'];
    if (apiKey !== undefined && key === apiKey) return undefined;
    if (mode === 'enabled' && key === undefined) throw new HttpError(401, 'No credentials provided. Please login.');
    throw new HttpError(403, key === undefined ? 'API Key required' : 'Invalid API Key');
  }

  function issue(user: string, role: 'user' | 'guest', metadata: Record<string, string>): string {
    const now = Math.floor(Date.now() / 1000);
    return sign({
      sub: user,
      exp: now + (role === 'user' ? userLifeSeconds : guestLifeSeconds),
      iat: now,
      role,
      metadata,
    });
  }

  return {
    mode,
    apiKey,
    hasAccount: (user, password) => accounts.some(([name, secretWord]) => name === user && secretWord === password),
    issue,
    require: check,
    isAllowed(request) {
      try {
        check(request);
        return true;
      } catch {
        return false;
      }
    },
    renewed(claims) {
      const life = claims.role === 'user' ? userLifeSeconds : guestLifeSeconds;
      const left = claims.exp - Date.now() / 1000;
      return left < life / 2 ? issue(claims.sub, claims.role, claims.metadata) : undefined;
    },
  };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
