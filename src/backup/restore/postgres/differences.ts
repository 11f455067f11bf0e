import type { TableCount } from '../../postgres/survey.ts';
import type { PostgresDetails } from '../../sources/postgres/details.ts';

/** The same of tables that are not LightRAG's, where the point counted them. */
export function otherDifferences(
  { table_rows: expected = {} }: Pick<PostgresDetails, 'table_rows'>,
  found: Readonly<Record<string, number>>,
): string[] {
  return Object.entries(expected).flatMap(([table, rows]) => {
    const there = found[table];
    if (there === undefined) return [`${table} is missing`];
    return there === rows ? [] : [`${table} has ${there} rows, not ${rows}`];
  });
}

/** Where the rows of a restored database differ in number from those of the point, one clause per table and workspace. */
export function differences(
  details: Pick<PostgresDetails, 'tables' | 'graphs'>,
  found: readonly TableCount[],
): string[] {
  const expected = [
    ...details.tables.map(({ schema, name, rows }) => ({ schema, name, rows })),
    ...details.graphs.flatMap((graph) =>
      Object.entries(graph.rows).map(([name, rows]) => ({
        schema: graph.schema,
        name,
        rows: { [graph.workspace]: rows },
      })),
    ),
  ];
  return expected.flatMap(({ schema, name, rows }) => {
    const there = found.find((one) => one.schema === schema && one.name === name);
    if (!there) return [`${schema}.${name} is missing`];
    const workspaces = new Set([...Object.keys(rows), ...Object.keys(there.workspaces)]);
    return [...workspaces].flatMap((workspace) => {
      const [want, has] = [rows[workspace] ?? 0, there.workspaces[workspace] ?? 0];
      return want === has ? [] : [`${schema}.${name} has ${has} rows of ${workspace}, not ${want}`];
    });
  });
}
