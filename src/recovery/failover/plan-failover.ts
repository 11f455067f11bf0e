import { createHash } from 'node:crypto';
import { readdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RecoverablePoint } from '../../backup/index.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import { chooseSource } from './choose-source.ts';
import { otherPlace, type PlaceName } from './failover.ts';
import type { FailoverDeps, FailoverPlace, FailoverTarget } from './failover-deps.ts';

export type FailoverPlan = {
  readonly planId: string;
  readonly targetId: string;
  readonly from: { readonly place: PlaceName; readonly url: string | null; readonly answers: string | null };
  readonly to: { readonly place: PlaceName; readonly url: string | null; readonly zone: string | null };
  readonly point: { readonly id: string; readonly takenMs: number; readonly bytes: number } | null;
  /** Processed ones; null is not known: an old point, or a place that does not answer. */
  readonly documents: { readonly inPoint: number | null; readonly now: number | null };
  /** Places that hold it, in the order in which they are tried. */
  readonly sources: readonly { readonly id: string; readonly title: string }[];
  readonly parts: readonly { readonly component: string; readonly folder: string; readonly bytes: number }[];
  readonly leftAlone: readonly { readonly component: string; readonly reason: string }[];
  readonly steps: readonly string[];
  readonly warnings: readonly string[];
  readonly blockers: readonly string[];
};

/** @throws AppError `recovery/no-standby` */
export function requirePlaces(target: FailoverTarget): { from: FailoverPlace; to: FailoverPlace } {
  const from = target.at(target.active());
  const to = target.at(otherPlace(target.active()));
  if (!from || !to)
    throw new AppError(
      'recovery/no-standby',
      target.whyNone ??
        `${target.targetId} has no second place. Describe it in target.standby of the settings file and restart.`,
    );
  return { from, to };
}

/** Components that are not the business of a place: our own state, and what only goes back by hand. */
export const notOfAPlace = (component: RecoverablePoint['manifest']['components'][number]): string | undefined => {
  if (component.name === 'ragwarden-state') return 'it is the state of ragwarden, which lives on';
  return component.restore.by === 'by-hand' ? component.restore.reason : undefined;
};

/** What a failover would do, without doing anything. */
export async function planFailover(
  deps: FailoverDeps,
  wanted: { readonly targetId: string; readonly pointId: string | null },
  signal: AbortSignal,
): Promise<FailoverPlan> {
  const target = deps.requireTarget(wanted.targetId);
  const { from, to } = requirePlaces(target);
  const blockers: string[] = [];
  const warnings: string[] = [];
  const chosen = await chooseSource(deps, wanted, signal).catch((err: unknown) => {
    signal.throwIfAborted();
    blockers.push(describeError(err));
    return undefined;
  });
  const [best] = chosen?.found ?? [];
  warnings.push(...(chosen?.notes ?? []));
  const answers = (await from.lifecycle.findSignOfLife()) ?? null;
  const { parts, leftAlone, blocked } = placed(to, best?.point, (name) => deps.restorerOf(wanted.targetId, name));
  blockers.push(...blocked);
  if (best) {
    for (const { free, needed, empty } of await findLittleRoom(parts)) {
      const little = `the other place has ${free} bytes free, and the point needs ${needed}`;
      if (empty) blockers.push(little);
      else warnings.push(`${little}, less what of it lies there already`);
    }
    if (!best.point.verified) warnings.push(`${best.point.id} was never verified`);
    const { partial, content_audit: audit } = best.point.manifest;
    if (partial) warnings.push(`${best.point.id} is partial: it has not all that the target had`);
    if (audit?.verdict === 'damaged') warnings.push(`the audit of ${best.point.id} found it damaged`);
    if (best.source.id !== 'own') warnings.push(`the point comes from ${best.source.title}`);
    const lostMinutes = Math.max(0, Math.round((deps.clock.now() - best.point.takenMs) / 60_000));
    const since = lostMinutes < 2 ? 'minute' : `${lostMinutes} minutes`;
    warnings.push(`what was written in the ${since} since the point was taken is not in it`);
  }
  if (answers !== null)
    warnings.push(
      `the present place is alive (${answers}): it will be stopped. Take a point first if nothing shall be lost`,
    );
  if (!to.lifecycle.automatic)
    warnings.push('nobody but you can start the backend at the other place: no lifecycle is configured for it');
  const seen = answers === null ? undefined : (await from.look(signal)).seen;
  return {
    planId: planIdOf(target.active(), best?.point.id ?? null, best?.source.id ?? null, parts),
    targetId: wanted.targetId,
    from: { place: from.id, url: from.url, answers },
    to: { place: to.id, url: to.url, zone: to.zone },
    point: best
      ? {
          id: best.point.id,
          takenMs: best.point.takenMs,
          bytes: best.point.manifest.components.reduce((sum, { bytes }) => sum + bytes, 0),
        }
      : null,
    documents: {
      inPoint: best?.point.manifest.documents?.processed ?? null,
      now: seen?.documents?.processed ?? null,
    },
    sources: (chosen?.found ?? []).map(({ source: { id, title } }) => ({ id, title })),
    parts,
    leftAlone,
    steps: stepsOf(from, to, best?.point.id),
    warnings,
    blockers,
  };
}

/** Which parts of a point go where, and what stands in the way. */
export function placed(
  to: FailoverPlace,
  point: Pick<RecoverablePoint, 'manifest'> | undefined,
  restorerOf: (component: string) => unknown,
): {
  parts: { component: string; folder: string; bytes: number }[];
  leftAlone: { component: string; reason: string }[];
  blocked: string[];
} {
  const parts: { component: string; folder: string; bytes: number }[] = [];
  const leftAlone: { component: string; reason: string }[] = [];
  const blocked: string[] = [];
  for (const component of point?.manifest.components ?? []) {
    const { name, restore, bytes } = component;
    const foreign = notOfAPlace(component);
    const folder = to.folders.get(name);
    if (foreign !== undefined) leftAlone.push({ component: name, reason: foreign });
    else if (to.shared.has(name)) leftAlone.push({ component: name, reason: 'both places use it where it is' });
    else if (restore.by === 'folder-swap' && folder !== undefined) parts.push({ component: name, folder, bytes });
    else
      blocked.push(
        `${name}: the other place has none of its own${restorerOf(name) === undefined ? '' : ', and what there is belongs to this one'}. Name it in target.standby.shared where both places use the same`,
      );
  }
  return { parts, leftAlone, blocked };
}

const stepsOf = (from: FailoverPlace, to: FailoverPlace, pointId: string | undefined): string[] => [
  `at ${from.id}: ${from.lifecycle.describe.stop}, and see that nothing answers there`,
  `bring ${pointId ?? 'the newest verified point'} to ${to.id}; what lies in its folders is put aside`,
  `at ${to.id}: ${to.lifecycle.describe.start}, and wait until it is healthy`,
  'ask the canary there and count the documents',
  `lead the gateway, and all that looks at the target, to ${to.id}`,
  'ask through the gateway',
];

const planIdOf = (from: string, pointId: string | null, source: string | null, parts: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify([from, pointId, source, parts]))
    .digest('hex')
    .slice(0, 16);

/**
 * File systems with less room than what goes there needs.
 * @returns `empty`: nothing lies in those folders. Where something does, parts of a point that was brought before count for nothing.
 */
export async function findLittleRoom(
  parts: readonly { readonly folder: string; readonly bytes: number }[],
): Promise<readonly { readonly free: number; readonly needed: number; readonly empty: boolean }[]> {
  const disks = new Map<number, { free: number; needed: number; empty: boolean }>();
  for (const { folder, bytes } of parts) {
    const disk = await diskOf(folder);
    if (!disk) continue;
    const before = disks.get(disk.device) ?? { free: disk.free, needed: 0, empty: true };
    disks.set(disk.device, {
      free: disk.free,
      needed: before.needed + bytes,
      empty: before.empty && (await isEmpty(folder)),
    });
  }
  return [...disks.values()].filter(({ free, needed }) => free < needed);
}

/** But for what is our own. */
export const isEmpty = (folder: string): Promise<boolean> =>
  readdir(folder).then(
    (names) => names.every((name) => name === '.ragwarden'),
    () => true,
  );

/** Of the nearest folder that is there. */
async function diskOf(folder: string): Promise<{ device: number; free: number } | undefined> {
  for (
    let path: string | undefined = folder;
    path !== undefined;
    path = path === dirname(path) ? undefined : dirname(path)
  ) {
    const found = await Promise.all([stat(path), statfs(path)]).catch(() => undefined);
    if (found) return { device: found[0].dev, free: found[1].bavail * found[1].bsize };
  }
  return undefined;
}
