import { AppError } from '../platform/errors.ts';
import { type ResourceQuota, resourceTypes } from '../resources/index.ts';
import { exceeded } from './bookings.ts';
import type { Taken } from './ledger.ts';
import { comesBack } from './quota.ts';
import type { Quotas } from './quotas.ts';

/**
 * Quotas as the registry of resources asks them: what begins anew is used up by registering, what is held for as long as there is a
 * limit `forever` is given back with the resource.
 */
export function createResourceQuota(options: {
  quotas: Pick<Quotas, 'spend' | 'settle' | 'count' | 'violations'>;
  /** Whose workspaces they are; null where there is no target. */
  onlyTarget(): string | null;
}): ResourceQuota {
  const { quotas, onlyTarget } = options;
  return {
    async claim({ type, owner, workspaceId, amount }) {
      if (amount === 0) return undefined;
      const place = {
        targetId: workspaceId === null ? null : onlyTarget(),
        workspace: workspaceId,
        userId: owner,
        keyId: null,
      };
      const spent = await quotas.spend(place, { [type]: amount }, () => false);
      if (!spent.granted) {
        const [gravest] = spent.denials;
        if (gravest === undefined)
          throw new AppError('quota/unavailable', spent.detail || 'Nobody can tell whether a quota allows this.', {
            retryAfterSeconds: 1,
          });
        throw exceeded(gravest);
      }
      quotas.count(place, { [type]: amount });
      const stays = spent.taken.filter(({ lease }) => comesBack(lease.holding.quota));
      quotas.settle(
        spent.taken.filter((one) => !stays.includes(one)),
        {},
      );
      return stays.length === 0 ? undefined : claimOf(quotas, stays, amount);
    },
    violations: () => quotas.violations.countOf(resourceTypes),
  };
}

function claimOf(quotas: Pick<Quotas, 'settle'>, stays: readonly Taken[], whole: number) {
  let amount = whole;
  const giveBack = (by: number): void => {
    if (by > 0)
      quotas.settle(
        stays.map(({ lease }) => ({ lease, amount: by, final: false })),
        {},
      );
    amount -= by;
  };
  return {
    get amount() {
      return amount;
    },
    shrink: giveBack,
    release: () => giveBack(amount),
  };
}
