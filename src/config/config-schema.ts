import { z } from 'zod';
import type { Setting } from './setting.ts';
import { settingEntries } from './settings.ts';
import { structureEntries } from './structures.ts';

type Schema = { [name: string]: unknown };

const about = 'Settings of ragwarden. Secrets are not written here: they come from the environment or from files.';

/** What `ragwarden.yaml` may hold, as JSON Schema (draft 2020-12), generated from the table that also reads it. */
export function configSchema(): Schema {
  const root = section(about);
  root.$schema = 'https://json-schema.org/draft/2020-12/schema';
  root.title = 'ragwarden.yaml';
  for (const [, one] of settingEntries) if (!one.secret) place(root, one.key.split('.'), describe(one));
  for (const [key, structure] of structureEntries) {
    const { properties } = z.toJSONSchema(structure, { io: 'input' }) as { properties: Schema };
    for (const [name, schema] of Object.entries(properties)) place(root, [key, name], schema as Schema);
  }
  return root;
}

/** An empty section (`server:` and nothing below it) is no mistake. */
const section = (description?: string): Schema => ({
  ...(description === undefined ? {} : { description }),
  type: ['object', 'null'],
  properties: {},
  additionalProperties: false,
});

function place(root: Schema, [first = '', ...rest]: readonly string[], schema: Schema): void {
  const properties = root.properties as Schema; // made by `section`
  if (rest.length === 0) {
    properties[first] = schema;
    return;
  }
  properties[first] ??= section();
  place(properties[first] as Schema, rest, schema);
}

function describe(one: Setting): Schema {
  const unit = one.unit === undefined ? '' : ` In ${one.unit}.`;
  const names = ` Environment: ${one.env.map(({ name }) => name).join(', ')}.`;
  return {
    description: `${one.about}${unit}${names}`,
    ...one.parser.schema,
    ...(one.fallback === undefined ? {} : { default: one.fallback }),
  };
}

export const configSchemaText = (): string => `${JSON.stringify(configSchema(), null, 2)}\n`;
