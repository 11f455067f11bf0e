import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FileWriter } from './file-writer.ts';
import { type EdgeRecord, type GraphEdge, type GraphNode, parseGraphml, renderGraphml } from './graphml.ts';

export const graphFileName = 'graph_chunk_entity_relation.graphml';
const namespace = 'chunk_entity_relation';

export type StoredEdge = { readonly source: string; readonly target: string; readonly attributes: GraphEdge };

/** The undirected graph of entities and relations: read once, kept in memory, rewritten completely. */
export type GraphStore = {
  readonly nodes: Map<string, GraphNode>;
  /** By `edgeKey`. */
  readonly edges: Map<string, StoredEdge>;
  isDirty(): boolean;
  setNode(name: string, node: GraphNode): void;
  setEdge(source: string, target: string, edge: GraphEdge): void;
  deleteNode(name: string): void;
  deleteEdge(key: string): void;
  neighbours(name: string): string[];
  flush(force?: boolean): Promise<void>;
  drop(): void;
};

/** The two ends in order, so that either direction finds the edge. */
export function edgeKey(one: string, other: string): string {
  return one < other ? `${one}<SEP>${other}` : `${other}<SEP>${one}`;
}

export function openGraphStore(folder: string, writer: FileWriter): GraphStore {
  const path = join(folder, graphFileName);
  const loaded = existsSync(path) ? parseGraphml(readFileSync(path, 'utf8')) : { nodes: new Map(), edges: [] };
  // Attributes of a foreign writer are kept as they are; the fields this server reads are those of GraphNode and GraphEdge.
  const nodes = loaded.nodes as Map<string, GraphNode>;
  const edges = new Map(
    loaded.edges.map(({ source, target, attributes }: EdgeRecord) => [
      edgeKey(source, target),
      { source, target, attributes: attributes as unknown as GraphEdge },
    ]),
  );
  let dirty = false;

  const flush = async (force = false): Promise<void> => {
    if (!dirty && !force) return;
    await writer.write(path, namespace, () => {
      dirty = false;
      return [Buffer.from([...renderGraphml(nodes, inNodeOrder(nodes, edges))].join(''))];
    });
  };
  return {
    nodes,
    edges,
    isDirty: () => dirty,
    setNode(name, node) {
      nodes.set(name, node);
      dirty = true;
    },
    setEdge(source, target, attributes) {
      const key = edgeKey(source, target);
      const known = edges.get(key);
      edges.set(key, { source: known?.source ?? source, target: known?.target ?? target, attributes });
      dirty = true;
    },
    deleteNode(name) {
      dirty = nodes.delete(name) || dirty;
      for (const [key, edge] of edges) if (edge.source === name || edge.target === name) edges.delete(key);
    },
    deleteEdge(key) {
      dirty = edges.delete(key) || dirty;
    },
    neighbours(name) {
      const found: string[] = [];
      for (const edge of edges.values()) {
        if (edge.source === name) found.push(edge.target);
        else if (edge.target === name) found.push(edge.source);
      }
      return found;
    },
    flush,
    drop() {
      nodes.clear();
      edges.clear();
      dirty = false;
      rmSync(path, { force: true });
    },
  };
}

/** NetworkX walks the nodes and writes each edge once, at the end that comes first. */
export function inNodeOrder(
  nodes: ReadonlyMap<string, GraphNode>,
  edges: ReadonlyMap<string, StoredEdge>,
): EdgeRecord[] {
  const places = new Map([...nodes.keys()].map((name, index) => [name, index]));
  const placeOf = (name: string): number => places.get(name) ?? places.size;
  return [...edges.values()]
    .map(({ source, target, attributes }) =>
      placeOf(source) <= placeOf(target)
        ? { source, target, attributes }
        : { source: target, target: source, attributes },
    )
    .map((edge, index) => ({ edge, index }))
    .sort((a, b) => placeOf(a.edge.source) - placeOf(b.edge.source) || a.index - b.index)
    .map(({ edge }) => edge);
}
