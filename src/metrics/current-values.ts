import type { Labels } from './metric-definition.ts';
import type { RecentWindows } from './recent-windows.ts';
import type { MetricRegistry } from './registry.ts';
import type { Family } from './series.ts';

/** A series as it stands. Made once per series: `value` is another one after each look. */
export type CurrentSeries = { readonly labels: Labels; value: number };

/** What the series of one name stand at now, in this process, without a look into the store. */
export type CurrentValues = {
  /**
   * The series of a name whose labels are wanted. Undefined where values are kept one by one: of those the last is as old as it is, and
   * only the store knows how old; and for names that nobody knows here.
   */
  choose(name: string, wants: (labels: Labels) => boolean): CurrentChoice | undefined;
  /** What they measured over a window that ends now, as far as that is in memory. */
  readonly windows: RecentWindows;
};
/** What `choose` chose; read again and again, and made anew only when series began or ended. The array is the caller's until the next read. */
export type CurrentChoice = { read(): readonly CurrentSeries[] };

export function createCurrentValues(options: {
  registry: Pick<MetricRegistry, 'families'>;
  windows: RecentWindows;
  instance: string;
}): CurrentValues {
  const { registry, windows, instance } = options;
  let seen: readonly Family[] | undefined;
  let byName = new Map<string, Family>();
  const labelsByOrder = new WeakMap<readonly number[], readonly Labels[]>();
  const find = (name: string): Family | undefined => {
    const families = registry.families();
    if (families !== seen) {
      seen = families;
      byName = new Map(
        families
          .filter(({ definition: { type, keepsEach } }) => type !== 'histogram' && keepsEach !== true)
          .map((family) => [family.definition.storedName ?? family.definition.name, family]),
      );
    }
    return byName.get(name);
  };
  /** Made once for all who choose among the same series. */
  const labelsIn = (family: Family, order: readonly number[]): readonly Labels[] => {
    const known = labelsByOrder.get(order) ?? order.map((slot) => labelsOf(family, slot, instance));
    labelsByOrder.set(order, known);
    return known;
  };
  return {
    windows,
    choose(name, wants) {
      const family = find(name);
      if (family === undefined) return undefined;
      let order: readonly number[] | undefined;
      let chosen: (CurrentSeries & { readonly slot: number })[] = [];
      const choose = (): void => {
        order = family.slotsInOrder();
        const labels = labelsIn(family, order);
        chosen = order.flatMap((slot, at) => {
          const own = labels[at];
          return own !== undefined && wants(own) ? [{ labels: own, value: Number.NaN, slot }] : [];
        });
      };
      return {
        read() {
          if (family.slotsInOrder() !== order) choose();
          const { values, present } = family;
          let missing = false;
          for (const series of chosen) {
            // Never set, or gone with the look of its collector.
            const value = present[series.slot] === 0 ? Number.NaN : values[series.slot]!;
            series.value = value;
            if (Number.isNaN(value)) missing = true;
          }
          // Nearly always all of them have one: then nothing is put together.
          return missing ? chosen.filter(({ value }) => !Number.isNaN(value)) : chosen;
        },
      };
    },
  };
}

function labelsOf(family: Family, slot: number, instance: string): Labels {
  const flat = family.labelsOf(slot);
  const labels: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) labels[flat[i]!] = flat[i + 1]!;
  labels.instance ??= instance;
  return labels;
}
