/** Components that an inspector knows: LightRAG's working folder, and the project of GraphRAG. A point has at most one of them. */
const inspected: ReadonlySet<string> = new Set(['workspace', 'project']);

export const isInspected = (component: string): boolean => inspected.has(component);

export const inspectedName = (components: readonly { readonly name: string }[]): string | undefined =>
  components.find(({ name }) => isInspected(name))?.name;
