import type { Manifest } from '../manifest.ts';
import type { RecoveryPoint } from '../point.ts';

/**
 * What is known of a point only after its manifest was stored, or changes later. It travels with the point as tags of its
 * snapshot, so that the catalogue can be made from the repository alone.
 */
export type PointFacts = {
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
  readonly verifiedMs: number | null;
  readonly storedBytes: number | null;
  readonly operationId: string | null;
  readonly pinned: boolean;
};

/** A snapshot that was read back and did not agree with its manifest: kept to look into, never a point. */
export const rejectedTag = 'rejected';
const pinnedTag = 'pinned';
const prefixes = {
  startedMs: 'started-at:',
  finishedMs: 'finished-at:',
  verifiedMs: 'verified-at:',
  storedBytes: 'stored-bytes:',
  operationId: 'operation:',
} as const;

/** `unreadable` are tags of ours whose value says nothing. Of two values the later one counts: an interrupted change left both. */
export function factsOfTags(tags: readonly string[]): { facts: PointFacts; unreadable: readonly string[] } {
  const unreadable: string[] = [];
  const values = <Value extends number | string>(prefix: string, parse: (text: string) => Value | undefined): Value[] =>
    tags
      .filter((tag) => tag.startsWith(prefix))
      .flatMap((tag) => {
        const value = parse(tag.slice(prefix.length));
        if (value === undefined) unreadable.push(tag);
        return value === undefined ? [] : [value];
      });
  const latest = (prefix: string, parse: (text: string) => number | undefined): number | null => {
    const found = values(prefix, parse);
    return found.length === 0 ? null : Math.max(...found);
  };
  const facts: PointFacts = {
    startedMs: latest(prefixes.startedMs, parseInstant),
    finishedMs: latest(prefixes.finishedMs, parseInstant),
    verifiedMs: latest(prefixes.verifiedMs, parseInstant),
    storedBytes: latest(prefixes.storedBytes, parseBytes),
    operationId: values(prefixes.operationId, parseOperation)[0] ?? null,
    pinned: tags.includes(pinnedTag),
  };
  return { facts, unreadable };
}

/** The tags with which a point says what its manifest does not. */
export function tagsOfFacts(
  point: Pick<RecoveryPoint, keyof PointFacts>,
  manifest: Pick<Manifest, 'started_at' | 'operation_id'> | null,
): string[] {
  const tags: string[] = [];
  const add = (prefix: string, value: string | number | null): void => {
    if (value !== null) tags.push(`${prefix}${value}`);
  };
  const instant = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  if (manifest?.started_at === undefined) add(prefixes.startedMs, instant(point.startedMs));
  if (manifest?.operation_id === undefined) add(prefixes.operationId, point.operationId);
  add(prefixes.finishedMs, instant(point.finishedMs));
  add(prefixes.verifiedMs, instant(point.verifiedMs));
  add(prefixes.storedBytes, point.storedBytes);
  if (point.pinned) tags.push(pinnedTag);
  return tags;
}

/** What makes the tags of a snapshot say what they should; tags that are not facts stay. */
export function tagChanges(present: readonly string[], wanted: readonly string[]): { add: string[]; remove: string[] } {
  const isFact = (tag: string): boolean =>
    tag === pinnedTag || Object.values(prefixes).some((prefix) => tag.startsWith(prefix));
  return {
    add: wanted.filter((tag) => !present.includes(tag)),
    remove: present.filter((tag) => isFact(tag) && !wanted.includes(tag)),
  };
}

function parseInstant(text: string): number | undefined {
  const ms = Date.parse(text);
  return Number.isFinite(ms) && new Date(ms).toISOString() === text ? ms : undefined;
}

function parseBytes(text: string): number | undefined {
  const bytes = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const parseOperation = (text: string): string | undefined => (/^[A-Za-z0-9_-]{1,64}$/.test(text) ? text : undefined);
