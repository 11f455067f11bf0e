import type { JsonSchema } from '../src/platform/http/json-schema.ts';
import type { ApiDocument } from '../src/platform/http/openapi.ts';

/** What callers rely on, operation by operation; small enough to keep one for each version. */
export type ApiShape = Readonly<
  Record<
    string,
    {
      readonly access: string;
      /** Place and name of each parameter, and of each member of the body. */
      readonly takes: readonly string[];
      readonly requires: readonly string[];
      /** By status: every member that is always there, as a path. */
      readonly answers: Readonly<Record<string, readonly string[]>>;
    }
  >
>;

export function shapeOf(document: ApiDocument): ApiShape {
  const resolve = (schema: JsonSchema): JsonSchema => {
    const name = schema.$ref?.split('/').at(-1);
    return name === undefined ? schema : (document.components.schemas[name] ?? {});
  };
  /** What stands below something that may be null (not measured on this machine) counts as there. */
  const objectOf = (schema: JsonSchema): JsonSchema => {
    const found = resolve(schema);
    const choices = ((found.anyOf as JsonSchema[] | undefined) ?? []).map(resolve);
    return choices.find((one) => one.properties !== undefined) ?? found;
  };
  const members = (schema: JsonSchema, path = '', depth = 0): string[] => {
    const found = objectOf(schema);
    if (depth > 6) return [];
    if (found.type === 'array') return members((found.items ?? {}) as JsonSchema, `${path}[]`, depth + 1);
    return (found.required ?? []).flatMap((name) => [
      `${path}.${name}`,
      ...members(found.properties?.[name] ?? {}, `${path}.${name}`, depth + 1),
    ]);
  };
  return Object.fromEntries(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        const parameters = operation.parameters ?? [];
        const { required = false, content = {} } = operation.requestBody ?? {};
        const body = objectOf(content['application/json']?.schema ?? {});
        const answers = Object.entries(operation.responses).flatMap(([status, response]) => {
          if (!/^2/.test(status) || '$ref' in response) return [];
          return [[status, members(response.content?.['application/json']?.schema ?? {}).sort()] as const];
        });
        const shape = {
          access: operation['x-access'],
          takes: [
            ...parameters.map((one) => `${one.in} ${one.name}`),
            ...Object.keys(body.properties ?? {}).map((name) => `body ${name}`),
          ].sort(),
          requires: [
            ...parameters.filter((one) => one.required).map((one) => `${one.in} ${one.name}`),
            ...(required ? ['body'] : []),
            ...(body.required ?? []).map((name) => `body ${name}`),
          ].sort(),
          answers: Object.fromEntries(answers),
        };
        return [`${method.toUpperCase()} ${path}`, shape] as const;
      }),
    ),
  );
}

/** What a caller of the old API would miss in the new one; empty: none would. */
export function missingFrom(old: ApiShape, now: ApiShape): string[] {
  const found: string[] = [];
  for (const [name, before] of Object.entries(old)) {
    const after = now[name];
    if (!after) {
      found.push(`${name} is gone`);
      continue;
    }
    if (after.access !== before.access) found.push(`${name} is for ${after.access} now, was for ${before.access}`);
    for (const one of before.takes) if (!after.takes.includes(one)) found.push(`${name} takes no ${one} any more`);
    for (const one of after.requires) if (!before.requires.includes(one)) found.push(`${name} requires ${one} now`);
    for (const [status, members] of Object.entries(before.answers))
      for (const one of members)
        if (!after.answers[status]?.includes(one)) found.push(`${name} answers ${status} without ${one}`);
  }
  return found;
}
