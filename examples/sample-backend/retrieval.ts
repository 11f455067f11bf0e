import { edgeKey } from './store/graph-store.ts';
import type { VectorRow, VectorStore } from './store/vector-store.ts';
import type { Workspace } from './store/workspace.ts';
import { embed, words } from './text.ts';

export const queryModes = ['local', 'global', 'hybrid', 'naive', 'mix', 'bypass'] as const;
export type QueryMode = (typeof queryModes)[number];

export type Retrieval = {
  readonly entities: Record<string, unknown>[];
  readonly relationships: Record<string, unknown>[];
  readonly chunks: { content: string; file_path: string; chunk_id: string; reference_id: string }[];
  readonly references: { reference_id: string; file_path: string }[];
  /** Before the budgets cut anything. */
  readonly totals: { entities: number; relations: number; chunks: number };
};

export type RetrievalLimits = { readonly topK: number; readonly chunkTopK: number };

/**
 * What the workspace knows about the words of a question. A row counts when it shares a word with them; nearness of the vectors
 * orders the rows. Without a shared word nothing is found, however small the dimension and however near the vectors are by chance.
 */
export function retrieve(workspace: Workspace, keywords: string, mode: QueryMode, limits: RetrievalLimits): Retrieval {
  const asked = new Set(words(keywords));
  const withEntities = mode === 'local' || mode === 'hybrid' || mode === 'mix';
  const withRelations = mode === 'global' || mode === 'hybrid' || mode === 'mix';
  const entities = withEntities ? search(workspace.entities, keywords, asked) : [];
  const relations = withRelations ? search(workspace.relationships, keywords, asked) : [];
  const kept = { entities: entities.slice(0, limits.topK), relations: relations.slice(0, limits.topK) };

  const chunkIds = new Set<string>();
  if (mode === 'naive' || mode === 'mix')
    for (const row of search(workspace.chunks, keywords, asked).slice(0, limits.chunkTopK)) chunkIds.add(row.__id__);
  for (const row of [...kept.entities, ...kept.relations])
    for (const id of (row.source_id ?? '').split('<SEP>').slice(0, 5)) chunkIds.add(id);

  const chosen = [...chunkIds]
    .map((id) => ({ id, row: workspace.textChunks.rows.get(id) }))
    .flatMap(({ id, row }) => (row === undefined ? [] : [{ id, row }]))
    .slice(0, limits.chunkTopK);
  const files = [...new Set(chosen.map(({ row }) => row.file_path))];
  const referenceOf = (filePath: string): string => {
    const place = files.indexOf(filePath.split('<SEP>')[0] ?? '');
    return place < 0 ? '' : String(place + 1);
  };
  return {
    entities: kept.entities.map((row) => ({
      entity_name: row.entity_name,
      entity_type: workspace.graph.nodes.get(row.entity_name ?? '')?.entity_type ?? 'UNKNOWN',
      description: workspace.graph.nodes.get(row.entity_name ?? '')?.description ?? row.content,
      source_id: row.source_id,
      file_path: row.file_path,
      created_at: row.__created_at__,
    })),
    relationships: kept.relations.map((row) => {
      const edge = workspace.graph.edges.get(edgeKey(row.src_id ?? '', row.tgt_id ?? ''))?.attributes;
      return {
        src_id: row.src_id,
        tgt_id: row.tgt_id,
        description: edge?.description ?? row.content,
        keywords: edge?.keywords ?? '',
        weight: edge?.weight ?? 1,
        source_id: row.source_id,
        file_path: row.file_path,
        created_at: row.__created_at__,
      };
    }),
    chunks: chosen.map(({ id, row }) => ({
      reference_id: referenceOf(row.file_path),
      content: row.content,
      file_path: row.file_path,
      chunk_id: id,
    })),
    references: files.map((file_path, index) => ({ reference_id: String(index + 1), file_path })),
    totals: { entities: entities.length, relations: relations.length, chunks: chunkIds.size },
  };
}

function search(store: VectorStore, keywords: string, asked: ReadonlySet<string>): VectorRow[] {
  const wanted = embed(keywords, store.dimension);
  const scored: { row: VectorRow; score: number; index: number }[] = [];
  store.rows().forEach((row, index) => {
    const shared = new Set(words(row.content).filter((word) => asked.has(word))).size;
    if (shared === 0) return;
    const vector = store.vectorAt(index);
    let nearness = 0;
    for (let column = 0; column < wanted.length; column += 1) nearness += (wanted[column] ?? 0) * (vector[column] ?? 0);
    scored.push({ row, score: shared + nearness, index });
  });
  return scored.sort((a, b) => b.score - a.score || a.index - b.index).map(({ row }) => row);
}
