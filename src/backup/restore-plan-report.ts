import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import type { SwapPlan } from './restore/index.ts';

export const restorePlanSchema = z
  .object({
    plan_id: z.string(),
    backup_id: z.string(),
    target_id: z.string(),
    taken_at: z.string(),
    grade: z.string().nullable(),
    components: z.array(
      z.object({
        name: z.string(),
        folder: z.string(),
        items: z.array(
          z.object({
            name: z.string(),
            action: z.enum(['replace', 'add', 'remove', 'keep']),
            reason: z.string(),
            old_bytes: z.number(),
            new_bytes: z.number(),
          }),
        ),
        bytes_in: z.number(),
        bytes_out: z.number(),
        free_needed_bytes: z.number(),
        free_available_bytes: z.number(),
        /** Files written after the point was taken: what is lost. */
        lost: z.object({
          files: z.number(),
          bytes: z.number(),
          examples: z.array(z.object({ path: z.string(), bytes: z.number(), modified_at: z.string() })),
        }),
      }),
    ),
    backend: z.object({ automatic: z.boolean(), stop: z.string(), start: z.string() }),
    versions: z.object({ point: z.string().nullable(), now: z.string().nullable() }),
    /** The steps in their order, in words. */
    steps: z.array(z.string()),
    warnings: z.array(z.string()),
    /** Why it cannot be carried out as things stand; empty when it can. */
    blockers: z.array(z.string()),
    needs: z.array(z.literal('confirm')),
  })
  .meta({ id: 'RestorePlan' });
export type RestorePlanReport = z.infer<typeof restorePlanSchema>;

export const reportComponent = (name: string, plan: SwapPlan): RestorePlanReport['components'][number] => ({
  name,
  folder: plan.root,
  items: plan.items.map((item) => ({
    name: item.name,
    action: item.action,
    reason: item.reason,
    old_bytes: item.oldBytes,
    new_bytes: item.newBytes,
  })),
  bytes_in: plan.bytesIn,
  bytes_out: plan.bytesOut,
  free_needed_bytes: plan.freeNeededBytes,
  free_available_bytes: plan.freeAvailableBytes,
  lost: {
    files: plan.lost.files,
    bytes: plan.lost.bytes,
    examples: plan.lost.examples.map((one) => ({
      path: one.path,
      bytes: one.bytes,
      modified_at: isoInstant(one.mtimeMs),
    })),
  },
});

/**
 * Names the plan: the same id as long as the same names would move between the same places. Sizes are left out: a backend
 * that works changes them all the time without changing what the operator agreed to.
 */
export function planIdOf(pointId: string, plans: readonly { name: string; plan: SwapPlan }[]): string {
  const hash = createHash('sha256').update(pointId);
  for (const { name, plan } of plans) {
    hash.update(`\n${name}\0${plan.root}`);
    for (const item of plan.items) hash.update(`\n${item.name}\0${item.action}`);
  }
  return `plan_${hash.digest('hex').slice(0, 24)}`;
}
