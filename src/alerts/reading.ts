export type Labels = Readonly<Record<string, string>>;

/** What one set of labels measures now. */
export type Reading = {
  readonly labels: Labels;
  readonly value: number;
  /** What it was made of, where the number alone says too little to a person. */
  readonly detail?: string | undefined;
};

const texts = new WeakMap<Labels, string>();

/** Labels in their order as text: the same labels have the same one, in whatever order. Kept as long as the labels are. */
export function labelText(labels: Labels): string {
  let text = texts.get(labels);
  if (text === undefined) {
    const names = Object.keys(labels).sort();
    text = names.length === 0 ? '' : JSON.stringify(names.map((name) => [name, labels[name]]));
    texts.set(labels, text);
  }
  return text;
}

/** Finds one of these by its labels. One alone, by far the most common, takes no table. */
export function findByLabels<T extends { readonly labels: Labels }>(
  items: readonly T[],
): (labels: Labels) => T | undefined {
  const [only] = items;
  if (only === undefined) return findsNothing;
  if (items.length === 1)
    return (labels) => (labels === only.labels || labelText(labels) === labelText(only.labels) ? only : undefined);
  const table = new Map(items.map((one) => [labelText(one.labels), one]));
  return (labels) => table.get(labelText(labels));
}

const findsNothing = (): undefined => undefined;
