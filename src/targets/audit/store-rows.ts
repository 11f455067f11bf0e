/** What a row takes where it lies, where its reader can tell; kept of rows that are left over. */
type Sized = { readonly bytes?: number | undefined };

/**
 * What an audit asks of the stores of one workspace, wherever they lie: rows with the little that ties them to other stores.
 * Names as the backend calls its stores; the graph comes as one store, as files hold it.
 */
export type StoreRows = {
  /** `chunks`: the ids of `chunks_list`. */
  readonly doc_status: { readonly id: string; readonly status: string; readonly chunks: readonly string[] } & Sized;
  readonly full_docs: { readonly id: string } & Sized;
  /** `document`: `full_doc_id`; undefined where the row has none. */
  readonly text_chunks: { readonly id: string; readonly document: string | undefined } & Sized;
  readonly vdb_chunks: { readonly id: string } & Sized;
  /** `name`: of the entity. Undefined where the row does not say: nothing can then be said about names. */
  readonly vdb_entities: { readonly id: string; readonly name: string | undefined } & Sized;
  readonly vdb_relationships: { readonly id: string; readonly ends: readonly [string, string] | undefined } & Sized;
  readonly graph: ({ readonly node: string } | { readonly ends: readonly [string, string] }) & Sized;
};
export type StoreName = keyof StoreRows;
export type TakeRow<Store extends StoreName> = (row: StoreRows[Store]) => void;

/**
 * Reads one store whole, in any order, each row once, holding no more than a few at a time. It may be asked a second time, when
 * examples of what is wrong are wanted.
 * @param begin called once before the first row; and again by a reader that starts over, whose earlier rows are then forgotten
 * @returns false when the store is not there, or could not be read to its end: nothing is then said about it
 */
export type StoreReader<Store extends StoreName> = (
  begin: () => TakeRow<Store>,
  signal?: AbortSignal,
) => Promise<boolean>;

/** A store that is left out is one that nobody here can read. */
export type StoreReaders = { readonly [Store in StoreName]?: StoreReader<Store> };
