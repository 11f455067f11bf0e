import { decideVerdict, type RelationName, relationNames, relations } from './audit-relations.ts';
import type { AuditReport } from './audit-report.ts';
import { createIdSet, createNumbers, hashOf, type Numbers, type SealedIds } from './id-set.ts';
import { createSmallestIds } from './smallest-ids.ts';
import type { StoreName, StoreReader, StoreReaders, TakeRow } from './store-rows.ts';

/** How many ids are named per relation in the report, which is kept; and of what is left over, which is looked at once. */
const exampleLimit = 20;
const leftoverLimit = 100;
const exampleChars = 200;
/** Statuses are a handful of words; a store that invents more than this has them counted together. */
const maxStatuses = 32;

/** Ids of pairs that are each one word: two ends in an order that does not depend on how they were written. */
const pairName = ([a, b]: readonly [string, string]): string => (a < b ? `${a}\u0000${b}` : `${b}\u0000${a}`);

/** Order of reading: what is called processed was written before, so its parts are looked for afterwards. */
const inOrder = [
  'doc_status',
  'full_docs',
  'text_chunks',
  'graph',
  'vdb_entities',
  'vdb_relationships',
  'vdb_chunks',
] as const satisfies readonly StoreName[];

/**
 * Audits stores that nothing else has to be learnt of. Each is read once, and once more where ids have to be named.
 * @throws whatever a reader throws; the signal's reason
 */
export async function auditStores(readers: StoreReaders, signal?: AbortSignal): Promise<AuditReport> {
  const audit = createAudit();
  for (const store of inOrder) await audit.read(store, readers[store], signal);
  for (const store of audit.toExplain()) await audit.explain(store, readers[store], signal);
  return audit.report();
}

export type Audit = ReturnType<typeof createAudit>;

/** Rows of one relation that dangle, with what they take. */
export type Leftover = {
  readonly relation: RelationName;
  readonly count: number;
  /** Null where not every row told its size, or the store could not be read a second time. */
  readonly bytes: number | null;
  /** At most a hundred ids, the first in their order. */
  readonly examples: readonly string[];
};

type Named = { readonly ids: readonly string[]; readonly bytes: number | null };

/**
 * The referential audit of one workspace. Held are 53-bit hashes, 8 bytes for each id and each reference (see `id-set.ts`), so
 * a million documents with as many chunks, vectors, nodes and edges take some 130 MB outside the JavaScript heap; and the ids
 * that are named. Two ids with one hash let a fault go unseen, never invent one.
 */
export function createAudit() {
  const facts: { -readonly [Store in keyof Facts]: Facts[Store] } = {};
  const examples = new Map<RelationName, Named>();
  let found: Map<RelationName, number> | undefined;

  const results = (): Map<RelationName, number> => {
    found ??= new Map(
      relationNames.flatMap((name) => {
        const count = countOf[name](facts);
        return count === undefined ? [] : [[name, count] as const];
      }),
    );
    return found;
  };
  const faultsOf = (store: StoreName): RelationName[] =>
    relationNames.filter(
      (name) => relations[name].of === store && !examples.has(name) && (results().get(name) ?? 0) > 0,
    );

  /** Keeps the first ids of a store's rows that are faulty by what is known now. */
  const namer = <Store extends StoreName>(names: readonly RelationName[]) => {
    const lists = names.map((name) => ({
      name,
      smallest: createSmallestIds(leftoverLimit),
      bytes: 0 as number | null,
    }));
    const take: TakeRow<Store> = (row) => {
      // A relation is asked about rows of its own store only.
      for (const list of lists) {
        const ids = (faulty[list.name] as FaultyIds<Store>)(row, facts);
        if (ids.length === 0) continue;
        for (const id of ids) list.smallest.add(id.slice(0, exampleChars));
        list.bytes = list.bytes === null || row.bytes === undefined ? null : list.bytes + row.bytes;
      }
    };
    return {
      take,
      keep(): void {
        for (const { name, smallest, bytes } of lists) examples.set(name, { ids: smallest.ids(), bytes });
      },
    };
  };

  return {
    /** @returns whether the store was read */
    async read<Store extends StoreName>(
      store: Store,
      reader: StoreReader<Store> | undefined,
      signal?: AbortSignal,
    ): Promise<boolean> {
      if (!reader) return false;
      // What the stores before it can tell is named at once, so the large ones, the vectors, are read once only.
      const known = relationNames.filter(
        (name) => relations[name].of === store && relations[name].in.every((other) => facts[other]),
      );
      let reading: { collector: Collector<Store>; named: ReturnType<typeof namer<Store>> } | undefined;
      const whole = await reader(() => {
        const collector = collectors[store]();
        const named = namer<Store>(known);
        reading = { collector, named };
        return (row) => {
          collector.take(row);
          named.take(row);
        };
      }, signal);
      if (!whole || !reading) return false;
      facts[store] = reading.collector.end();
      reading.named.keep();
      return true;
    },

    /** Stores some of whose ids are still to be named; asked when all were read. */
    toExplain: (): StoreName[] => inOrder.filter((store) => faultsOf(store).length > 0),

    /** Reads a store once more, to name what is wrong with it. A reader that fails now leaves the counts without names. */
    async explain<Store extends StoreName>(
      store: Store,
      reader: StoreReader<Store> | undefined,
      signal?: AbortSignal,
    ): Promise<void> {
      const names = faultsOf(store);
      if (!reader || names.length === 0) return;
      let named = namer<Store>(names);
      const whole = await reader(() => {
        named = namer<Store>(names);
        return named.take;
      }, signal);
      if (whole) named.keep();
    },

    /** What dangles; asked when all were read and explained. */
    leftovers: (): Leftover[] =>
      [...results()]
        .filter(([, count]) => count > 0)
        .map(([relation, count]) => {
          const named = examples.get(relation);
          return { relation, count, bytes: named?.bytes ?? null, examples: named?.ids ?? [] };
        }),

    /** Whether a row of this id is known not to be there: the store was read whole, and lacks it. */
    isKnownToLack: (store: 'text_chunks', id: string): boolean => lacks(facts[store]?.ids, id),

    /** How often an id came in a store of vectors that was there before. */
    duplicates: (store: 'vdb_chunks' | 'vdb_entities' | 'vdb_relationships'): number =>
      facts[store]?.ids.duplicates ?? 0,

    /** @param more rows of stores that no relation speaks of */
    report(more: Readonly<Record<string, number>> = {}): AuditReport {
      const counts: Record<string, number> = {};
      for (const store of inOrder) {
        if (store === 'graph') continue;
        const rows = facts[store]?.rows;
        if (rows !== undefined) counts[store] = rows;
      }
      if (facts.graph) Object.assign(counts, { graph_nodes: facts.graph.nodes, graph_edges: facts.graph.edges });
      const dangling: AuditReport['dangling'] = {};
      for (const [name, count] of results())
        dangling[name] = { count, examples: examples.get(name)?.ids.slice(0, exampleLimit) ?? [] };
      const unchecked = relationNames.filter((name) => !results().has(name));
      return {
        verdict: decideVerdict({ dangling, unchecked }),
        counts: { ...counts, ...more },
        documents: Object.fromEntries(facts.doc_status?.statuses ?? []),
        dangling,
        unchecked,
      };
    },
  };
}

type Counted = { readonly rows: number; readonly ids: SealedIds };
type Collected = {
  doc_status: Counted & {
    readonly statuses: ReadonlyMap<string, number>;
    /** Not failed: their text must be there. */
    readonly kept: SealedIds;
    /** One entry per chunk of a processed document: its hash, and the document's place among the processed ones. */
    readonly chunks: Numbers;
    readonly places: Numbers;
  };
  full_docs: Counted;
  /** `documents`: one hash per chunk that names its document. */
  text_chunks: Counted & { readonly documents: Numbers };
  vdb_chunks: Counted;
  /** `names`: undefined when a row had none. */
  vdb_entities: Counted & { readonly names: SealedIds | undefined };
  vdb_relationships: Counted & { readonly names: SealedIds | undefined };
  graph: {
    readonly nodes: number;
    readonly edges: number;
    readonly nodeIds: SealedIds;
    readonly edgeIds: SealedIds;
    readonly ends: SealedIds;
  };
};
type Facts = { readonly [Store in StoreName]?: Collected[Store] };
type Collector<Store extends StoreName> = { readonly take: TakeRow<Store>; end(): Collected[Store] };

/** Ids, and what of each row is kept besides. */
function counting<Row extends { readonly id: string }, More extends object>(
  more: (row: Row) => void,
  end: () => More,
): { take(row: Row): void; end(): Counted & More } {
  const ids = createIdSet();
  let rows = 0;
  return {
    take(row) {
      rows += 1;
      ids.add(row.id);
      more(row);
    },
    end: () => ({ rows, ids: ids.seal(), ...end() }),
  };
}

/** Names that tie vectors to the graph; one row without any makes all of them unknown. */
function naming() {
  const names = createIdSet();
  let allNamed = true;
  return {
    add(name: string | undefined): void {
      if (name === undefined) allNamed = false;
      else names.add(name);
    },
    end: () => ({ names: allNamed ? names.seal() : undefined }),
  };
}

const nothingMore = (): object => ({});

const collectors: { readonly [Store in StoreName]: () => Collector<Store> } = {
  doc_status() {
    const kept = createIdSet();
    const [chunks, places] = [createNumbers(), createNumbers()];
    const statuses = new Map<string, number>();
    let processed = 0;
    return counting(
      ({ id, status, chunks: list }) => {
        const word = statuses.has(status) || statuses.size < maxStatuses ? status : 'other';
        statuses.set(word, (statuses.get(word) ?? 0) + 1);
        if (status !== 'failed') kept.add(id);
        if (status !== 'processed') return;
        for (const chunk of list) {
          chunks.push(hashOf(chunk));
          places.push(processed);
        }
        processed += 1;
      },
      () => ({ statuses, kept: kept.seal(), chunks, places }),
    );
  },
  full_docs: () => counting(nothingMore, nothingMore),
  text_chunks() {
    const documents = createNumbers();
    return counting(
      ({ document }) => {
        if (document !== undefined) documents.push(hashOf(document));
      },
      () => ({ documents }),
    );
  },
  vdb_chunks: () => counting(nothingMore, nothingMore),
  vdb_entities() {
    const names = naming();
    return counting(({ name }) => names.add(name), names.end);
  },
  vdb_relationships() {
    const names = naming();
    return counting(({ ends }) => names.add(ends && pairName(ends)), names.end);
  },
  graph() {
    const [nodeIds, edgeIds, ends] = [createIdSet(), createIdSet(), createIdSet()];
    let nodes = 0;
    let edges = 0;
    return {
      take(row) {
        if ('node' in row) {
          nodes += 1;
          nodeIds.add(row.node);
          return;
        }
        edges += 1;
        edgeIds.add(pairName(row.ends));
        for (const end of row.ends) ends.add(end);
      },
      end: () => ({ nodes, edges, nodeIds: nodeIds.seal(), edgeIds: edgeIds.seal(), ends: ends.seal() }),
    };
  },
};

/** Undefined where one side is not known, or holds more than is compared. */
function missing(these: SealedIds | undefined, others: SealedIds | undefined): number | undefined {
  if (!these || !others || these.isOverfull || others.isOverfull) return undefined;
  return these.countMissingIn(others);
}

/** Processed documents of whose chunks `present` lacks at least one. */
function unfound(documents: Collected['doc_status'] | undefined, present: SealedIds | undefined): number | undefined {
  if (!documents || !present || present.isOverfull || documents.chunks.isOverfull()) return undefined;
  const places = documents.places.values();
  let count = 0;
  let last = -1;
  for (const [at, hash] of documents.chunks.values().entries()) {
    const place = places[at] ?? 0;
    if (place === last || present.hasHash(hash)) continue;
    last = place;
    count += 1;
  }
  return count;
}

function chunksWithoutDocument({ text_chunks: chunks, doc_status: documents }: Facts): number | undefined {
  if (!chunks || !documents || documents.ids.isOverfull || chunks.documents.isOverfull()) return undefined;
  let count = 0;
  for (const hash of chunks.documents.values()) if (!documents.ids.hasHash(hash)) count += 1;
  return count;
}

const countOf: { readonly [Name in RelationName]: (facts: Facts) => number | undefined } = {
  documents_without_text: (f) => missing(f.doc_status?.kept, f.full_docs?.ids),
  texts_without_document: (f) => missing(f.full_docs?.ids, f.doc_status?.ids),
  processed_without_chunks: (f) => unfound(f.doc_status, f.text_chunks?.ids),
  processed_without_chunk_vectors: (f) => unfound(f.doc_status, f.vdb_chunks?.ids),
  chunks_without_document: chunksWithoutDocument,
  chunk_vectors_without_chunk: (f) => missing(f.vdb_chunks?.ids, f.text_chunks?.ids),
  nodes_without_vector: (f) => missing(f.graph?.nodeIds, f.vdb_entities?.names),
  entity_vectors_without_node: (f) => missing(f.vdb_entities?.names, f.graph?.nodeIds),
  edges_without_vector: (f) => missing(f.graph?.edgeIds, f.vdb_relationships?.names),
  relation_vectors_without_edge: (f) => missing(f.vdb_relationships?.names, f.graph?.edgeIds),
  edge_ends_without_node: (f) => missing(f.graph?.ends, f.graph?.nodeIds),
};

type FaultyIds<Store extends StoreName> = (row: Parameters<TakeRow<Store>>[0], facts: Facts) => readonly string[];
const when = (isFaulty: boolean | undefined, id: string): readonly string[] => (isFaulty ? [id] : []);
const lacks = (set: SealedIds | undefined, id: string | undefined): boolean =>
  set !== undefined && id !== undefined && !set.has(id);
const edgeText = ([a, b]: readonly [string, string]): string => (a < b ? `${a} -- ${b}` : `${b} -- ${a}`);

/** Which ids of one row are examples: the same questions as above, asked of a row. */
const faulty: { readonly [Name in RelationName]: FaultyIds<(typeof relations)[Name]['of']> } = {
  documents_without_text: ({ id, status }, f) => when(status !== 'failed' && lacks(f.full_docs?.ids, id), id),
  texts_without_document: ({ id }, f) => when(lacks(f.doc_status?.ids, id), id),
  processed_without_chunks: ({ id, status, chunks }, f) =>
    when(status === 'processed' && chunks.some((chunk) => lacks(f.text_chunks?.ids, chunk)), id),
  processed_without_chunk_vectors: ({ id, status, chunks }, f) =>
    when(status === 'processed' && chunks.some((chunk) => lacks(f.vdb_chunks?.ids, chunk)), id),
  chunks_without_document: ({ id, document }, f) => when(lacks(f.doc_status?.ids, document), id),
  chunk_vectors_without_chunk: ({ id }, f) => when(lacks(f.text_chunks?.ids, id), id),
  nodes_without_vector: (row, f) => ('node' in row ? when(lacks(f.vdb_entities?.names, row.node), row.node) : []),
  entity_vectors_without_node: ({ name }, f) => when(lacks(f.graph?.nodeIds, name), name ?? ''),
  edges_without_vector: (row, f) =>
    'ends' in row ? when(lacks(f.vdb_relationships?.names, pairName(row.ends)), edgeText(row.ends)) : [],
  relation_vectors_without_edge: ({ ends }, f) =>
    ends ? when(lacks(f.graph?.edgeIds, pairName(ends)), edgeText(ends)) : [],
  edge_ends_without_node: (row, f) => ('ends' in row ? row.ends.filter((end) => lacks(f.graph?.nodeIds, end)) : []),
};
