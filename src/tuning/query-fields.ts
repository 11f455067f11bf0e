import { parameters } from './catalogue/index.ts';
import type { TuningValue } from './parameter.ts';
import type { SetValues } from './revision.ts';

/** Fields of a query's body by whose they are. What is for everybody is the backend's own default and told to the backend. */
export type QueryFields = {
  readonly byUser: Readonly<Record<string, Readonly<Record<string, TuningValue>>>>;
  readonly byGraph: Readonly<Record<string, Readonly<Record<string, TuningValue>>>>;
};

/** LightRAG refuses a query with a greater number of tokens. */
const mostTokens = 1_000_000;
const carried = parameters.flatMap(({ name, queryField }) =>
  queryField === undefined ? [] : [[name, queryField] as const],
);

/** What users and workspaces set of what a query carries along. */
export function queryFieldsOf(set: SetValues): QueryFields {
  const of = (kind: 'user' | 'workspace') =>
    Object.fromEntries(
      [...set].flatMap(([scope, values]) => {
        if (!scope.startsWith(`${kind}:`)) return [];
        const fields = carried.flatMap(([name, field]) => {
          const value = values[name];
          return value === undefined ? [] : [[field, typeof value === 'number' ? Math.min(value, mostTokens) : value]];
        });
        return fields.length === 0 ? [] : [[scope.slice(kind.length + 1), Object.fromEntries(fields)]];
      }),
    );
  return { byUser: of('user'), byGraph: of('workspace') };
}
