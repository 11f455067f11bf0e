import type { Config, QuotaConfig } from '../config/index.ts';
import type { Observation } from '../gateway/index.ts';
import type { Notifier } from '../notify/index.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { findFaults, type Quota, type QuotaAlarm } from '../quotas/index.ts';
import { costOf, createPriceTable } from '../traffic/index.ts';

/** What a call took by the prices that somebody set, in millionths of a US dollar; null where nobody knows. */
export function costMicrosBy(list: Config['traffic']['prices']): (seen: Observation) => number | null {
  const prices = createPriceTable(list);
  return ({ llm }) => {
    const price = llm === null || llm.model === null ? undefined : prices.find(llm.provider, llm.model);
    const usd = llm === null || price === undefined ? null : costOf(price, llm);
    return usd === null ? null : Math.ceil(usd * 1e6);
  };
}

/** @throws AppError `config/invalid` with everything that cannot be meant */
export function quotaOf(entry: QuotaConfig): Quota {
  const quota: Quota = {
    id: entry.quota_id,
    name: entry.name ?? entry.quota_id,
    description: entry.description,
    counts: entry.resource_type,
    type: entry.quota_type,
    period: entry.period,
    window: entry.window,
    limit: entry.limit,
    burstLimit: entry.burst_limit,
    action: entry.action,
    of: {
      targetId: entry.target_id,
      workspace: entry.workspace_id,
      userId: entry.user_id,
      keyId: entry.key_id,
    },
    per: entry.per,
    enabled: entry.enabled,
    shadow: entry.shadow,
    whenLost: entry.when_lost ?? (entry.quota_type === 'hard' ? 'closed' : 'open'),
    ratePerMinute: entry.rate_per_minute,
    waitSeconds: entry.wait_seconds,
    mostLimit: entry.max_limit,
    endsMs: null,
    tags: entry.tags,
    origin: 'file',
    createdMs: 0,
    updatedMs: 0,
  };
  const faults = findFaults(quota);
  if (faults.length > 0)
    throw new AppError(
      'config/invalid',
      faults.map(({ at, message }) => `quotas.definitions: ${quota.id}: ${at} ${message}.`).join(' '),
    );
  return quota;
}

/** Whoever is on call hears of a quota whose action is `escalate`, and when it has room again. */
export function quotaAlarm({
  notifier,
  clock,
}: {
  notifier: Pick<Notifier, 'tell'>;
  clock: Pick<Clock, 'now'>;
}): QuotaAlarm {
  const tell = (
    tx: Parameters<QuotaAlarm['raise']>[0],
    { quota, violation, message }: Parameters<QuotaAlarm['raise']>[1],
    status: 'firing' | 'resolved',
  ): Promise<void> =>
    notifier.tell(tx, {
      key: `quota:${quota.id}:${violation.bucket}`.slice(0, 200),
      status,
      severity: 'warning',
      title: `Quota ${quota.name} is exceeded`,
      summary: message,
      labels: { alertname: 'QuotaExceeded', severity: 'warning', quota: quota.id },
      annotations: { bucket: violation.bucket, exceeded_by: String(violation.exceededBy) },
      startsAtMs: violation.firstMs,
      endsAtMs: status === 'resolved' ? clock.now() : null,
      runbookUrl: null,
      receivers: null,
    });
  return {
    raise: (tx, what) => tell(tx, what, 'firing'),
    resolve: (tx, what) => tell(tx, { ...what, message: `The quota "${what.quota.name}" has room again.` }, 'resolved'),
  };
}
