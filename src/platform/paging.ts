import { z } from 'zod';

/** Where a page of a list that goes from the newest on ends: the time and the id of its last row. */
export type PagePlace = { readonly atMs: number; readonly id: string };

/** @param idShape what ids of the list look like, as a regular expression without anchors */
export const pageCursor = (idShape: string) =>
  z
    .string()
    .max(100)
    .regex(new RegExp(`^\\d{1,15}\\.${idShape}$`), 'is not a cursor of this list')
    .optional();

/** @param cursor as `pageCursor` let it through */
export function placeOfCursor(cursor: string | undefined): PagePlace | undefined {
  if (cursor === undefined) return undefined;
  const dot = cursor.indexOf('.');
  return { atMs: Number(cursor.slice(0, dot)), id: cursor.slice(dot + 1) };
}

/** @param rows one more than `limit` where there are more */
export function pageOf<Row extends { readonly id: string }, Body>(
  rows: readonly Row[],
  limit: number,
  { atMs, body }: { atMs(row: Row): number; body(row: Row): Body },
): { items: Body[]; next_cursor: string | null } {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { items: rows.slice(0, limit).map(body), next_cursor: last ? `${atMs(last)}.${last.id}` : null };
}
