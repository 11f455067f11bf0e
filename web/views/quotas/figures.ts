import type { Quota, QuotaBucket, QuotaUsage, Whose } from '../../api/quota-wire.ts';
import { formatBytes, formatCount } from '../../format.ts';
import { formatMetric } from '../../format-metric.ts';
import type { Level } from '../../parts/mark.tsx';

const inBytes: ReadonlySet<string> = new Set(['stored_bytes', 'backup_bytes', 'memory']);

/** So much of what is counted: bytes as bytes, money as money, everything else by its number. */
export function amountOf(kind: string, amount: number): string {
  if (kind === 'cost_micros') return formatMetric(amount / 1_000_000, 'usd');
  return inBytes.has(kind) ? formatBytes(amount) : formatCount(amount);
}

/** What is counted, in words; resources have their names in the singular. */
function countedOf(kind: string): string {
  if (kind === 'process') return 'processes';
  const words = kind.replaceAll('_', ' ');
  return words === 'memory' || words.endsWith('s') ? words : `${words}s`;
}

/** `200,000 tokens`; money says itself what it is. */
export const countOf = (kind: string, amount: number): string =>
  kind === 'cost_micros' ? amountOf(kind, amount) : `${amountOf(kind, amount)} ${countedOf(kind)}`;

const partsOf = (whose: Whose): string[] =>
  (
    [
      ['target', whose.target_id],
      ['workspace', whose.workspace_id],
      ['user', whose.user_id],
      ['key', whose.key_id],
    ] as const
  ).flatMap(([name, value]) => (value === null ? [] : [`${name} ${value === '' ? '(unnamed)' : value}`]));

/** Whom something belongs to. */
export const whoseOf = (whose: Whose, none = 'all together'): string => partsOf(whose).join(', ') || none;

/** To what a quota applies, and who has the limit for himself. */
export function scopeOf(quota: Whose & Pick<Quota, 'per'>): string {
  const place = partsOf(quota).join(', ');
  const each = quota.per.length === 0 ? '' : `each ${quota.per.join(' and ')} for itself`;
  return [place, each].filter((part) => part !== '').join('; ') || 'all together';
}

/** `200,000 tokens a day, up to 250,000`. */
export function limitOf(quota: Pick<Quota, 'limit' | 'burst_limit' | 'resource_type' | 'period' | 'window'>): string {
  const { resource_type: kind, period } = quota;
  const time = period === 'forever' ? 'at any time' : quota.window === 'sliding' ? `in any ${period}` : `a ${period}`;
  const most = quota.burst_limit === null ? '' : `, at most ${amountOf(kind, quota.burst_limit)}`;
  return `${countOf(kind, quota.limit)} ${time.replace('a hour', 'an hour')}${most}`;
}

export type Mode = 'enforced' | 'shadow' | 'off';
export const modeOf = ({ enabled, shadow }: Pick<Quota, 'enabled' | 'shadow'>): Mode =>
  enabled ? (shadow ? 'shadow' : 'enforced') : 'off';

/** Full is bad only where somebody is turned away for it. */
export function levelOfUsage(percent: number | null, mode: Mode): Level {
  if (percent === null || percent < 80) return 'none';
  return percent >= 100 && mode === 'enforced' ? 'bad' : 'warn';
}

/** What counts beside what was used plainly. */
export function besidesOf(kind: string, bucket: Pick<QuotaBucket, 'held' | 'forfeited' | 'carried'>): string[] {
  return (
    [
      ['held', bucket.held],
      ['lost with a process', bucket.forfeited],
      ['carried over', bucket.carried],
    ] as const
  ).flatMap(([word, amount]) => (amount === 0 ? [] : [`${amountOf(kind, amount)} ${word}`]));
}

const fullest = (usage: QuotaUsage | undefined): number =>
  Math.max(-1, ...(usage?.buckets ?? []).map((one) => one.used_percent ?? (one.current_usage > 0 ? 100 : 0)));

/** What is nearest to its limit comes first; of equals what denies, and then by name. */
export function inOrder(quotas: readonly Quota[], usage: Readonly<Record<string, QuotaUsage>>): Quota[] {
  const ranks: Readonly<Record<Mode, number>> = { enforced: 0, shadow: 1, off: 2 };
  return [...quotas].sort(
    (a, b) =>
      fullest(usage[b.quota_id]) - fullest(usage[a.quota_id]) ||
      ranks[modeOf(a)] - ranks[modeOf(b)] ||
      a.quota_id.localeCompare(b.quota_id),
  );
}
