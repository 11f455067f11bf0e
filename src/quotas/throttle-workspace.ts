import { createHash } from 'node:crypto';
import type { QuotaDraft } from './definitions.ts';
import { anyPlace } from './quota.ts';

export type ThrottleWish = {
  readonly targetId: string;
  readonly workspace: string;
  readonly requestsPerMinute: number;
  readonly forSeconds: number;
};

/** A quota that slows one workspace down for a while and ends by itself; the same place gets the same one, anew. */
export function planThrottle(wish: ThrottleWish, why: string, nowMs: number): QuotaDraft {
  const { targetId, workspace, requestsPerMinute, forSeconds } = wish;
  const digest = createHash('sha256').update(`${targetId}/${workspace}`).digest('hex').slice(0, 16);
  return {
    id: `throttle-${digest}`,
    name: `Throttle of ${targetId}/${workspace}`,
    description: why.slice(0, 1_000),
    counts: 'requests',
    type: 'hard',
    period: 'minute',
    window: 'sliding',
    limit: Math.max(0, Math.floor(requestsPerMinute)),
    burstLimit: null,
    action: 'throttle',
    of: { ...anyPlace, targetId, workspace },
    per: [],
    enabled: true,
    shadow: false,
    // It is there to spare the backend, not to keep somebody out.
    whenLost: 'open',
    ratePerMinute: null,
    waitSeconds: 5,
    mostLimit: null,
    endsMs: nowMs + forSeconds * 1_000,
    tags: { throttle: 'temporary' },
  };
}
