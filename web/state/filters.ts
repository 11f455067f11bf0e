/**
 * What narrows the lists of a view, as the address holds it: one word each; '' is what is usual.
 * The names are the address's; the same one in two views may mean two things.
 */
export const filterNames = {
  alerts: ['rules', 'silences', 'fired', 'told'],
  quotas: ['held', 'beyond'],
  replication: ['place', 'what', 'ended'],
  tuning: ['values'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type FilterName = (typeof filterNames)[keyof typeof filterNames][number];
export type Filters = Readonly<Partial<Record<FilterName, string>>>;

const all: ReadonlySet<FilterName> = new Set(Object.values(filterNames).flat());
const namesOf = (view: string): readonly FilterName[] =>
  Object.hasOwn(filterNames, view) ? filterNames[view as keyof typeof filterNames] : []; // just looked at

export function readFilters(view: string, query: URLSearchParams): Filters {
  const filters: Partial<Record<FilterName, string>> = {};
  for (const name of namesOf(view)) {
    const value = query.get(name)?.slice(0, 200);
    if (value) filters[name] = value;
  }
  return filters;
}

/** What belongs to another view is not kept. */
export function writeFilters(view: string, query: URLSearchParams, filters: Filters): void {
  for (const name of all) query.delete(name);
  for (const name of namesOf(view)) if (filters[name]) query.set(name, filters[name]);
}
