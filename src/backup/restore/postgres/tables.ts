import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { AppError } from '../../../platform/errors.ts';
import { readShape } from '../../postgres/columns-store.ts';
import {
  clientEnvironment,
  connectPostgres,
  databaseArgument,
  describePlace,
  identifier,
  type PostgresSession,
  qualified,
} from '../../postgres/connection.ts';
import { type PostgresPrograms, programIn } from '../../postgres/programs.ts';
import { graphNameOf } from '../../postgres/survey.ts';
import { surveyHere } from '../../postgres/survey-store.ts';
import { wordsOf } from '../../program-words.ts';
import type { RestorerContext, RestorerState } from '../restorer.ts';
import { type CopyTarget, rewriteCopies } from './copy-script.ts';
import { definitionsOf } from './definitions.ts';
import {
  addItem,
  countStaged,
  countUnlike,
  createStaging,
  dropSchemas,
  dropTraces,
  exchange,
  type Item,
  keepingSchema,
  listOurSchemas,
  markSchema,
  noteMade,
  readItems,
  sequenceStatements,
  stagedName,
} from './exchange-store.ts';
import { createGraph, findLabelMismatch, graphSequenceStatements, loadAge } from './places-store.ts';
import { type RenameTools, runRestore } from './rename.ts';
import { archiveOf, type PointTable, pointTables, type Wanted } from './scope.ts';

/**
 * Rows of LightRAG's tables, or of one workspace in them, in the database that is there: read into tables of a schema of our own
 * → exchanged in one transaction, the old rows kept in another schema. States: the staging schema marked `prepared`; then the former
 * schema, which comes into being in the transaction of the exchange.
 */
const open = (tools: RenameTools): Promise<PostgresSession> =>
  connectPostgres(tools.connection, { failsAs: 'restore/blocked' });

export async function prepareTables(
  tools: RenameTools & { readonly programs: PostgresPrograms },
  wanted: Wanted,
  context: RestorerContext,
  operationId: string,
): Promise<void> {
  const { places } = wanted;
  const session = await open(tools);
  try {
    await createStaging(session, places);
    await context.step('postgres:created');
    const script = await fetchRows(tools, wanted, context, operationId);
    await context.step('postgres:fetched');
    await makePlaces(tools, session, wanted, context, operationId);
    const items = await layOutItems(session, wanted);
    await fillStaging(tools, wanted, items, script, context, operationId);
    await context.step('postgres:filled');
    for (const { item, point } of items) {
      const rows = await countStaged(session, places, item);
      if (rows !== (point?.rows ?? 0))
        throw new AppError(
          'restore/digest-mismatch',
          `Of ${qualified(item)}, ${rows} rows came out of the point, which says ${point?.rows ?? 0}.`,
        );
      await session.run(`analyze ${stagedName(places.stagingSchema, item)}`);
    }
    await session.run(markSchema(places.stagingSchema, places.mark('prepared')));
    await context.step('postgres:prepared');
  } finally {
    await session.close();
  }
}

/** The rows as a script of COPY blocks in the scratch folder. */
async function fetchRows(
  tools: RenameTools & { readonly programs: PostgresPrograms },
  wanted: Wanted,
  context: RestorerContext,
  operationId: string,
): Promise<string> {
  const script = join(context.scratchDir, 'rows.sql');
  const rows = wanted.details.streams.find(({ what }) => what === 'rows');
  if (rows) {
    await context.fetchStream(rows.name, script);
    return script;
  }
  const archive = archiveOf(wanted.details);
  if (!archive) throw new AppError('restore/blocked', 'The point holds no rows of this database.');
  const file = join(context.scratchDir, 'archive');
  await context.fetchStream(archive.name, file);
  const list = await listArchive(tools, file, operationId, context);
  const tables = pointTables(wanted);
  const lines = list
    .split('\n')
    .filter((line) => tables.some(({ schema, name }) => line.includes(` TABLE DATA ${schema} ${name} `)));
  const listFile = join(context.scratchDir, 'rows.list');
  await writeFile(listFile, `${lines.join('\n')}\n`);
  await runRestore(
    tools.children,
    {
      program: programIn(tools.programs, 'pg_restore'),
      args: ['--data-only', `--use-list=${listFile}`, `--file=${script}`, file],
      env: clientEnvironment(tools.connection),
    },
    context,
    operationId,
  );
  return script;
}

async function listArchive(
  tools: RenameTools & { readonly programs: PostgresPrograms },
  file: string,
  operationId: string,
  context: RestorerContext,
): Promise<string> {
  const listFile = join(context.scratchDir, 'archive.list');
  await runRestore(
    tools.children,
    {
      program: programIn(tools.programs, 'pg_restore'),
      args: ['--list', `--file=${listFile}`, file],
      env: clientEnvironment(tools.connection),
    },
    context,
    operationId,
  );
  return readFile(listFile, 'utf8');
}

/** Tables and graphs that the point has and the database lacks are made, empty, as the point defines them. */
async function makePlaces(
  tools: RenameTools & { readonly programs: PostgresPrograms },
  session: PostgresSession,
  wanted: Wanted,
  context: RestorerContext,
  operationId: string,
): Promise<void> {
  const { details, places, workspace } = wanted;
  const live = await surveyHere(session);
  const missing = details.tables.filter(
    (table) => !live.tables.some((one) => one.schema === table.schema && one.name === table.name),
  );
  if (missing.length > 0) {
    const schema = details.streams.find(({ what }) => what === 'schema') ?? archiveOf(details);
    const file = join(context.scratchDir, schema?.name ?? 'schema');
    if (schema && schema.what === 'schema') await context.fetchStream(schema.name, file);
    const text = join(context.scratchDir, 'schema.sql');
    await runRestore(
      tools.children,
      {
        program: programIn(tools.programs, 'pg_restore'),
        args: ['--schema-only', '--no-owner', '--no-privileges', `--file=${text}`, file],
        env: clientEnvironment(tools.connection),
      },
      context,
      operationId,
    );
    const script = await readFile(text, 'utf8');
    for (const table of missing) {
      // Noted first: a table that is noted and not there is no harm to an undo.
      await noteMade(session, places, { kind: 'table', schema: table.schema, name: table.name });
      await session.run(`begin; ${definitionsOf(script, table).join('\n')} commit`).catch(async (err: unknown) => {
        await session.run('rollback');
        throw err;
      });
    }
  }
  if (details.graphs.length > 0) await loadAge(session);
  for (const graph of details.graphs) {
    if (workspace && graph.workspace !== workspace.from) continue;
    const name = workspace ? graphNameOf(workspace.to) : graph.name;
    if (!live.graphs.some((one) => one.name === name)) {
      await noteMade(session, places, { kind: 'graph', schema: name, name });
      await createGraph(session, graph, name);
    }
    const mismatch = await findLabelMismatch(session, graph, name);
    if (mismatch !== undefined) throw new AppError('restore/blocked', `The graph cannot take the rows: ${mismatch}.`);
  }
}

type StagedItem = { readonly item: Item; readonly point: PointTable | undefined };

/** One item per table of the point, and one per table that came later and loses its rows. */
async function layOutItems(session: PostgresSession, wanted: Wanted): Promise<StagedItem[]> {
  const { workspace, places } = wanted;
  const live = await surveyHere(session);
  const fromPoint = pointTables(wanted).map((point) => ({ place: point.target, byColumn: point.byColumn, point }));
  const known = new Set(fromPoint.map(({ place }) => qualified(place)));
  const graph = workspace && graphNameOf(workspace.to);
  const later = [
    ...live.tables.map((place) => ({ place, byColumn: true, point: undefined })),
    ...live.graphs
      .filter(({ name }) => graph === undefined || name === graph)
      .flatMap(({ schema, labels }) =>
        labels.map(({ table }) => ({ place: { schema, name: table }, byColumn: false, point: undefined })),
      ),
  ].filter(({ place }) => !known.has(qualified(place)));
  const items: StagedItem[] = [];
  for (const { place, byColumn, point } of [...fromPoint, ...later]) {
    const shape = await readShape(session, place);
    if (!shape) throw new AppError('restore/blocked', `There is no table ${qualified(place)} to restore into.`);
    const columns = columnsOf(wanted, point) ?? shape.columns;
    const lacking = columns.filter((column) => !shape.columns.includes(column));
    if (lacking.length > 0)
      throw new AppError(
        'restore/blocked',
        `The table ${qualified(place)} has no column ${lacking.join(', ')}, which the point has. Start the version of LightRAG that the point was taken of, so that it makes them.`,
      );
    const item: Item = {
      number: items.length + 1,
      schema: place.schema,
      name: place.name,
      columns,
      key: shape.primaryKey.every((column) => columns.includes(column)) ? shape.primaryKey : [],
      workspace: byColumn && workspace ? workspace.to : null,
    };
    await addItem(session, places, item);
    items.push({ item, point });
  }
  return items;
}

/** Undefined for a graph's tables, whose columns are always the same. */
const columnsOf = ({ details }: Wanted, point: PointTable | undefined): readonly string[] | undefined =>
  point?.byColumn
    ? details.tables.find(({ schema, name }) => schema === point.schema && name === point.name)?.columns
    : undefined;

async function fillStaging(
  tools: RenameTools & { readonly programs: PostgresPrograms },
  wanted: Wanted,
  items: readonly StagedItem[],
  script: string,
  context: RestorerContext,
  operationId: string,
): Promise<void> {
  const { workspace, places, details } = wanted;
  const targetOf = (table: { schema: string; name: string }, columns: readonly string[]): CopyTarget | undefined => {
    const found = items.find(({ point }) => point?.schema === table.schema && point.name === table.name);
    if (!found?.point) return undefined;
    const staged = stagedName(places.stagingSchema, found.item);
    const at = columns.indexOf('workspace');
    return {
      copy: `COPY ${staged} (${columns.map(identifier).join(', ')}) FROM stdin`,
      only:
        found.point.byColumn && workspace && at !== -1 ? { at, value: workspace.from, as: workspace.to } : undefined,
    };
  };
  const head = Buffer.from(
    `set statement_timeout = 0; set lock_timeout = 0; set client_encoding = ${wanted.details.streams.some(({ what }) => what === 'rows') ? "'UTF8'" : `'${details.database.encoding.replaceAll("'", '')}'`};\n`,
  );
  const rows = rewriteCopies(createReadStream(script, { highWaterMark: 1024 * 1024 }), targetOf);
  const result = await tools.children.run({
    program: programIn(tools.programs, 'psql'),
    args: [
      '--no-psqlrc',
      '--quiet',
      '--no-password',
      '--set=ON_ERROR_STOP=1',
      '--file=-',
      `--dbname=${databaseArgument(tools.connection.database)}`,
    ],
    env: clientEnvironment(tools.connection),
    purpose: 'restore of PostgreSQL',
    operationId,
    signal: context.signal,
    input: Readable.from(withHead(head, rows), { objectMode: false }),
  });
  if (result.exitCode !== 0)
    throw new AppError('restore/blocked', `psql did not take the rows${wordsOf('psql', result.stderr)}`, {
      context: { stderr: result.stderr },
    });
}

async function* withHead(head: Buffer, rows: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  yield* rows;
}

export async function commitTables(tools: RenameTools, wanted: Wanted, context: RestorerContext): Promise<void> {
  const { places, details, workspace } = wanted;
  const session = await open(tools);
  try {
    const there = await listOurSchemas(session);
    if (there.has(places.formerSchema)) return;
    if (there.get(places.stagingSchema) !== places.mark('prepared'))
      throw new AppError(
        'restore/blocked',
        `The rows in ${places.stagingSchema} are not ready; prepare the restore again.`,
      );
    const items = await readItems(session, places.stagingSchema);
    if (details.graphs.length > 0) await loadAge(session);
    await exchange(session, items, {
      from: places.stagingSchema,
      keepIn: places.formerSchema,
      before: keepingSchema(places),
      finally: [
        ...(await sequenceStatements(session, items)),
        ...details.graphs
          .filter((graph) => workspace === undefined || graph.workspace === workspace.from)
          .flatMap((graph) => graphSequenceStatements(graph, workspace ? graphNameOf(workspace.to) : graph.name)),
      ],
    });
    await context.step('postgres:exchanged');
  } finally {
    await session.close();
  }
}

export async function verifyTables(tools: RenameTools, wanted: Wanted): Promise<void> {
  const { places } = wanted;
  const session = await open(tools);
  try {
    for (const item of await readItems(session, places.stagingSchema)) {
      const unlike = await countUnlike(session, places, item);
      if (unlike > 0)
        throw new AppError(
          'restore/digest-mismatch',
          `${unlike} rows of ${qualified(item)} are not those of the point.`,
        );
    }
  } finally {
    await session.close();
  }
}

export async function undoTables(tools: RenameTools, wanted: Wanted, context: RestorerContext): Promise<void> {
  const { places } = wanted;
  const session = await open(tools);
  try {
    const there = await listOurSchemas(session);
    const committed = there.has(places.formerSchema);
    if (!committed && !there.has(places.stagingSchema)) return;
    if (wanted.details.graphs.length > 0) await loadAge(session);
    const traces = await dropTraces(session, places, committed ? 'formerSchema' : 'stagingSchema');
    if (committed) {
      const items = await readItems(session, places.formerSchema);
      await exchange(session, items, { from: places.formerSchema, finally: traces });
      await context.step('postgres:exchanged-back');
    } else for (const statement of traces) await session.run(statement);
  } finally {
    await session.close();
  }
}

export async function finishTables(
  tools: RenameTools,
  wanted: Wanted,
  context: RestorerContext,
): Promise<string | undefined> {
  const { places } = wanted;
  const session = await open(tools);
  try {
    const there = await listOurSchemas(session);
    if (!there.has(places.formerSchema)) return undefined;
    if (there.get(places.formerSchema) !== places.mark('former')) {
      const older = [...there.keys()].filter(
        (name) => name.startsWith('ragwarden_before_') && name !== places.formerSchema,
      );
      await session.run(
        [
          'begin',
          ...dropSchemas([places.stagingSchema, ...older]),
          markSchema(places.formerSchema, places.mark('former')),
          'commit',
        ].join('; '),
      );
      await context.step('postgres:finished');
    }
    return `schema ${places.formerSchema} in the ${describePlace(tools.connection)}`;
  } finally {
    await session.close();
  }
}

/** Undefined: nothing of this operation is in the database. */
export async function stateOfTables(
  tools: RenameTools,
  wanted: Wanted,
): Promise<Exclude<RestorerState, 'none'> | 'begun' | undefined> {
  const { places } = wanted;
  const session = await open(tools);
  try {
    const there = await listOurSchemas(session);
    if (there.has(places.formerSchema)) return 'committed';
    if (!there.has(places.stagingSchema)) return undefined;
    return there.get(places.stagingSchema) === places.mark('prepared') ? 'prepared' : 'begun';
  } finally {
    await session.close();
  }
}
