import { type Amounts, bucketOf, comesBack, concerns, judge, type Place, type Quota } from './quota.ts';
import { slotAt } from './window.ts';

/** A use of the past, as far as it is remembered. */
export type PastUse = {
  readonly atMs: number;
  /** How long it lasted; what is counted while it lasts needs it. */
  readonly lastedMs: number;
  readonly place: Place;
  readonly amounts: Amounts;
};

export type Replay = {
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** Uses that the quota is a matter of. */
  readonly uses: number;
  readonly warned: number;
  /** What it would have turned away, slowed down or kept waiting. */
  readonly over: number;
  /** The greatest that stood in one window of one bucket. */
  readonly greatest: number;
  readonly buckets: readonly {
    readonly bucket: string;
    readonly uses: number;
    readonly over: number;
    readonly greatest: number;
  }[];
  readonly examples: readonly { readonly atMs: number; readonly bucket: string; readonly exceededBy: number }[];
};

const mostExamples = 20;
const mostBuckets = 50;

/** What this definition would have done to what was used; denied uses count nothing, as they would. */
export function replay(quota: Quota, past: readonly PastUse[]): Replay {
  const whole = { ...quota, enabled: true, shadow: false, endsMs: null };
  const uses = past
    .filter(({ place, amounts, atMs }) => (amounts[quota.counts] ?? 0) > 0 && concerns(whole, place, atMs))
    .sort((a, b) => a.atMs - b.atMs);
  const windows = new Map<string, { uses: { slotMs: number; untilMs: number; amount: number }[]; first: number }>();
  const buckets = new Map<string, { uses: number; over: number; greatest: number }>();
  const examples: { atMs: number; bucket: string; exceededBy: number }[] = [];
  let [warned, over, greatest] = [0, 0, 0];
  for (const { atMs, lastedMs, place, amounts } of uses) {
    const bucket = bucketOf(whole, place);
    const amount = amounts[quota.counts] ?? 0;
    const slot = slotAt(whole, atMs);
    const window = windows.get(bucket) ?? { uses: [], first: 0 };
    windows.set(bucket, window);
    const lasting = comesBack(whole);
    const counts = lasting
      ? window.uses.filter(({ untilMs }) => untilMs > atMs)
      : window.uses.filter(({ slotMs }) => slotMs >= slot.fromMs);
    window.uses = counts;
    const standing = counts.reduce((sum, one) => sum + one.amount, 0);
    const { verdict, exceededBy } = judge(whole, standing, amount);
    const seen = buckets.get(bucket) ?? { uses: 0, over: 0, greatest: 0 };
    buckets.set(bucket, seen);
    seen.uses += 1;
    if (verdict === 'warned') warned += 1;
    if (verdict === 'over') {
      over += 1;
      seen.over += 1;
      if (examples.length < mostExamples) examples.push({ atMs, bucket, exceededBy });
      if (whole.action !== 'warn') continue;
    }
    counts.push({ slotMs: slot.slotMs, untilMs: atMs + lastedMs, amount });
    seen.greatest = Math.max(seen.greatest, standing + amount);
    greatest = Math.max(greatest, seen.greatest);
  }
  return {
    fromMs: past.length === 0 ? null : Math.min(...past.map(({ atMs }) => atMs)),
    toMs: past.length === 0 ? null : Math.max(...past.map(({ atMs }) => atMs)),
    uses: uses.length,
    warned,
    over,
    greatest,
    buckets: [...buckets]
      .map(([bucket, one]) => ({ bucket, ...one }))
      .sort((a, b) => b.over - a.over || b.greatest - a.greatest)
      .slice(0, mostBuckets),
    examples,
  };
}
