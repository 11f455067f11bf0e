import { type RawBuilder, sql } from 'kysely';
import type { PagePlace } from '../paging.ts';

/** Rows behind a place of a list that is ordered by this column and then by `id`, both descending. */
export const olderThan = (column: string, { atMs, id }: PagePlace): RawBuilder<boolean> =>
  sql<boolean>`(${sql.ref(column)}, ${sql.ref('id')}) < (${atMs}, ${id})`;
