import type { RandomSource } from '../platform/ids.ts';
import type { Message } from './message.ts';

/** One try, as people see it. */
export type Attempt = {
  readonly atMs: number;
  readonly outcome: 'sent' | 'failed';
  /** What was answered, where a status is answered. */
  readonly status: number | null;
  readonly error: string | null;
  readonly latencyMs: number;
};

/**
 * `pending` → `sent`, or → `dead` after the stated time or when the receiver is gone, or → `superseded` by a later one that says all of
 * it; `dead` → `pending` by hand. What may have arrived without our knowing is sent again under the same id.
 */
export type DeliveryState = 'pending' | 'sent' | 'dead' | 'superseded';

export type Delivery = {
  /** Also the id that the receiver sees: the same at each attempt. */
  readonly id: string;
  readonly receiverId: string;
  /** Null: somebody tried the way. */
  readonly groupId: string | null;
  readonly state: DeliveryState;
  readonly message: Message;
  readonly createdMs: number;
  /** Since when this, or what it stands for, is tried: giving up counts from here. */
  readonly sinceMs: number;
  /** When it is tried next; null: not any more. */
  readonly nextMs: number | null;
  readonly failures: number;
  /** The latest, oldest first. */
  readonly attempts: readonly Attempt[];
  readonly finishedMs: number | null;
  readonly supersededBy: string | null;
};

/** What a receiver made of it. */
export type SendResult = {
  readonly outcome: 'sent' | 'failed' | 'gone';
  readonly status: number | null;
  /** Why it failed; with `sent` a remark. */
  readonly error: string | null;
  /** How long it asked us to wait. */
  readonly retryAfterMs?: number | undefined;
};

const mostAttempts = 50;
const firstBackoffMs = 5_000;
const longestBackoffMs = 900_000;
/** However long a receiver asks us to wait. */
const longestAskedMs = 3_600_000;

/** A time that lies further ahead than any waiting comes from a clock that was set back. */
export const longestWaitMs = longestAskedMs;

/** Doubles from 5 s to 15 min, less up to half of it by chance, so that many do not come back at once. */
export function backoffMs(failures: number, random: RandomSource): number {
  const whole = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.max(0, failures - 1));
  return Math.round(whole * (0.5 + random(4).readUInt32BE() / 2 ** 33));
}

/** What becomes of a delivery after one attempt. */
export function decideAfterAttempt(
  delivery: Delivery,
  result: SendResult,
  at: { readonly startedMs: number; readonly nowMs: number; readonly latencyMs: number },
  options: { readonly giveUpMs: number; readonly random: RandomSource },
): Delivery {
  const attempt: Attempt = {
    atMs: at.startedMs,
    outcome: result.outcome === 'sent' ? 'sent' : 'failed',
    status: result.status,
    error: result.error,
    latencyMs: at.latencyMs,
  };
  const attempts = [...delivery.attempts, attempt].slice(-mostAttempts);
  const over = { ...delivery, attempts, nextMs: null, finishedMs: at.nowMs };
  if (result.outcome === 'sent') return { ...over, state: 'sent' };
  const failures = delivery.failures + 1;
  const triedMs = at.nowMs - Math.min(delivery.sinceMs, at.nowMs);
  if (result.outcome === 'gone' || triedMs >= options.giveUpMs) return { ...over, failures, state: 'dead' };
  const askedMs = Math.min(result.retryAfterMs ?? 0, longestAskedMs);
  const nextMs = at.nowMs + Math.max(askedMs, backoffMs(failures, options.random));
  // The last try is at the end of the time, not before it.
  return {
    ...delivery,
    attempts,
    failures,
    nextMs: Math.min(nextMs, Math.max(at.nowMs + 1_000, delivery.sinceMs + options.giveUpMs)),
  };
}
