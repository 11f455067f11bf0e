import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { AppError, describeError } from '../../../platform/errors.ts';
import type { StoreExtracts } from '../../../targets/index.ts';
import { readShape } from '../../postgres/columns-store.ts';
import { describePlace } from '../../postgres/connection.ts';
import { extractDatabase } from '../../postgres/extract-database.ts';
import { countsByStore, describeForeign, type Survey, type TableCount, workspacesIn } from '../../postgres/survey.ts';
import { countOtherTables, countRows, readDatabase, surveyHere } from '../../postgres/survey-store.ts';
import type { CaptureResult, CompleteContext, StoredStream } from '../source.ts';
import { treeDigest } from '../tree.ts';
import { findDangling } from './dangling-store.ts';
import { asRecipe, type PostgresDetails } from './details.ts';
import { archiveCommand, globalsCommand, type RowsOf, rowsCommand, schemaCommand } from './dump-commands.ts';
import { readRoles, stillHeld } from './moment-store.ts';
import type { OpenMoment, PostgresSourceOptions } from './postgres-source.ts';

type Stored = { readonly stream: StoredStream; readonly what: PostgresDetails['streams'][number]['what'] };

/** Counts what lies in the fixed moment, then stores it. Both workspaces of `options` are names in the column. */
export async function dumpMoment(
  options: PostgresSourceOptions,
  open: OpenMoment,
  context: CompleteContext,
): Promise<CaptureResult> {
  const { session, server, moment } = open;
  const { connection, workspace } = options;
  const survey = await surveyHere(session);
  const database = await readDatabase(session, server, connection.database);
  if (!database) throw new Error('the database has no row in its own catalogue');
  const counts = await countRows(session, survey, workspace);
  const tableRows = options.whole && workspace === undefined ? await countOtherTables(session, survey) : undefined;
  const dangling = await findDangling(session, survey, workspace);
  const roles = await readRoles(session);
  const shapes = new Map<string, Awaited<ReturnType<typeof readShape>>>();
  for (const table of survey.tables) shapes.set(keyOf(table), await readShape(session, table));

  const notes: string[] = [];
  // Both read the same moment. The dump takes longer, so the moment is held no longer for it.
  const ended = new AbortController();
  const extracting = extractMoment(options, open, context, ended.signal);
  let stored: Stored[];
  try {
    stored =
      workspace === undefined
        ? await storeDatabase(options, open, survey, context, notes)
        : await storeWorkspace(options, open, { survey, workspace, shapes }, context);
  } catch (err) {
    ended.abort(err);
    await extracting;
    throw err;
  }
  const extracts = await extracting;
  if (typeof extracts === 'string') notes.push(`its stores are not in the audit: ${extracts}`);
  if (!(await stillHeld(session, moment)))
    throw new AppError(
      'backup/capture-failed',
      `The connection that held the moment of the ${describePlace(connection)} broke while it was read. Try again.`,
    );

  const rowsOf = (schema: string, name: string): Record<string, number> => ({
    ...counts.find((one) => one.schema === schema && one.name === name)?.workspaces,
  });
  const details: PostgresDetails = {
    version: 1,
    holds: workspace === undefined ? options.dump : 'workspace',
    workspace: workspace ?? null,
    ...(typeof extracts === 'object' && options.auditWorkspace !== undefined
      ? { audited_workspace: options.auditWorkspace }
      : {}),
    streams: stored.map(({ stream, what }) => ({
      name: stream.name,
      what,
      bytes: stream.bytes,
      sha256: stream.sha256 ?? null,
      tree: stream.tree,
    })),
    client_version: open.programs.version,
    server: { version: server.version, major: server.major },
    place: { host: connection.host, port: connection.port },
    database: {
      name: database.name,
      owner: database.owner,
      encoding: database.encoding,
      collate: database.collate,
      ctype: database.ctype,
      locale_provider: database.localeProvider,
      icu_locale: database.icuLocale,
      connection_limit: database.connectionLimit,
      comment: database.comment,
      acl: database.acl && [...database.acl],
      settings: [...database.settings],
      bytes: database.bytes,
    },
    moment: { at: moment.at, lsn: moment.lsn, snapshot: moment.transactions },
    extensions: [...survey.extensions],
    tables: survey.tables.map((table) => ({
      ...table,
      columns: [...(shapes.get(keyOf(table))?.columns ?? [])],
      rows: rowsOf(table.schema, table.name),
    })),
    graphs: survey.graphs
      .filter((graph) => workspace === undefined || graph.workspace === workspace)
      .map((graph) => ({
        name: graph.name,
        schema: graph.schema,
        workspace: graph.workspace,
        labels: [...graph.labels],
        rows: Object.fromEntries(
          counts
            .filter(({ schema }) => schema === graph.schema)
            .map(({ name, workspaces }) => [name, workspaces[graph.workspace] ?? 0]),
        ),
      })),
    foreign: {
      relations: [...survey.foreign.relations],
      schemas: [...survey.foreign.schemas],
      functions: survey.foreign.functions,
      types: survey.foreign.types,
      large_objects: survey.foreign.largeObjects,
      others: [...survey.foreign.others],
    },
    ...(tableRows === undefined ? {} : { table_rows: tableRows }),
    roles,
  };
  return {
    name: options.name,
    kind: 'postgres',
    entries: [],
    treeSha256: treeDigest([]),
    streams: stored.map(({ stream }) => stream),
    files: 0,
    bytes: stored.reduce((sum, { stream }) => sum + stream.bytes, 0),
    renewedFiles: 0,
    skipped: [],
    damaged: [],
    partial: false,
    notes: [...notesOf(options, survey, counts), ...dangling, ...notes],
    proof: {
      grade: 'consistent',
      reasons: [`one snapshot of PostgreSQL ${server.version}${moment.lsn === null ? '' : ` at ${moment.lsn}`}`],
    },
    counts: { ...countsByStore(counts), ...tableRows },
    ...(typeof extracts === 'object' ? { extracts } : {}),
    restore: { by: 'restorer', details: asRecipe(details) },
  };
}

/** What an audit asks of the stores; why that cannot be told. A point without it is a point. Undefined: nobody asks. */
async function extractMoment(
  { name, connection, auditWorkspace }: PostgresSourceOptions,
  { moment }: OpenMoment,
  context: CompleteContext,
  ended: AbortSignal,
): Promise<StoreExtracts | string | undefined> {
  if (context.auditDir === undefined || auditWorkspace === undefined) return undefined;
  try {
    return await extractDatabase(connection, {
      snapshot: moment.snapshot,
      workspace: auditWorkspace,
      folder: context.auditDir,
      name,
      signal: AbortSignal.any([context.signal, ended]),
      failsAs: 'backup/capture-failed',
    });
  } catch (err) {
    return describeError(err);
  }
}

const keyOf = ({ schema, name }: { schema: string; name: string }): string => JSON.stringify([schema, name]);

async function storeDatabase(
  options: PostgresSourceOptions,
  open: OpenMoment,
  survey: Survey,
  context: CompleteContext,
  notes: string[],
): Promise<Stored[]> {
  const { connection } = options;
  const only = options.dump === 'lightrag' ? survey : undefined;
  const archive = await context.storeStream(
    'archive',
    archiveCommand(connection, open.programs, open.moment.snapshot, only),
  );
  const globals = await readGlobals(options, open, context);
  if (typeof globals === 'string') {
    notes.push(`roles and tablespaces are not in it: ${globals}`);
    return [{ stream: archive, what: 'archive' }];
  }
  const stream = await context.storeStream('globals', { by: 'bytes', chunks: once(globals) });
  return [
    { stream: archive, what: 'archive' },
    { stream, what: 'globals' },
  ];
}

const globalsLimitBytes = 16 * 1024 * 1024;

/** Roles are a matter of the server: a managed one may refuse to tell them. Then the reason. */
async function readGlobals(
  { connection, children }: Pick<PostgresSourceOptions, 'connection'> & { children: ChildProcesses },
  open: OpenMoment,
  context: CompleteContext,
): Promise<Buffer | string> {
  const { command, environment } = globalsCommand(connection, open.programs);
  const result = await children.run({
    program: command[0],
    args: command.slice(1),
    env: environment,
    purpose: 'roles of the backend’s PostgreSQL',
    operationId: context.operationId,
    signal: context.signal,
    maxOutputBytes: globalsLimitBytes,
  });
  if (result.stdoutTruncated) return `they are more than ${globalsLimitBytes} bytes`;
  if (result.exitCode === 0) return result.stdoutBytes;
  return result.stderr.trim().split('\n').at(-1) ?? 'pg_dumpall failed';
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function storeWorkspace(
  options: PostgresSourceOptions,
  open: OpenMoment,
  what: {
    survey: Survey;
    workspace: string;
    shapes: ReadonlyMap<string, Awaited<ReturnType<typeof readShape>>>;
  },
  context: CompleteContext,
): Promise<Stored[]> {
  const { survey, workspace, shapes } = what;
  const { connection } = options;
  const tables: RowsOf[] = survey.tables.map((table) => {
    const shape = shapes.get(keyOf(table));
    return { ...table, columns: shape?.columns ?? [], orderBy: shape?.primaryKey ?? [], workspace };
  });
  for (const graph of survey.graphs.filter((one) => one.workspace === workspace))
    for (const { table } of graph.labels) {
      const shape = await readShape(open.session, { schema: graph.schema, name: table });
      tables.push({
        schema: graph.schema,
        name: table,
        columns: shape?.columns ?? [],
        orderBy: shape?.columns.includes('id') ? ['id'] : [],
        workspace: undefined,
      });
    }
  if (tables.length === 0) return [];
  const rows = await context.storeStream('rows', rowsCommand(connection, open.programs, open.moment.snapshot, tables));
  if (survey.tables.length === 0) return [{ stream: rows, what: 'rows' }];
  const schema = await context.storeStream(
    'schema',
    schemaCommand(connection, open.programs, open.moment.snapshot, survey),
  );
  return [
    { stream: rows, what: 'rows' },
    { stream: schema, what: 'schema' },
  ];
}

function notesOf(options: PostgresSourceOptions, survey: Survey, counts: readonly TableCount[]): string[] {
  const foreign = describeForeign(survey.foreign);
  const workspaces = workspacesIn(counts);
  if (options.whole) return [`all of the database: ${foreign.join('; ') || 'nothing'}`];
  return [
    survey.tables.length + survey.graphs.length === 0
      ? 'nothing of LightRAG is in this database'
      : `${survey.tables.length} tables and ${survey.graphs.length} graphs of LightRAG, workspaces ${workspaces.join(', ') || '(none)'}`,
    ...(foreign.length > 0
      ? [
          `the database holds what is not LightRAG's: ${foreign.join('; ')}${options.dump === 'database' && options.workspace === undefined ? '' : ' (not in this point)'}`,
        ]
      : []),
  ];
}
