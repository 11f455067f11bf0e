import type { MetricRegistry } from '../registry.ts';
import type { Family } from '../series.ts';

/** What a name of ours is in a store that is written to: there everything is called as on `/metrics`, in base units. */
export type StoreName = {
  /** Name of ours. */
  readonly name: string;
  readonly exposed: string;
  readonly kind: 'counter' | 'gauge' | 'distribution';
  /** What a value of ours was multiplied by. */
  readonly scale: number;
};

/**
 * Either way: by the name that was recorded, or by the one on `/metrics`. A name that is neither was perhaps recorded in an earlier
 * life; it is then looked for as it is.
 */
export function findStoreName(registry: Pick<MetricRegistry, 'families'>, asked: string): StoreName {
  const families = registry.families();
  const ownName = ({ definition }: Family): string => definition.storedName ?? definition.name;
  const family =
    families.find((one) => ownName(one) === asked) ?? families.find(({ definition }) => definition.name === asked);
  if (family !== undefined) {
    const { name, type, scale = 1 } = family.definition;
    const kind = type === 'histogram' ? 'distribution' : type === 'counter' ? 'counter' : 'gauge';
    return { name: ownName(family), exposed: name, kind, scale };
  }
  // Our own histograms are kept as two counters.
  const part = /^(.+)_(count|sum)$/.exec(asked)?.[1];
  const isPart = families.some(({ definition: { name, type } }) => name === part && type === 'histogram');
  const kind = isPart || asked.endsWith('_total') ? 'counter' : 'gauge';
  return { name: asked, exposed: asked, kind, scale: 1 };
}
