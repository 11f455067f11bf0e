import { isIPv6 } from 'node:net';

export const throttleLimits = { failures: 10, windowMs: 5 * 60_000, addresses: 4_096 } as const;

export type Throttle = {
  /** Seconds to wait, when this key has failed too often. */
  blockedForSeconds(key: string, nowMs: number): number | undefined;
  /** Notes a failure. `tripped` is true for the one that reaches the limit: worth an event, the next thousand are not. */
  fail(key: string, nowMs: number): { readonly failures: number; readonly tripped: boolean };
  /** Takes one failure back: it was counted before it was known that the attempt succeeds. */
  forgive(key: string): void;
  size(): number;
};

/** One holder of an IPv6 network has 2^64 addresses; they count as one. */
export function throttleAddress(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail = ''] = plain.replace(/%.*$/, '').split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === '' ? [] : tail.split(':');
  const middle = plain.includes('::') ? Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0') : [];
  return `${[...front, ...middle, ...back].slice(0, 4).join(':')}::/64`;
}

/** Failures per key in a window that begins with the first one. Memory is bounded: the longest unseen key is forgotten. */
export function createThrottle(
  limits: { failures: number; windowMs: number; addresses: number } = throttleLimits,
): Throttle {
  const seen = new Map<string, { sinceMs: number; failures: number }>();
  const current = (key: string, nowMs: number) => {
    const entry = seen.get(key);
    if (entry && entry.sinceMs + limits.windowMs > nowMs) return entry;
    if (entry) seen.delete(key);
    return undefined;
  };
  return {
    blockedForSeconds(key, nowMs) {
      const entry = current(key, nowMs);
      if (!entry || entry.failures < limits.failures) return undefined;
      return Math.max(1, Math.ceil((entry.sinceMs + limits.windowMs - nowMs) / 1_000));
    },
    fail(key, nowMs) {
      const entry = current(key, nowMs) ?? { sinceMs: nowMs, failures: 0 };
      entry.failures += 1;
      seen.delete(key);
      seen.set(key, entry);
      for (const oldest of seen.keys()) {
        if (seen.size <= limits.addresses) break;
        seen.delete(oldest);
      }
      return { failures: entry.failures, tripped: entry.failures === limits.failures };
    },
    forgive(key) {
      const entry = seen.get(key);
      if (!entry) return;
      entry.failures -= 1;
      if (entry.failures <= 0) seen.delete(key);
    },
    size: () => seen.size,
  };
}
