import { type Counted, ceilingOf, comesBack, describeBucket, type Quota } from './quota.ts';
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

/** A use that a quota turned away: which limit, of what, how much is used, and when there is room again. */
export type Denial = {
  readonly quota: Quota;
  readonly bucket: string;
  readonly standing: number;
  readonly amount: number;
  readonly detail: string;
  readonly limit: number;
  readonly remaining: number;
  /** Null: it does not begin anew by itself. */
  readonly retryAfterSeconds: number | null;
  /** Until everything that is used now no longer counts. */
  readonly resetSeconds: number | null;
};

export function explainDenial(
  refusal: { readonly quota: Quota; readonly bucket: string; readonly standing: number; readonly amount: number },
  nowMs: number,
): Denial {
  const { quota, bucket, standing, amount } = refusal;
  const limit = ceilingOf(quota);
  const remaining = Math.max(0, limit - standing);
  const reset = comesBack(quota) ? null : resetAt(quota, nowMs);
  return {
    ...refusal,
    limit,
    remaining,
    retryAfterSeconds: retryAfter(quota, reset, nowMs),
    resetSeconds: reset === null ? null : Math.max(0, Math.ceil((reset - nowMs) / 1_000)),
    // Written when it is read: most of the cost of turning away is this sentence.
    get detail() {
      return sentenceOf(quota, { bucket, amount, limit, remaining, reset });
    },
  };
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

/** Of several that turned it away: those that keep one waiting longest come first. */
export function byGravity(denials: readonly Denial[]): readonly Denial[] {
  const wait = ({ retryAfterSeconds }: Denial): number => retryAfterSeconds ?? Number.MAX_VALUE;
  return [...denials].sort((a, b) => wait(b) - wait(a));
}
