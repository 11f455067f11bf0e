import { z } from 'zod';

/** As much of JSON Schema 2020-12 as is looked into here. */
export type JsonSchema = {
  [key: string]: unknown;
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
};

/**
 * JSON Schema of what goes in (`input`: before defaults) or comes out. Formats stand without the long patterns behind
 * them, whole numbers without the bounds of a double, and answers may gain fields.
 */
export function convertSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const converted = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      const { def } = zodSchema._zod;
      // A strict object has `never` as its catch-all, an open one nothing.
      if (io === 'output' && def.type === 'object' && !('catchall' in def && def.catchall))
        delete jsonSchema.additionalProperties;
    },
  });
  const { $schema: _dialect, ...rest } = converted as JsonSchema;
  return rest;
}

/**
 * Takes the named schemas (`.meta({ id })`) out of one and into `schemas`, and lets the references point there.
 * @throws Error when one name stands for two schemas
 */
export function hoistInto(schemas: Record<string, JsonSchema>, converted: JsonSchema): JsonSchema {
  const { $defs = {}, ...rest } = converted;
  for (const [name, schema] of Object.entries($defs)) {
    const pointed = pointToComponents(schema) as JsonSchema;
    const known = schemas[name];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(pointed))
      throw new Error(`the name ${name} stands for two schemas: one may go in, the other come out`);
    schemas[name] = pointed;
  }
  return pointToComponents(rest) as JsonSchema;
}

function pointToComponents(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pointToComponents);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === '$ref' && typeof inner === 'string'
        ? inner.replace('#/$defs/', '#/components/schemas/')
        : pointToComponents(inner),
    ]),
  );
}
