import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import type { ManifestComponent } from './manifest.ts';
import type { SwapPlan } from './restore/index.ts';
import type { ComponentPlan } from './restore/restorer.ts';
import type { RestoreOptions } from './restore-options.ts';

const bytes = z.number().nullable().describe('Null where it cannot be known.');

const componentReport = z.object({
  name: z.string(),
  kind: z.string(),
  folder: z.string().describe('Where it goes: a folder, or in words where it is none.'),
  method: z.string(),
  items: z.array(
    z.object({
      name: z.string(),
      action: z.enum(['replace', 'add', 'remove', 'keep']),
      reason: z.string(),
      old_bytes: bytes,
      new_bytes: bytes,
      old_rows: z.number().nullable().optional(),
      new_rows: z.number().nullable().optional(),
    }),
  ),
  bytes_in: z.number(),
  bytes_out: bytes,
  free_needed_bytes: bytes,
  free_available_bytes: bytes,
  /** What was written after the point was taken. */
  lost: z.object({
    files: z.number(),
    bytes: z.number(),
    rows: z.number().nullable().optional(),
    examples: z.array(z.object({ path: z.string(), bytes: z.number(), modified_at: z.string() })),
    row_examples: z.array(z.string()).optional(),
  }),
  warnings: z.array(z.string()),
  blockers: z.array(z.string()),
});
export type ComponentReport = z.infer<typeof componentReport>;

export const restorePlanSchema = z
  .object({
    plan_id: z.string(),
    backup_id: z.string(),
    target_id: z.string(),
    taken_at: z.string(),
    grade: z.string().nullable(),
    scope: z.object({
      workspace: z.string().nullable().describe('Only this workspace; null is the whole.'),
      as_workspace: z.string().nullable(),
      aside: z.boolean().describe('Beside the live data, which stays as it is.'),
    }),
    components: z.array(componentReport),
    left_alone: z.array(z.object({ name: z.string(), reason: z.string() })),
    backend: z.object({ automatic: z.boolean(), stopped: z.boolean(), stop: z.string(), start: z.string() }),
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

export const reportFiles = (component: Pick<ManifestComponent, 'name' | 'kind'>, plan: SwapPlan): ComponentReport => ({
  name: component.name,
  kind: component.kind,
  folder: plan.root,
  method: 'moved in name by name under a journal; the present state is kept',
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
  warnings: [],
  blockers: [...plan.blockers],
});

export const reportStore = (
  component: Pick<ManifestComponent, 'name' | 'kind'>,
  plan: ComponentPlan,
): ComponentReport => ({
  name: component.name,
  kind: component.kind,
  folder: plan.place,
  method: plan.method,
  items: plan.items.map((item) => ({
    name: item.name,
    action: item.action,
    reason: item.reason,
    old_bytes: item.oldBytes,
    new_bytes: item.newBytes,
    old_rows: item.oldRows ?? null,
    new_rows: item.newRows ?? null,
  })),
  bytes_in: plan.bytesIn,
  bytes_out: null,
  free_needed_bytes: plan.freeNeededBytes,
  free_available_bytes: plan.freeAvailableBytes,
  lost: { files: 0, bytes: 0, rows: plan.lost.rows, examples: [], row_examples: [...plan.lost.examples] },
  warnings: [...plan.warnings],
  blockers: [...plan.blockers],
});

/**
 * Names the plan: the same id as long as the same names would move between the same places. Sizes are left out: a backend
 * that works changes them all the time without changing what the operator agreed to.
 */
export function planIdOf(pointId: string, options: RestoreOptions, components: readonly ComponentReport[]): string {
  const hash = createHash('sha256').update(
    JSON.stringify([
      pointId,
      options.components ?? null,
      options.workspace ?? null,
      options.asWorkspace ?? null,
      options.to?.folder ?? null,
      options.to?.name ?? null,
    ]),
  );
  for (const { name, folder, method, items } of components) {
    hash.update(`\n${name}\0${folder}\0${method}`);
    for (const item of items) hash.update(`\n${item.name}\0${item.action}`);
  }
  return `plan_${hash.digest('hex').slice(0, 24)}`;
}
