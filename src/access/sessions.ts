import type { FastifyRequest } from 'fastify';

/** A dashboard session lasts half a day, used or not. */
export const sessionMs = 12 * 3_600_000;

/** With the prefix a browser keeps the cookie to this very host, which it only grants over TLS. */
const cookieName = (secure: boolean): string => (secure ? '__Host-rw_session' : 'rw_session');
const isSecure = (request: FastifyRequest): boolean => request.protocol === 'https';

/** The secret in the session cookie, if there is one that could be ours; the first of several counts. */
export function sessionSecretOf(request: FastifyRequest): string | undefined {
  const prefix = `${cookieName(isSecure(request))}=`;
  const pair = request.headers.cookie?.split(';').find((part) => part.trimStart().startsWith(prefix));
  const value = pair?.trim().slice(prefix.length);
  return value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined;
}

/**
 * A `Set-Cookie` value (RFC 6265). The secret is base64url, so nothing in it needs quoting.
 * @param secret undefined takes the cookie away
 */
export function sessionCookie(request: FastifyRequest, secret: string | undefined, maxAgeSeconds: number): string {
  const secure = isSecure(request);
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Strict', `Max-Age=${secret === undefined ? 0 : maxAgeSeconds}`];
  if (secure) attributes.push('Secure');
  return [`${cookieName(secure)}=${secret ?? ''}`, ...attributes].join('; ');
}
