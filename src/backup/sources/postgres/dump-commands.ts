import type { PostgresConnection } from '../../postgres/connection.ts';
import { clientEnvironment, databaseArgument, identifier, literal, qualified } from '../../postgres/connection.ts';
import { type PostgresPrograms, programIn } from '../../postgres/programs.ts';
import { formerSchemaPrefix, type Survey, stagingSchemaPrefix } from '../../postgres/survey.ts';
import type { StreamProducer } from '../source.ts';

type Program = Extract<StreamProducer, { by: 'program' }>;

/** A migration of the backend may hold its tables for a while; after so long there is no dump. */
const lockWaitMs = 60_000;

/** A pattern that means this name and no other. */
const only = (of: { readonly schema: string; readonly name: string }): string => qualified(of);

/**
 * The archive of one exported snapshot. Not compressed: the repository does that in a tenth of the time, and finds what it has
 * already (docs/decisions: dump of PostgreSQL).
 * @param survey what to leave out when LightRAG's relations alone are wanted; undefined: everything
 */
export function archiveCommand(
  connection: PostgresConnection,
  programs: PostgresPrograms,
  snapshot: string,
  survey: Survey | undefined,
): Program {
  // By leaving out what is foreign, extensions and what they configure stay in.
  const without = survey
    ? [
        '--no-large-objects',
        ...survey.foreign.schemas.map((name) => `--exclude-schema=${identifier(name)}`),
        ...survey.foreign.relations
          .filter(({ schema }) => !survey.foreign.schemas.includes(schema))
          .map((relation) => `--exclude-table=${only(relation)}`),
      ]
    : ['--large-objects'];
  return {
    by: 'program',
    command: [
      programIn(programs, 'pg_dump'),
      ...common(snapshot),
      // What restores of ours have left is nobody's data.
      ...[stagingSchemaPrefix, formerSchemaPrefix].map((prefix) => `--exclude-schema=${prefix}*`),
      // The word has been this since version 16; before, it was `blobs`.
      ...without.map((one) => (programs.major < 16 ? one.replace('large-objects', 'blobs') : one)),
    ],
    environment: clientEnvironment(connection),
  };
}

/** The definitions of LightRAG's tables, so that rows have a place to go back to where there is none. */
export function schemaCommand(
  connection: PostgresConnection,
  programs: PostgresPrograms,
  snapshot: string,
  survey: Survey,
): Program {
  return {
    by: 'program',
    command: [
      programIn(programs, 'pg_dump'),
      ...common(snapshot),
      '--schema-only',
      ...survey.tables.map((table) => `--table=${only(table)}`),
    ],
    environment: clientEnvironment(connection),
  };
}

const common = (snapshot: string): string[] => [
  '--format=custom',
  '--compress=0',
  `--snapshot=${snapshot}`,
  '--no-password',
  `--lock-wait-timeout=${lockWaitMs}`,
];

export type RowsOf = {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly orderBy: readonly string[];
  /** Undefined: the table has no such column and goes whole. */
  readonly workspace: string | undefined;
};

/**
 * The rows of some tables as a script that psql reads, in the form that `pg_restore` prints: a line `COPY … FROM stdin;`, the rows,
 * a line `\.`. Ordered by key, so that the repository finds what has not changed.
 */
export function rowsCommand(
  connection: PostgresConnection,
  programs: PostgresPrograms,
  snapshot: string,
  tables: readonly RowsOf[],
): Program {
  const steps = tables.flatMap((table) => {
    const columns = table.columns.map(identifier).join(', ');
    const where = table.workspace === undefined ? '' : ` where workspace = ${literal(table.workspace)}`;
    const order = table.orderBy.length === 0 ? '' : ` order by ${table.orderBy.map(identifier).join(', ')}`;
    return [
      `\\echo ${echoed(`COPY ${qualified(table)} (${columns}) FROM stdin;`)}`,
      `copy (select ${columns} from only ${qualified(table)}${where}${order}) to stdout`,
      `\\echo ${echoed('\\.')}`,
    ];
  });
  return {
    by: 'program',
    command: [
      programIn(programs, 'psql'),
      '--no-psqlrc',
      '--quiet',
      '--no-password',
      '--set=ON_ERROR_STOP=1',
      ...[
        `begin isolation level repeatable read read only; set local statement_timeout = 0; set local datestyle = iso; set local intervalstyle = postgres; set local extra_float_digits = 3`,
        `set transaction snapshot ${literal(snapshot)}`,
        ...steps,
      ].map((step) => `--command=${step}`),
    ],
    environment: clientEnvironment(connection),
  };
}

/** As an argument of a psql command: in quotes, where a backslash speaks for the next character. */
const echoed = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** Roles and tablespaces, without passwords, which nobody but a superuser may read. */
export const globalsCommand = (connection: PostgresConnection, programs: PostgresPrograms): Program => ({
  by: 'program',
  command: [
    programIn(programs, 'pg_dumpall'),
    '--globals-only',
    '--no-role-passwords',
    '--no-password',
    `--database=${databaseArgument(connection.database)}`,
  ],
  environment: clientEnvironment(connection),
});
