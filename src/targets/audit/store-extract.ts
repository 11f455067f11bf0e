import { createHash } from 'node:crypto';
import { closeSync, createReadStream, ftruncateSync, openSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreName, StoreReader, StoreReaders, StoreRows } from './store-rows.ts';

/**
 * What an audit asks of one store, written down: one line of JSON per row. A database holds its moment only as long as somebody
 * keeps it, and an audit is over all stores, files among them; so each is read while it is there, and audited afterwards.
 */
export type StoreExtract = { readonly path: string; readonly rows: number; readonly sha256: string };
export type StoreExtracts = { readonly [Store in StoreName]?: StoreExtract };

/** Rows are handed over one after the other and cannot wait, so they are written as soon as there are so many characters. */
const pieceChars = 65_536;

/**
 * Reads each store whole into a file of the folder. A store that is not there, or not whole, gets none.
 * @param name begins the files' names
 * @throws whatever a reader throws; the signal's reason; what the system says of the folder
 */
export async function extractStores(
  readers: StoreReaders,
  { folder, name, signal }: Place & { readonly signal?: AbortSignal },
): Promise<StoreExtracts> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const extracts: { [Store in StoreName]?: StoreExtract } = {};
  // The keys of such an object are the names of stores.
  for (const store of Object.keys(readers) as StoreName[]) {
    const extract = await extractStore(readers[store], pathOf({ folder, name }, store), signal);
    if (extract) extracts[store] = extract;
  }
  return extracts;
}

type Place = { readonly folder: string; readonly name: string };
const pathOf = ({ folder, name }: Place, store: StoreName): string => join(folder, `${name}.${store}.jsonl`);

/** Takes the rows of a store as they come. */
export type TakeOf = <Store extends StoreName>(store: Store, row: StoreRows[Store]) => void;

/**
 * The same for stores whose rows come mixed, in one reading.
 * @param read hands all rows over, and says whether these were all
 */
export async function extractTogether(
  stores: readonly StoreName[],
  place: Place,
  read: (take: TakeOf) => Promise<boolean>,
): Promise<StoreExtracts> {
  await mkdir(place.folder, { recursive: true, mode: 0o700 });
  const writers = new Map(stores.map((store) => [store, createWriter(pathOf(place, store))]));
  try {
    if (!(await read((store, row) => writers.get(store)?.write(row)))) return {};
    return Object.fromEntries([...writers].map(([store, writer]) => [store, writer.end()]));
  } finally {
    for (const writer of writers.values()) writer.close();
  }
}

async function extractStore<Store extends StoreName>(
  reader: StoreReader<Store> | undefined,
  path: string,
  signal: AbortSignal | undefined,
): Promise<StoreExtract | undefined> {
  if (!reader) return undefined;
  const writer = createWriter(path);
  try {
    const whole = await reader(() => {
      writer.restart();
      return writer.write;
    }, signal);
    return whole ? writer.end() : undefined;
  } finally {
    writer.close();
  }
}

function createWriter(path: string) {
  const file = openSync(path, 'w', 0o600);
  let hash = createHash('sha256');
  let rows = 0;
  let piece = '';
  let position = 0;
  const flush = (): void => {
    const bytes = Buffer.from(piece);
    hash.update(bytes);
    for (let done = 0; done < bytes.length; )
      done += writeSync(file, bytes, done, bytes.length - done, position + done);
    position += bytes.length;
    piece = '';
  };
  return {
    restart(): void {
      hash = createHash('sha256');
      rows = 0;
      piece = '';
      position = 0;
      ftruncateSync(file);
    },
    write(row: StoreRows[StoreName]): void {
      rows += 1;
      piece += `${JSON.stringify(row)}\n`;
      if (piece.length > pieceChars) flush();
    },
    end(): StoreExtract {
      flush();
      return { path, rows, sha256: hash.digest('hex') };
    },
    close: (): void => closeSync(file),
  };
}

/** The rows of an extract, as its store would hand them over. */
export const readExtract =
  <Store extends StoreName>(extract: StoreExtract): StoreReader<Store> =>
  async (begin, signal) => {
    const take = begin();
    let rest = '';
    // Only a line feed ends a line: names may hold every other separator that Unicode has.
    for await (const chunk of createReadStream(extract.path, { encoding: 'utf8', ...(signal ? { signal } : {}) })) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      // Written by the function above, moments ago, from rows of this store.
      for (const line of lines) take(JSON.parse(line) as StoreRows[Store]);
    }
    return true;
  };
