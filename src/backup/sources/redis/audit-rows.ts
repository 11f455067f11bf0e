import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { extractTogether, type StoreExtracts } from '../../../targets/index.ts';
import { readKeyLines } from './key-lines.ts';
import { findOwner } from './lightrag-keys.ts';
import { createRdbKeyReader, stringOfDump } from './rdb-keys.ts';
import type { RedisDetails } from './redis-details.ts';

/** Where what an audit asks is written down, and of which workspace, as the keys name it. */
type Wanted = { readonly folder: string; readonly name: string; readonly workspace: string };

/** Stores that an audit asks for and LightRAG may keep in a Redis. */
const stores = ['doc_status', 'full_docs', 'text_chunks'] as const;
type RedisStore = (typeof stores)[number];

/** Which store of the workspace the key is a row of; undefined: of none that is audited. */
function storeOf(key: Buffer, workspace: string): RedisStore | undefined {
  const owner = findOwner(key);
  if (!owner || owner.index || owner.workspace !== workspace) return undefined;
  return stores.find((store) => store === owner.namespace);
}

const document = z.object({ status: z.string(), chunks_list: z.array(z.string()).nullish() });
const chunk = z.object({ full_doc_id: z.string().min(1) });

/** Takes keys with their values, in any order, each once. */
export type TakeKey = (key: Buffer, value: () => Buffer | undefined) => void;

/**
 * Writes down the rows among the keys that are handed over. A value that is no JSON, or not that of a row, is a row that says nothing.
 * @param read hands all keys over, and says whether these were all
 */
export const extractKeys = (
  { workspace, ...place }: Wanted,
  read: (take: TakeKey) => Promise<boolean>,
): Promise<StoreExtracts> =>
  extractTogether(stores, place, (take) =>
    read((key, value) => {
      const store = storeOf(key, workspace);
      if (store === undefined) return;
      const id = key.toString('utf8', key.indexOf(0x3a) + 1);
      if (store === 'full_docs') return take(store, { id });
      const row = parseJson(value());
      if (store === 'text_chunks') return take(store, { id, document: chunk.safeParse(row).data?.full_doc_id });
      const { status = 'unknown', chunks_list } = document.safeParse(row).data ?? {};
      take(store, { id, status, chunks: chunks_list ?? [] });
    }),
  );

/**
 * The same from a captured Redis, as it lies in its file.
 * @throws Error when the file cannot be understood
 */
export const extractCaptured = (
  file: string,
  captured: Pick<RedisDetails, 'form' | 'database'>,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<StoreExtracts> =>
  extractKeys(wanted, async (take) => {
    const bytes = createReadStream(file, { signal });
    if (captured.form === 'keys') {
      for await (const batch of readKeyLines(bytes))
        for (const { key, dump } of batch) take(key, () => stringOfDump(dump));
      return true;
    }
    const reader = createRdbKeyReader(
      ({ database, key }, value) => {
        if (database === captured.database) take(key, () => value);
      },
      ({ database, key }) => {
        const store = database === captured.database ? storeOf(key, wanted.workspace) : undefined;
        // Of a text it is enough that it is there.
        return store !== undefined && store !== 'full_docs';
      },
    );
    for await (const piece of bytes) reader.write(piece);
    const problem = reader.end();
    if (problem !== undefined) throw new Error(problem);
    return true;
  });

function parseJson(value: Buffer | undefined): unknown {
  try {
    return JSON.parse(value?.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
}
