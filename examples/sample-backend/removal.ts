import { entityId, entityVectorMeta, relationId, relationVectorMeta } from './records.ts';
import type { Workspace } from './store/workspace.ts';
import { embed, separator } from './text.ts';

/** Takes one document out of every store; entities and relations that other documents also speak of stay. */
export function removeDocument(workspace: Workspace, docId: string, alsoCache: boolean): void {
  const gone = new Set([...workspace.textChunks.rows].filter(([, row]) => row.full_doc_id === docId).map(([id]) => id));
  for (const id of gone) {
    if (alsoCache)
      for (const key of workspace.textChunks.rows.get(id)?.llm_cache_list ?? []) workspace.cache.delete(key);
    workspace.textChunks.delete(id);
  }
  workspace.chunks.delete(gone);
  removeKnowledge(workspace, gone);
  workspace.fullEntities.delete(docId);
  workspace.fullRelations.delete(docId);
  workspace.fullDocs.delete(docId);
  workspace.docStatus.delete(docId);
}

function removeKnowledge(workspace: Workspace, gone: ReadonlySet<string>): void {
  const { graph } = workspace;
  const remaining = (sources: string): string[] => sources.split(separator).filter((id) => !gone.has(id));
  const seconds = Math.floor(Date.now() / 1000);

  const lostRelations = new Set<string>();
  for (const [key, edge] of graph.edges) {
    const left = remaining(edge.attributes.source_id);
    if (left.length === edge.attributes.source_id.split(separator).length) continue;
    const id = relationId(edge.source, edge.target);
    if (left.length === 0) {
      graph.deleteEdge(key);
      lostRelations.add(id);
      continue;
    }
    const attributes = { ...edge.attributes, source_id: left.join(separator), weight: left.length };
    graph.setEdge(edge.source, edge.target, attributes);
    const meta = relationVectorMeta(edge.source, edge.target, attributes);
    workspace.relationships.upsert(id, meta, embed(meta.content, workspace.dimension), seconds);
  }
  workspace.relationships.delete(lostRelations);

  const lostEntities = new Set<string>();
  for (const [name, node] of graph.nodes) {
    const left = remaining(node.source_id);
    if (left.length === node.source_id.split(separator).length) continue;
    if (left.length === 0) {
      graph.deleteNode(name);
      lostEntities.add(entityId(name));
      continue;
    }
    const rest = { ...node, source_id: left.join(separator) };
    graph.setNode(name, rest);
    const meta = entityVectorMeta(name, rest);
    workspace.entities.upsert(entityId(name), meta, embed(meta.content, workspace.dimension), seconds);
  }
  workspace.entities.delete(lostEntities);

  for (const lists of [workspace.entityChunks, workspace.relationChunks])
    for (const [key, row] of lists.rows) {
      const left = row.chunk_ids.filter((id) => !gone.has(id));
      if (left.length === 0) lists.delete(key);
      else if (left.length < row.chunk_ids.length)
        lists.set(key, { ...row, chunk_ids: left, count: left.length, update_time: seconds });
    }
}
