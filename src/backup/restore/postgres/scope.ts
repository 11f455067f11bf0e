import type { PostgresConnection } from '../../postgres/connection.ts';
import { columnValueOf, graphNameOf } from '../../postgres/survey.ts';
import { type PostgresDetails, requireDetails } from '../../sources/postgres/details.ts';
import type { RestorerRequest, RestoreScope } from '../restorer.ts';
import { type Places, placesOf } from './names.ts';

/** What goes back, by the names that the database knows. */
export type Wanted = {
  readonly details: PostgresDetails;
  /** The database that is written to. */
  readonly database: string;
  readonly aside: boolean;
  /** All that lies in the database belongs to the target: nothing in it is somebody else's, and it goes back as one. */
  readonly whole: boolean;
  /** One workspace alone: its name in the point's rows, and the one its rows get. */
  readonly workspace: { readonly from: string; readonly to: string } | undefined;
  readonly places: Places;
};

export type RequestTools = {
  readonly connection: PostgresConnection;
  /** How the rows name a workspace of the target; the unnamed one is ''. As they are by default. */
  readonly named?: (workspace: string) => string;
  /** See `Wanted`. */
  readonly whole?: boolean;
};

/** @throws AppError `restore/blocked` when the component is not of a form that is known here */
export function readRequest(
  request: RestorerRequest,
  { connection, named = (workspace) => workspace, whole = false }: RequestTools,
): Wanted {
  const details = requireDetails(request.component);
  const database = request.scope.aside ?? connection.database;
  return {
    details,
    database,
    aside: request.scope.aside !== undefined,
    whole,
    workspace: workspaceOf(details, request.scope, named),
    places: placesOf(request.operationId, database),
  };
}

function workspaceOf(
  details: PostgresDetails,
  scope: RestoreScope,
  named: (workspace: string) => string,
): Wanted['workspace'] {
  const from = scope.workspace === undefined ? details.workspace : columnValueOf(named(scope.workspace));
  if (from === null) return undefined;
  return { from, to: scope.asWorkspace === undefined ? from : columnValueOf(named(scope.asWorkspace)) };
}

export const archiveOf = (details: PostgresDetails): PostgresDetails['streams'][number] | undefined =>
  details.streams.find(({ what }) => what === 'archive');

/** One table of the point and where its rows go. */
export type PointTable = {
  readonly schema: string;
  readonly name: string;
  readonly target: { readonly schema: string; readonly name: string };
  /** Rows of one workspace are told by the column; those of a graph by the schema they lie in. */
  readonly byColumn: boolean;
  readonly rows: number;
};

/** The tables of the point that have to do with what is wanted. */
export function pointTables({ details, workspace }: Pick<Wanted, 'details' | 'workspace'>): PointTable[] {
  const sum = (rows: Readonly<Record<string, number>>): number =>
    workspace ? (rows[workspace.from] ?? 0) : Object.values(rows).reduce((total, one) => total + one, 0);
  const tables = details.tables.map(({ schema, name, rows }) => ({
    schema,
    name,
    target: { schema, name },
    byColumn: true,
    rows: sum(rows),
  }));
  const graphs = details.graphs
    .filter((graph) => workspace === undefined || graph.workspace === workspace.from)
    .flatMap((graph) => {
      const schema = workspace ? graphNameOf(workspace.to) : graph.schema;
      return graph.labels.map((label) => ({
        schema: graph.schema,
        name: label.table,
        target: { schema, name: label.table },
        byColumn: false,
        rows: ownRows(graph, label),
      }));
    });
  return [...tables, ...graphs];
}

/** What lies in the table of a label itself: the two that others inherit from are counted with those. */
function ownRows(
  graph: PostgresDetails['graphs'][number],
  label: { name: string; kind: string; table: string },
): number {
  const all = graph.rows[label.table] ?? 0;
  if (!isParentLabel(label.name)) return all;
  return graph.labels
    .filter((one) => one.kind === label.kind && !isParentLabel(one.name))
    .reduce((rest, one) => rest - (graph.rows[one.table] ?? 0), all);
}

const isParentLabel = (name: string): boolean => name.startsWith('_ag_label_');
