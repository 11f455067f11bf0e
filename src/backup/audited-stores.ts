import {
  type Observation,
  type StoreExtract,
  type StoreExtracts,
  type StoreName,
  storeFiles,
} from '../targets/index.ts';
import type { CaptureResult } from './sources/source.ts';

/** Which component each store of the audit was read from, and the rows of those that lie in databases. */
export type AuditedStores = {
  readonly homes: { readonly [Store in StoreName]?: string };
  readonly extracts: StoreExtracts;
};

/** The setting of the backend that says where a store is. */
const roleOf: Readonly<Record<StoreName, string>> = {
  doc_status: 'doc_status_storage',
  full_docs: 'kv_storage',
  text_chunks: 'kv_storage',
  vdb_chunks: 'vector_storage',
  vdb_entities: 'vector_storage',
  vdb_relationships: 'vector_storage',
  graph: 'graph_storage',
};
const storeNames = Object.keys(storeFiles) as readonly StoreName[];

/**
 * Where each store lies: as the backend says; where it says nothing, in its file, else in the database with the most rows of it. An
 * installation may have rows in several places, and reads one of them; a place that is empty is no home, unless the backend says so.
 * @param workspace the sub-folder of the captured folder, or ''
 */
export function decideAuditedStores(
  captured: readonly Pick<CaptureResult, 'name' | 'kind' | 'entries' | 'extracts'>[],
  observation: Pick<Observation, 'storageClasses'> | undefined,
  workspace: string,
): AuditedStores {
  const folder = captured.find((one) => one.name === 'workspace');
  const files = new Set(folder?.entries.map(({ path }) => path));
  const homes: { [Store in StoreName]?: string } = {};
  const extracts: { [Store in StoreName]?: StoreExtract } = {};
  for (const store of storeNames) {
    const storage = observation?.storageClasses?.[roleOf[store]];
    const wanted = storage === undefined ? undefined : homeOfStorage(storage);
    const inFile = files.has(workspace === '' ? storeFiles[store] : `${workspace}/${storeFiles[store]}`);
    if (inFile && (wanted === 'files' || storage === undefined)) {
      homes[store] = 'workspace';
      continue;
    }
    const [most] = captured
      .flatMap(({ name, kind, extracts: { [store]: extract } = {} }) =>
        extract && (storage === undefined ? extract.rows > 0 : kind === wanted) ? [{ name, extract }] : [],
      )
      .sort((a, b) => b.extract.rows - a.extract.rows);
    if (!most) continue;
    homes[store] = most.name;
    extracts[store] = most.extract;
  }
  return { homes, extracts };
}

/** Which kind of component holds what LightRAG keeps in a storage class; undefined: none that is captured. */
export function homeOfStorage(storage: string): 'files' | 'postgres' | 'redis' | 'qdrant' | undefined {
  if (fileStorages.has(storage)) return 'files';
  if (/^PG[A-Z]/.test(storage)) return 'postgres';
  if (/^Redis[A-Z]/.test(storage)) return 'redis';
  if (/^Qdrant[A-Z]/.test(storage)) return 'qdrant';
  return undefined;
}

/** LightRAG's storage classes whose data lies in the working folder. */
const fileStorages = new Set([
  'JsonKVStorage',
  'JsonDocStatusStorage',
  'NetworkXStorage',
  'NanoVectorDBStorage',
  'FaissVectorDBStorage',
]);
