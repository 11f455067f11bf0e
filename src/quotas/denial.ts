import { type Counted, ceilingOf, comesBack, describeBucket, type Quota } from './quota.ts';
import type { Noted } from './violations.ts';
import { periodMs, resetAt } from './window.ts';

const bytes: ReadonlySet<Counted> = new Set(['stored_bytes', 'backup_bytes', 'memory']);

/** `1,500 requests`, `$1.50`, `3 GiB`. */
export function describeAmount({ counts }: Pick<Quota, 'counts'>, amount: number): string {
  if (counts === 'cost_micros') return `$${(amount / 1e6).toFixed(amount % 10_000 === 0 ? 2 : 6)}`;
  if (bytes.has(counts)) return describeBytes(amount);
  return `${amount.toLocaleString('en-US')} ${counts.replaceAll('_', ' ')}`;
}

function describeBytes(amount: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let [size, unit] = [amount, 0];
  while (size >= 1_024 && unit < units.length - 1) [size, unit] = [size / 1_024, unit + 1];
  return `${Number(size.toPrecision(4))} ${units[unit]}`;
}

/**
 * A use that a quota turned away: which limit, of what, how much is used, and when there is room again. What it says is worked out when
 * it is read: whoever is turned away again and again is told in few of the cases.
 */
export class Denial {
  readonly quota: Quota;
  readonly bucket: string;
  readonly standing: number;
  readonly amount: number;
  readonly #atMs: number;

  constructor(quota: Quota, bucket: string, standing: number, amount: number, nowMs: number) {
    this.quota = quota;
    this.bucket = bucket;
    this.standing = standing;
    this.amount = amount;
    this.#atMs = nowMs;
  }

  get limit(): number {
    return ceilingOf(this.quota);
  }

  get remaining(): number {
    return Math.max(0, this.limit - this.standing);
  }

  /** Null: it does not begin anew by itself. */
  get retryAfterSeconds(): number | null {
    return retryAfter(this.quota, this.#resetMs(), this.#atMs);
  }

  /** Until everything that is used now no longer counts. */
  get resetSeconds(): number | null {
    const reset = this.#resetMs();
    return reset === null ? null : Math.max(0, Math.ceil((reset - this.#atMs) / 1_000));
  }

  get detail(): string {
    const { bucket, amount, limit, remaining } = this;
    return sentenceOf(this.quota, { bucket, amount, limit, remaining, reset: this.#resetMs() });
  }

  #resetMs(): number | null {
    return comesBack(this.quota) ? null : resetAt(this.quota, this.#atMs);
  }
}

function sentenceOf(
  quota: Quota,
  facts: {
    readonly bucket: string;
    readonly amount: number;
    readonly limit: number;
    readonly remaining: number;
    readonly reset: number | null;
  },
): string {
  const { bucket, amount, limit, remaining, reset } = facts;
  const whose = describeBucket(bucket);
  const per =
    quota.period === 'forever'
      ? 'in all'
      : `in ${quota.window === 'sliding' ? 'any' : quota.period === 'hour' ? 'an' : 'a'} ${quota.period}`;
  const when =
    reset === null
      ? comesBack(quota)
        ? 'There is room when some of it is given back.'
        : 'It does not begin anew by itself.'
      : quota.window === 'sliding'
        ? 'Room comes back as the uses before leave the window.'
        : `It begins anew at ${new Date(reset).toISOString()}.`;
  const more = amount > limit ? ' It asks for more than the whole limit.' : '';
  return `The quota "${quota.name}" (${quota.id})${whose === '' ? '' : ` of ${whose}`} allows ${describeAmount(quota, limit)} ${per}; ${describeAmount(quota, remaining)} left, and this asks for ${describeAmount(quota, amount)}.${more} ${when} An administrator can raise it: \`ragwarden quota show ${quota.id}\`.`;
}

function retryAfter(quota: Quota, resetMs: number | null, nowMs: number): number | null {
  if (comesBack(quota)) return 1;
  if (resetMs === null || quota.period === 'forever') return null;
  // Of a sliding window the next sixtieth may bring room.
  const waitMs = quota.window === 'sliding' ? periodMs[quota.period] / 60 : resetMs - nowMs;
  return Math.max(1, Math.ceil(waitMs / 1_000));
}

/** How long the same is said of the same: of what is to be waited for it may be so much too long. */
export const sameAnswerMs = 100;

/** Who was turned away, and by what. The sentence is written when it is read. */
export class TurnedAway {
  readonly granted = false;
  /** The gravest first. */
  readonly denials: readonly Denial[];
  readonly atMs: number;
  /** Where it stands among what is written down next; undefined where there was no place. */
  noted: Noted | undefined = undefined;

  constructor(denials: readonly Denial[], atMs: number) {
    this.denials = denials;
    this.atMs = atMs;
  }

  get detail(): string {
    return this.denials[0]?.detail ?? '';
  }

  /** Whether it is the answer to this too. */
  answers(quota: Quota, standing: number, amount: number, nowMs: number): boolean {
    const denial = this.denials[0];
    const ageMs = nowMs - this.atMs;
    return (
      ageMs >= 0 &&
      ageMs < sameAnswerMs &&
      denial !== undefined &&
      denial.amount === amount &&
      denial.standing === standing &&
      denial.quota === quota
    );
  }
}

/** Of several that turned it away: those that keep one waiting longest come first. */
export function byGravity(denials: readonly Denial[]): readonly Denial[] {
  const wait = ({ retryAfterSeconds }: Denial): number => retryAfterSeconds ?? Number.MAX_VALUE;
  if (denials.length < 2) return denials;
  return [...denials].sort((a, b) => wait(b) - wait(a));
}
