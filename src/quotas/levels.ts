import { exceeded } from './bookings.ts';
import { Denial } from './denial.ts';
import { type Counted, denies, isLevel, type Place } from './quota.ts';
import type { Quotas } from './quotas.ts';

/**
 * Whether more may be stored at a place whose level was measured; what it will be nobody knows before.
 * @throws AppError `quota/exceeded`
 */
export function requireRoom(
  quotas: Pick<Quotas, 'definitions'>,
  { place, counts, level }: { readonly place: Place; readonly counts: Counted; readonly level: number },
  nowMs: number,
): void {
  for (const { quota, bucket } of quotas.definitions.applied(place, nowMs))
    if (quota.counts === counts && isLevel(quota) && denies(quota) && level >= quota.limit)
      throw exceeded(new Denial(quota, bucket, level, 1, nowMs));
}
