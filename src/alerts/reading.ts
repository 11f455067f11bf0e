export type Labels = Readonly<Record<string, string>>;

/** What one set of labels measures now. */
export type Reading = { readonly labels: Labels; readonly value: number };

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
