import { rejectedTag } from '../catalogue/index.ts';
import { isPointId } from '../point.ts';
import type { Snapshot } from '../repository/index.ts';
import { dayMs } from './upkeep-record.ts';

export type Leftover = { readonly snapshot: Snapshot; readonly pointId: string; readonly reason: string };

/**
 * Snapshots of a target that belong to no point and never will: their run ended before its manifest was stored, or what was stored
 * did not agree with it. Such a one stays a day, since a run may still be under way; a rejected one stays as long as a point would,
 * for whoever looks into it. What does not carry the tags of this target is not ours to remove.
 * @param running points that are being taken now
 */
export function planLeftovers(
  snapshots: readonly Snapshot[],
  facts: {
    readonly targetId: string;
    readonly nowMs: number;
    readonly running: ReadonlySet<string>;
    readonly retentionDays: number;
  },
): Leftover[] {
  const pointOf = (snapshot: Snapshot): string | undefined => {
    const [id, ...others] = snapshot.tags.filter((tag) => tag.startsWith('rp:')).map((tag) => tag.slice(3));
    return id !== undefined && others.length === 0 && isPointId(id) ? id : undefined;
  };
  const isManifest = ({ tags }: Snapshot): boolean => tags.includes('manifest') && !tags.includes(rejectedTag);
  const whole = new Set(snapshots.filter(isManifest).map(pointOf));
  return snapshots.flatMap((snapshot): Leftover[] => {
    const pointId = pointOf(snapshot);
    if (pointId === undefined || whole.has(pointId) || facts.running.has(pointId)) return [];
    if (!snapshot.tags.includes(`target:${facts.targetId}`)) return [];
    const ageMs = facts.nowMs - snapshot.createdAtMs;
    if (!snapshot.tags.includes(rejectedTag))
      return ageMs > dayMs ? [{ snapshot, pointId, reason: 'its run ended before a manifest was stored' }] : [];
    return facts.retentionDays > 0 && ageMs > Math.max(facts.retentionDays, 1) * dayMs
      ? [{ snapshot, pointId, reason: 'it was read back and did not agree with its manifest' }]
      : [];
  });
}
