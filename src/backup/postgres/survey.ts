/** A relation as the catalogue has it. */
export type Relation = {
  readonly schema: string;
  readonly name: string;
  /** pg_class.relkind. */
  readonly kind: string;
  /** Found without naming its schema, as the backend finds it. */
  readonly visible: boolean;
  readonly bytes: number;
  readonly byWorkspace: boolean;
  readonly fromExtension: boolean;
  /** A sequence of a column, or a partition: its table, `schema.name` unquoted. */
  readonly belongsTo: string | null;
};

export type Graph = {
  readonly name: string;
  readonly schema: string;
  readonly labels: readonly {
    readonly name: string;
    readonly id: number;
    /** `v` or `e`. */
    readonly kind: string;
    readonly table: string;
  }[];
};

export type Catalogue = {
  readonly relations: readonly Relation[];
  readonly graphs: readonly Graph[];
  readonly schemas: readonly string[];
  readonly extensions: readonly { readonly name: string; readonly version: string; readonly schema: string }[];
  readonly functions: number;
  readonly types: number;
  readonly largeObjects: number;
  /** Publications, subscriptions, event triggers: what a database has beside relations. */
  readonly others: readonly string[];
};

export type LightragTable = { readonly schema: string; readonly name: string; readonly bytes: number };
export type LightragGraph = Graph & { readonly workspace: string };

/** What of a database is LightRAG's, and what is not. */
export type Survey = {
  readonly extensions: Catalogue['extensions'];
  readonly tables: readonly LightragTable[];
  readonly graphs: readonly LightragGraph[];
  readonly foreign: Foreign;
};

export type Foreign = {
  /** Relations with data or definitions of somebody else's. */
  readonly relations: readonly { readonly schema: string; readonly name: string; readonly kind: string }[];
  readonly schemas: readonly string[];
  readonly functions: number;
  readonly types: number;
  readonly largeObjects: number;
  readonly others: readonly string[];
};

/** Schemas that restores of ours leave; they are nobody's data. */
export const stagingSchemaPrefix = 'ragwarden_restore_';
export const formerSchemaPrefix = 'ragwarden_before_';
export const isOurSchema = (name: string): boolean =>
  name.startsWith(stagingSchemaPrefix) || name.startsWith(formerSchemaPrefix);

/** What the unnamed workspace is called in the column. */
export const unnamedWorkspace = 'default';
export const columnValueOf = (workspace: string): string => (workspace === '' ? unnamedWorkspace : workspace);

const graphNamespace = 'chunk_entity_relation';

/** The graph of a workspace, as LightRAG names it. */
export const graphNameOf = (columnValue: string): string =>
  columnValue.toLowerCase() === unnamedWorkspace
    ? graphNamespace
    : `${columnValue.replace(/[^A-Za-z0-9_]/g, '_')}_${graphNamespace}`;

function workspaceOfGraph(name: string): string | undefined {
  if (name === graphNamespace) return unnamedWorkspace;
  return name.endsWith(`_${graphNamespace}`) ? name.slice(0, -graphNamespace.length - 1) : undefined;
}

/** LightRAG's tables are those the backend would find under their bare names, and that know workspaces. */
export function surveyDatabase(catalogue: Catalogue): Survey {
  const graphs = catalogue.graphs.flatMap((graph) => {
    const workspace = workspaceOfGraph(graph.name);
    return workspace === undefined ? [] : [{ ...graph, workspace }];
  });
  const graphSchemas = new Set(graphs.map(({ schema }) => schema));
  const isTable = (one: Relation): boolean =>
    (one.kind === 'r' || one.kind === 'p') &&
    one.belongsTo === null &&
    one.visible &&
    one.byWorkspace &&
    one.name.startsWith('lightrag_');
  const tables = catalogue.relations.filter(isTable);
  const tableNames = new Set(tables.map(({ schema, name }) => `${schema}.${name}`));
  const extensionSchemas = new Set(
    catalogue.extensions.map(({ schema }) => schema).filter((name) => name !== 'public'),
  );
  const known = (schema: string): boolean => graphSchemas.has(schema) || isOurSchema(schema) || schema === 'ag_catalog';
  const foreign = catalogue.relations.filter(
    (one) =>
      !isTable(one) &&
      !known(one.schema) &&
      !one.fromExtension &&
      !(one.belongsTo !== null && tableNames.has(one.belongsTo)),
  );
  return {
    extensions: catalogue.extensions,
    tables: tables.map(({ schema, name, bytes }) => ({ schema, name, bytes })),
    graphs,
    foreign: {
      relations: foreign.map(({ schema, name, kind }) => ({ schema, name, kind })),
      schemas: catalogue.schemas.filter(
        (name) =>
          name !== 'public' &&
          !known(name) &&
          !extensionSchemas.has(name) &&
          !tables.some(({ schema }) => schema === name),
      ),
      functions: catalogue.functions,
      types: catalogue.types,
      largeObjects: catalogue.largeObjects,
      others: catalogue.others,
    },
  };
}

/** One clause per kind of foreign thing; empty: the database is LightRAG's alone. */
export function describeForeign(foreign: Foreign): string[] {
  const named = foreign.relations.slice(0, 5).map(({ schema, name }) => `${schema}.${name}`);
  const more = foreign.relations.length - named.length;
  const count = (number: number, what: string): string[] =>
    number === 0 ? [] : [`${number} ${what}${number === 1 ? '' : 's'}`];
  return [
    ...(named.length === 0 ? [] : [`${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`]),
    ...(foreign.schemas.length === 0 ? [] : [`schema ${foreign.schemas.join(', ')}`]),
    ...count(foreign.functions, 'function'),
    ...count(foreign.types, 'type'),
    ...count(foreign.largeObjects, 'large object'),
    ...foreign.others,
  ];
}

/** A table's rows by the value of its `workspace` column. */
export type TableCount = {
  readonly schema: string;
  readonly name: string;
  readonly workspaces: Readonly<Record<string, number>>;
};

const stores: readonly (readonly [RegExp, string])[] = [
  [/^lightrag_doc_full$/, 'full_docs'],
  [/^lightrag_doc_chunks$/, 'text_chunks'],
  [/^lightrag_doc_status$/, 'doc_status'],
  [/^lightrag_llm_cache$/, 'llm_response_cache'],
  [/^lightrag_full_entities$/, 'full_entities'],
  [/^lightrag_full_relations$/, 'full_relations'],
  [/^lightrag_entity_chunks$/, 'entity_chunks'],
  [/^lightrag_relation_chunks$/, 'relation_chunks'],
  [/^lightrag_vdb_chunks(_|$)/, 'vdb_chunks'],
  [/^lightrag_vdb_entity(_|$)/, 'vdb_entities'],
  [/^lightrag_vdb_relation(_|$)/, 'vdb_relationships'],
  [/^lightrag_graph_nodes$/, 'graph_nodes'],
  [/^lightrag_graph_edges$/, 'graph_edges'],
];
const unsuffixed = /^lightrag_vdb_(chunks|entity|relation)$/;

/**
 * The tables that hold a store, by its name in a manifest. A vector table without the name of a model is what an upgrade left
 * behind, where others stand beside it.
 */
export function tablesOfStore<Table extends { readonly name: string }>(
  tables: readonly Table[],
  store: string,
): readonly Table[] {
  const pattern = stores.find(([, name]) => name === store)?.[0];
  const all = tables.filter(({ name }) => pattern?.test(name));
  const suffixed = all.filter(({ name }) => !unsuffixed.test(name));
  return suffixed.length > 0 ? suffixed : all;
}

/** Rows per store under the names of a manifest. */
export function countsByStore(counts: readonly TableCount[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [, store] of stores) {
    const used = tablesOfStore(counts, store);
    if (used.length > 0)
      sums[store] = used.flatMap(({ workspaces }) => Object.values(workspaces)).reduce((sum, rows) => sum + rows, 0);
  }
  for (const [label, store] of [
    ['_ag_label_vertex', 'graph_nodes'],
    ['_ag_label_edge', 'graph_edges'],
  ] as const) {
    const graph = counts.filter(({ name }) => name === label).flatMap(({ workspaces }) => Object.values(workspaces));
    if (graph.length > 0) sums[store] = (sums[store] ?? 0) + graph.reduce((sum, rows) => sum + rows, 0);
  }
  return sums;
}

/** Every workspace that has rows or a graph, by its name in the column. */
export const workspacesIn = (counts: readonly TableCount[]): string[] =>
  [...new Set(counts.flatMap(({ workspaces }) => Object.keys(workspaces)))].sort();
