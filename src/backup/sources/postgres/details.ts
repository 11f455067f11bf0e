import { z } from 'zod';
import { AppError } from '../../../platform/errors.ts';
import type { ManifestComponent } from '../../manifest.ts';
import type { Json } from '../source.ts';

const relation = z.object({ schema: z.string(), name: z.string() });

/** What a PostgreSQL component says of itself in the manifest; the restorer needs nothing else. Format in docs/formats/. */
export const postgresDetails = z.object({
  /** Readers refuse newer ones. */
  version: z.literal(1),
  /** The whole database, LightRAG's relations alone, or the rows of one workspace. */
  holds: z.enum(['database', 'lightrag', 'workspace']),
  /** By its name in the column; only where one workspace alone was captured. */
  workspace: z.string().nullable(),
  /** The workspace whose stores were audited, by its name in the column. Absent: none, as in earlier points. */
  audited_workspace: z.string().optional(),
  streams: z.array(
    z.object({
      name: z.string(),
      /** `archive` is for pg_restore, `rows` and `globals` are text that psql reads, `schema` is an archive without rows. */
      what: z.enum(['archive', 'globals', 'rows', 'schema']),
      bytes: z.number(),
      sha256: z.string().nullable(),
      /** The repository's own digest. */
      tree: z.string(),
    }),
  ),
  client_version: z.string(),
  server: z.object({ version: z.string(), major: z.number() }),
  place: z.object({ host: z.string(), port: z.number() }),
  database: z.object({
    name: z.string(),
    owner: z.string(),
    encoding: z.string(),
    collate: z.string(),
    ctype: z.string(),
    locale_provider: z.string().nullable(),
    icu_locale: z.string().nullable(),
    connection_limit: z.number(),
    comment: z.string().nullable(),
    acl: z.array(z.string()).nullable(),
    settings: z.array(z.object({ role: z.string().nullable(), setting: z.string() })),
    bytes: z.number(),
  }),
  moment: z.object({ at: z.string(), lsn: z.string().nullable(), snapshot: z.string() }),
  extensions: z.array(z.object({ name: z.string(), version: z.string(), schema: z.string() })),
  tables: z.array(
    relation.extend({
      bytes: z.number(),
      /** Without generated ones, in the table's order. */
      columns: z.array(z.string()),
      rows: z.record(z.string(), z.number()),
    }),
  ),
  graphs: z.array(
    z.object({
      name: z.string(),
      schema: z.string(),
      workspace: z.string(),
      labels: z.array(z.object({ name: z.string(), id: z.number(), kind: z.string(), table: z.string() })),
      rows: z.record(z.string(), z.number()),
    }),
  ),
  foreign: z.object({
    relations: z.array(relation.extend({ kind: z.string() })),
    schemas: z.array(z.string()),
    functions: z.number(),
    types: z.number(),
    large_objects: z.number(),
    others: z.array(z.string()),
  }),
  /** Of a database that is the target's as a whole: rows of its tables, by `schema.table`. */
  table_rows: z.record(z.string(), z.number()).optional(),
  /** Roles that own something or have a right in it. */
  roles: z.array(z.string()),
});

export type PostgresDetails = z.infer<typeof postgresDetails>;

/** A manifest comes out of a repository; what is not of this form is not restored from. @throws AppError `restore/blocked` */
export function requireDetails(component: ManifestComponent): PostgresDetails {
  const parsed = component.restore.by === 'restorer' ? postgresDetails.safeParse(component.restore.details) : undefined;
  if (parsed?.success) return parsed.data;
  throw new AppError(
    'restore/blocked',
    `The component ${component.name} was written by another version of ragwarden, which has to restore it.`,
    { cause: parsed?.error },
  );
}

/** Plain data is what the schema describes; TypeScript cannot see that an inferred type is one. */
export const asRecipe = (details: PostgresDetails): Readonly<Record<string, Json>> =>
  JSON.parse(JSON.stringify(details)) as Record<string, Json>;
