/** The first few ids in the order of their code units, whatever order they come in: examples that are the same each time. */
export function createSmallestIds(limit: number): { add(id: string): void; ids(): string[] } {
  const kept: string[] = [];
  return {
    add(id) {
      const last = kept.at(-1);
      if (kept.length === limit && (last === undefined || id >= last)) return;
      let at = kept.length;
      while (at > 0 && (kept[at - 1] ?? '') > id) at -= 1;
      if (kept[at - 1] === id) return;
      kept.splice(at, 0, id);
      if (kept.length > limit) kept.pop();
    },
    ids: () => [...kept],
  };
}
