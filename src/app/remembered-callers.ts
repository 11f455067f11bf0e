import { createHash } from 'node:crypto';
import type { Access } from '../access/index.ts';
import type { Clock } from '../platform/clock.ts';
import { isAppError } from '../platform/errors.ts';
import type { Principal } from '../platform/http/index.ts';

/** How long a caller who was let in may go on reading while the state database is away. */
export const rememberedMs = 5 * 60_000;
const mostCallers = 1_000;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

export type RememberedCallers = Pick<Access, 'authenticate' | 'authenticateHeaders'> & {
  size(): number;
  forget(): void;
};

/**
 * Who a token or a session belongs to is in the state database. While that is away, whoever was let in a moment ago may go on
 * looking (GET and HEAD), since that is when an operator needs to see most. Whatever ends a token makes all callers be asked
 * for anew, and nobody who was not let in before gets in.
 */
export function rememberCallers(access: Access, clock: Clock): RememberedCallers {
  /** By digest of the credentials; the oldest first. */
  const callers = new Map<string, { readonly principal: Principal; readonly seenMs: number }>();
  access.onEnded(() => callers.clear());

  const remember = async (
    headers: Headers,
    reads: boolean,
    ask: () => Promise<Principal | undefined>,
  ): Promise<Principal | undefined> => {
    const key = digest(headers);
    const nowMs = clock.now();
    try {
      const principal = await ask();
      callers.delete(key);
      if (principal) callers.set(key, { principal, seenMs: nowMs });
      const [oldest] = callers.keys();
      if (callers.size > mostCallers && oldest !== undefined) callers.delete(oldest);
      return principal;
    } catch (err) {
      if (!isAppError(err) || err.code !== 'storage/unavailable') {
        callers.delete(key);
        throw err;
      }
      const known = callers.get(key);
      if (!reads || !known || nowMs - known.seenMs > rememberedMs) throw err;
      return known.principal;
    }
  };

  return {
    size: () => callers.size,
    forget: () => callers.clear(),
    authenticate: (request) =>
      remember(request.headers, request.method === 'GET' || request.method === 'HEAD', () =>
        access.authenticate(request),
      ),
    // Of the listener that only shows metrics.
    authenticateHeaders: (headers, address) =>
      remember(headers, true, () => access.authenticateHeaders(headers, address)),
  };
}

const digest = ({ authorization, cookie, 'x-api-key': key }: Headers): string =>
  createHash('sha256')
    .update(JSON.stringify([authorization, cookie, key]))
    .digest('base64');
