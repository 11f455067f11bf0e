import { join } from 'node:path';
import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { isAppError } from '../../../platform/errors.ts';
import {
  clientEnvironment,
  connectPostgres,
  databaseArgument,
  identifier,
  type PostgresConnection,
} from '../../postgres/connection.ts';
import { extractDatabase } from '../../postgres/extract-database.ts';
import { type PostgresPrograms, programIn } from '../../postgres/programs.ts';
import { countsByStore, type TableCount } from '../../postgres/survey.ts';
import { countOtherTables, countRows, readServer, surveyHere } from '../../postgres/survey-store.ts';
import type { Rehearsal, RestorerContext, RestorerRequest } from '../restorer.ts';
import { requireClients } from './clients.ts';
import { differences, otherDifferences } from './differences.ts';
import { runRestore } from './rename.ts';
import { archiveOf, type Wanted } from './scope.ts';
import { createDatabase, readRights } from './server-store.ts';
import { startThrowawayCluster } from './throwaway-cluster.ts';

/** Into a server of its own, which nobody else can reach; what came out is counted and held against the point. */
export async function rehearse(
  tools: { readonly children: ChildProcesses; readonly folders?: readonly string[] },
  wanted: Wanted,
  request: RestorerRequest,
  context: RestorerContext,
): Promise<Rehearsal> {
  const { details } = wanted;
  const { operationId } = request;
  const phases: { name: string; ms: number }[] = [];
  const problems: string[] = [];
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    try {
      return await work();
    } finally {
      phases.push({ name, ms: Math.round(performance.now() - began) });
    }
  };
  const archive = archiveOf(details) ?? details.streams.find(({ what }) => what === 'schema');
  if (!archive) {
    return {
      phases,
      bytes: 0,
      counts: {},
      facts: {},
      problems: ['the point holds nothing of the database'],
      remove: async () => undefined,
    };
  }
  // The server is made of what is installed here; it must be able to read what the point's server wrote.
  const programs = await requireClients(tools, details, details.server, context.signal, [
    'pg_restore',
    'psql',
    'initdb',
    'postgres',
  ]);
  const cluster = await timed('cluster', () =>
    startThrowawayCluster(tools.children, programs, context.scratchDir, {
      operationId,
      signal: context.signal,
      encoding: 'UTF8',
    }),
  );
  try {
    await context.step('postgres:started');
    const { connection } = cluster;
    const file = join(context.scratchDir, archive.name);
    await timed('fetch', () => context.fetchStream(archive.name, file));
    await timed('globals', () => makeRoles(programs, connection, wanted, context, problems));
    const database = 'rehearsal';
    const target: PostgresConnection = { ...connection, database };
    await timed('restore', async () => {
      const session = await connectPostgres(connection, { failsAs: 'restore/blocked' });
      try {
        const available = (await readRights(session)).extensions;
        for (const { name } of details.extensions)
          if (!available.has(name)) problems.push(`the extension ${name} is not installed on this machine`);
        const { major } = await readServer(session);
        await createDatabase(session, database, likeC(details.database.encoding), major);
      } finally {
        await session.close();
      }
      if (problems.length > 0) return;
      await runRestore(
        tools.children,
        {
          program: programIn(programs, 'pg_restore'),
          args: ['--exit-on-error', '--no-password', '--jobs=2', `--dbname=${databaseArgument(database)}`, file],
          env: clientEnvironment(target),
        },
        context,
        operationId,
      );
      await fillRows(tools.children, target, wanted, context, operationId, programs);
    }).catch((err: unknown) => {
      context.signal.throwIfAborted();
      if (!isAppError(err)) throw err;
      problems.push(err.detail);
    });
    const { counts, others } =
      problems.length > 0 ? { counts: [], others: {} } : await timed('count', () => countAll(target, details));
    if (problems.length === 0) problems.push(...differences(details, counts), ...otherDifferences(details, others));
    const workspace = details.audited_workspace;
    const extracts =
      problems.length > 0 || workspace === undefined
        ? undefined
        : await timed('audit', () =>
            extractDatabase(target, {
              workspace,
              folder: join(context.scratchDir, 'audit'),
              name: request.component.name,
              signal: context.signal,
              failsAs: 'restore/blocked',
            }),
          );
    return {
      phases,
      bytes: details.streams.reduce((sum, { bytes }) => sum + bytes, 0),
      counts: { ...countsByStore(counts), ...others },
      ...(extracts === undefined ? {} : { extracts }),
      facts: {
        server_version: details.server.version,
        rehearsed_on: programs.version,
        rows: counts.map(({ schema, name, workspaces }) => ({
          table: `${schema}.${name}`,
          workspaces: { ...workspaces },
        })),
        extensions: details.extensions.map(({ name, version }) => `${name} ${version}`),
      },
      problems,
      remove: cluster.remove,
    };
  } catch (err) {
    await cluster.remove();
    throw err;
  }
}

const likeC = (encoding: string) => ({
  owner: undefined,
  encoding,
  collate: 'C',
  ctype: 'C',
  localeProvider: null,
  icuLocale: null,
  connectionLimit: -1,
  acl: null,
  settings: [],
});

async function countAll(
  connection: PostgresConnection,
  details: Wanted['details'],
): Promise<{ counts: TableCount[]; others: Record<string, number> }> {
  const session = await connectPostgres(connection, { failsAs: 'restore/blocked' });
  try {
    const survey = await surveyHere(session);
    const others = details.table_rows === undefined ? {} : await countOtherTables(session, survey);
    return { counts: await countRows(session, survey), others };
  } finally {
    await session.close();
  }
}

/** Owners and rights in the dump speak of roles, which have to be there. */
async function makeRoles(
  programs: PostgresPrograms,
  connection: PostgresConnection,
  { details }: Wanted,
  context: RestorerContext,
  problems: string[],
): Promise<void> {
  const globals = details.streams.find(({ what }) => what === 'globals');
  if (globals)
    // Not every line can succeed: tablespaces lie in folders of another machine, and the first role is there already.
    await context.pipeStream(globals.name, {
      command: [
        programIn(programs, 'psql'),
        '--no-psqlrc',
        '--quiet',
        '--no-password',
        '--file=-',
        `--dbname=${databaseArgument('postgres')}`,
      ],
      environment: clientEnvironment(connection),
    });
  const session = await connectPostgres(connection, { failsAs: 'restore/blocked' });
  try {
    const { allRoles } = await readRights(session);
    for (const role of details.roles) if (!allRoles.has(role)) await session.run(`create role ${identifier(role)}`);
  } catch (err) {
    problems.push(`a role could not be made: ${err instanceof Error ? err.message : String(err)}`);
  } finally {
    await session.close();
  }
}

async function fillRows(
  children: ChildProcesses,
  connection: PostgresConnection,
  { details }: Wanted,
  context: RestorerContext,
  operationId: string,
  programs: PostgresPrograms,
): Promise<void> {
  const rows = details.streams.find(({ what }) => what === 'rows');
  if (!rows) return;
  const file = join(context.scratchDir, 'rows.sql');
  await context.fetchStream(rows.name, file);
  await runRestore(
    children,
    {
      program: programIn(programs, 'psql'),
      args: [
        '--no-psqlrc',
        '--quiet',
        '--no-password',
        '--set=ON_ERROR_STOP=1',
        `--file=${file}`,
        `--dbname=${databaseArgument(connection.database)}`,
      ],
      env: clientEnvironment(connection),
    },
    context,
    operationId,
  );
}
