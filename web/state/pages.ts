import type { Page } from '../api/wire.ts';

/** What every list of the API gives in one answer; some give more. */
export const mostAtOnce = 200;

/** The newest `wanted` of a list, in as many answers as that takes. @param ask one answer, for the part of the query that pages */
export async function readPages<T>(ask: (query: string) => Promise<Page<T>>, wanted: number): Promise<Page<T>> {
  const items: T[] = [];
  let cursor: string | null = null;
  for (;;) {
    const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: Page<T> = await ask(`limit=${Math.min(mostAtOnce, wanted - items.length)}${from}`);
    items.push(...page.items);
    cursor = page.next_cursor;
    if (cursor === null || page.items.length === 0 || items.length >= wanted)
      return { ...page, items, next_cursor: cursor };
  }
}
