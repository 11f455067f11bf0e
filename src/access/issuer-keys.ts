import type { JWTVerifyGetKey } from 'jose';
import type { Clock } from '../platform/clock.ts';
import { AppError, describeError } from '../platform/errors.ts';
import type { HttpRequester } from '../platform/http-client.ts';

/** Milliseconds. `maxAge` is how long a key that the issuer withdrew may still open doors when it cannot be asked. */
export const issuerKeyTimes = {
  fresh: 10 * 60_000,
  maxAge: 3_600_000,
  /** Between two questions, so that made-up key ids and a dead issuer cost one question each now and then. */
  cooldown: 30_000,
  cooldownAfterFailure: 5_000,
  timeout: 5_000,
} as const;

const maxBytes = 256 * 1024;

/**
 * The public keys of an issuer (RFC 7517), asked for when first needed and kept: used as they are while fresh, used and
 * asked for anew in the background until `maxAge`, and asked for anew once when a token names a key that is not among them.
 * @param onReach told when the issuer stops answering and when it answers again
 */
export function createIssuerKeys(options: {
  url: string;
  http: HttpRequester;
  clock: Clock;
  onReach(reachable: boolean, why: string): void;
}): JWTVerifyGetKey {
  const { url, http, clock } = options;
  let held: { readonly lookup: JWTVerifyGetKey; readonly atMs: number } | undefined;
  let attempt: { readonly atMs: number; readonly failed: boolean } | undefined;
  let pending: Promise<void> | undefined;

  const fetchKeys = async (): Promise<JWTVerifyGetKey> => {
    const { createLocalJWKSet } = await import('jose');
    const answer = await http.request({
      url,
      headers: { accept: 'application/jwk-set+json, application/json' },
      timeoutMs: issuerKeyTimes.timeout,
      maxBytes,
    });
    if (answer.status !== 200) throw new Error(`it answered ${answer.status}`);
    return createLocalJWKSet(requireKeySet(answer.json()));
  };
  const ask = async (): Promise<void> => {
    try {
      held = { lookup: await fetchKeys(), atMs: clock.monotonic() };
      if (attempt?.failed) options.onReach(true, '');
      attempt = { atMs: clock.monotonic(), failed: false };
    } catch (err) {
      if (!attempt?.failed) options.onReach(false, describeError(err));
      attempt = { atMs: clock.monotonic(), failed: true };
    }
  };
  /** Never rejects: what came of it stands in `held` and `attempt`. */
  const refresh = (): Promise<void> => {
    pending ??= ask().finally(() => {
      pending = undefined;
    });
    return pending;
  };
  const waitMs = (): number => {
    if (pending || !attempt) return 0;
    const cooldown = attempt.failed ? issuerKeyTimes.cooldownAfterFailure : issuerKeyTimes.cooldown;
    return Math.max(0, attempt.atMs + cooldown - clock.monotonic());
  };
  const ageMs = (): number => (held ? clock.monotonic() - held.atMs : Number.POSITIVE_INFINITY);
  const unreachable = (): AppError =>
    new AppError(
      'access/issuer-unreachable',
      'The keys of the issuer cannot be fetched, so its token can be neither accepted nor refused. Try again, or use a token of ragwarden itself.',
      { retryAfterSeconds: Math.max(1, Math.ceil(waitMs() / 1_000)) },
    );

  return async (header, token) => {
    if (ageMs() >= issuerKeyTimes.maxAge) {
      if (waitMs() === 0) await refresh();
      if (!held || ageMs() >= issuerKeyTimes.maxAge) throw unreachable();
    } else if (ageMs() >= issuerKeyTimes.fresh && waitMs() === 0) void refresh();
    if (!held) throw unreachable();
    try {
      return await held.lookup(header, token);
    } catch (err) {
      if (!isNoMatch(err)) throw err;
      if (waitMs() === 0) {
        await refresh();
        if (attempt?.failed === false) return held.lookup(header, token);
      }
      // It may be a key that we were not told of yet.
      if (attempt?.failed) throw unreachable();
      throw err;
    }
  };
}

const isNoMatch = (err: unknown): boolean =>
  err instanceof Error && 'code' in err && err.code === 'ERR_JWKS_NO_MATCHING_KEY';

/** An empty set is a fault of the issuer and no reason to forget the keys that are known. */
function requireKeySet(document: unknown): { keys: Record<string, unknown>[] } {
  const keys: unknown =
    typeof document === 'object' && document !== null && 'keys' in document ? document.keys : undefined;
  if (!Array.isArray(keys)) throw new Error('it answered something that is no key set');
  const usable = keys.filter(
    (key): key is Record<string, unknown> =>
      typeof key === 'object' && key !== null && typeof key.kty === 'string' && key.kty !== 'oct',
  );
  if (usable.length === 0) throw new Error('its key set holds no public key');
  return { keys: usable };
}
