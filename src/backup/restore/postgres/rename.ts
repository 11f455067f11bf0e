import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { AppError } from '../../../platform/errors.ts';
import {
  clientEnvironment,
  connectPostgres,
  databaseArgument,
  describePlace,
  identifier,
  type PostgresConnection,
  type PostgresSession,
} from '../../postgres/connection.ts';
import { type PostgresPrograms, programIn } from '../../postgres/programs.ts';
import { countOtherTables, countRows, readDatabase, readServer, surveyHere } from '../../postgres/survey-store.ts';
import { wordsOf } from '../../program-words.ts';
import type { PostgresDetails } from '../../sources/postgres/details.ts';
import type { RestorerContext, RestorerState } from '../restorer.ts';
import { differences, otherDifferences } from './differences.ts';
import { isFormerMark } from './names.ts';
import type { Wanted } from './scope.ts';
import { archiveOf } from './scope.ts';
import {
  commentOnDatabase,
  createDatabase,
  dressDatabase,
  dropDatabase,
  listDatabases,
  type NewDatabase,
  readRights,
  renameDatabases,
} from './server-store.ts';

/**
 * A whole database by rename: filled under a name of its own → the live one steps aside and it takes the name, in one transaction.
 * States: the fresh database marked `prepared`; then the place itself marked `committed`, with the former one beside it unless there
 * was none. `finish` takes the mark away.
 */
export type RenameTools = {
  readonly connection: PostgresConnection;
  readonly children: ChildProcesses;
};

/** A session from which the databases in question can be renamed: in none of them. */
export async function connectBeside(
  connection: PostgresConnection,
  avoid: readonly string[],
): Promise<PostgresSession> {
  let refusal: unknown;
  for (const database of ['postgres', 'template1'].filter((name) => !avoid.includes(name)))
    try {
      return await connectPostgres(connection, { failsAs: 'restore/blocked', database });
    } catch (err) {
      refusal = err;
    }
  throw refusal;
}

const factsOf = (details: PostgresDetails): NewDatabase => ({
  owner: details.database.owner,
  encoding: details.database.encoding,
  collate: details.database.collate,
  ctype: details.database.ctype,
  localeProvider: details.database.locale_provider,
  icuLocale: details.database.icu_locale,
  connectionLimit: details.database.connection_limit,
  acl: details.database.acl,
  settings: details.database.settings,
});

export async function prepareDatabase(
  tools: RenameTools & { readonly programs: PostgresPrograms },
  wanted: Wanted,
  context: RestorerContext,
  operationId: string,
): Promise<void> {
  const { connection, children, programs } = tools;
  const { details, places } = wanted;
  const session = await connectBeside(connection, [wanted.database, places.fresh]);
  try {
    const server = await readServer(session);
    const rights = await readRights(session);
    const archive = archiveOf(details);
    if (!archive) throw new AppError('restore/blocked', 'The point holds no dump of the whole database.');
    const file = `${context.scratchDir}/archive`;
    await context.fetchStream(archive.name, file);
    await context.step('postgres:fetched');
    // Content is the point's; what was set on the database since then stays, since newer roles and rights are the operator's.
    const live = wanted.aside ? undefined : await readDatabase(session, server, wanted.database);
    const keepsOwners = ownersCanBeKept(details, rights);
    const like: NewDatabase = {
      ...factsOf(details),
      ...(live ? { acl: live.acl, settings: live.settings, connectionLimit: live.connectionLimit } : {}),
      owner: live?.owner ?? (keepsOwners ? details.database.owner : undefined),
    };
    await dropDatabase(session, places.fresh);
    await createDatabase(session, places.fresh, like, server.major);
    await context.step('postgres:created');
    await runRestore(
      children,
      {
        program: programIn(programs, 'pg_restore'),
        args: [
          '--exit-on-error',
          '--no-password',
          '--jobs=2',
          ...(keepsOwners ? [] : ['--no-owner', '--no-privileges']),
          `--dbname=${databaseArgument(places.fresh)}`,
          file,
        ],
        env: clientEnvironment(connection, places.fresh),
      },
      context,
      operationId,
    );
    await context.step('postgres:filled');
    const failed = await dressDatabase(session, places.fresh, like, rights.allRoles);
    for (const what of failed)
      context.log.warn({ statement: what }, 'a setting of the database could not be brought back');
    await requireSame(connection, wanted, places.fresh);
    await inDatabase(connection, places.fresh, (inside) => inside.run('analyze'));
    await session.run(commentOnDatabase(places.fresh, places.mark('prepared')));
    await context.step('postgres:prepared');
  } finally {
    await session.close();
  }
}

/** Objects get their owners only where we may give them away; else all are ours. */
export const ownersCanBeKept = (
  details: Pick<PostgresDetails, 'roles'>,
  rights: { readonly superuser: boolean; readonly roles: ReadonlySet<string>; readonly allRoles: ReadonlySet<string> },
): boolean => details.roles.every((role) => (rights.superuser ? rights.allRoles : rights.roles).has(role));

/** @throws AppError `restore/blocked` with the reason that the program gave */
export async function runRestore(
  children: ChildProcesses,
  what: { program: string; args: readonly string[]; env: Readonly<Record<string, string>> },
  context: Pick<RestorerContext, 'signal'>,
  operationId: string,
): Promise<void> {
  const result = await children.run({
    ...what,
    purpose: 'restore of PostgreSQL',
    operationId,
    signal: context.signal,
  });
  if (result.exitCode === 0) return;
  throw new AppError(
    'restore/blocked',
    `${what.program.split('/').at(-1)} did not end well${wordsOf(what.program, result.stderr)}`,
    { context: { stderr: result.stderr } },
  );
}

async function inDatabase<T>(
  connection: PostgresConnection,
  database: string,
  work: (session: PostgresSession) => Promise<T>,
): Promise<T> {
  const session = await connectPostgres(connection, { failsAs: 'restore/blocked', database });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

async function differencesIn(session: PostgresSession, details: Wanted['details']): Promise<string[]> {
  const survey = await surveyHere(session);
  const others = details.table_rows === undefined ? {} : await countOtherTables(session, survey);
  return [...differences(details, await countRows(session, survey)), ...otherDifferences(details, others)];
}

async function requireSame(connection: PostgresConnection, wanted: Wanted, database: string): Promise<void> {
  const found = await inDatabase(connection, database, (session) => differencesIn(session, wanted.details));
  if (found.length > 0)
    throw new AppError(
      'restore/digest-mismatch',
      `The ${describePlace(connection, database)} is not what was dumped: ${found.slice(0, 5).join('; ')}.`,
      { context: { found } },
    );
}

export async function commitDatabase(tools: RenameTools, wanted: Wanted, context: RestorerContext): Promise<void> {
  const { places, database } = wanted;
  const session = await connectBeside(tools.connection, [database, places.fresh]);
  try {
    const there = await listDatabases(session);
    if (there.get(database) === places.mark('committed')) return;
    if (there.get(places.fresh) !== places.mark('prepared'))
      throw new AppError('restore/blocked', `The database ${places.fresh} is not ready; prepare the restore again.`);
    if (wanted.aside && there.has(database))
      throw new AppError('restore/blocked', `There is a database ${database} by now; nothing was changed.`);
    await renameDatabases(
      session,
      [database, places.fresh],
      [
        ...(there.has(database) ? [rename(database, places.former)] : []),
        rename(places.fresh, database),
        commentOnDatabase(database, places.mark('committed')),
      ],
    );
    await context.step('postgres:renamed');
  } finally {
    await session.close();
  }
}

const rename = (from: string, to: string): string => `alter database ${identifier(from)} rename to ${identifier(to)}`;

export const verifyDatabase = (tools: RenameTools, wanted: Wanted): Promise<void> =>
  requireSame(tools.connection, wanted, wanted.database);

export async function undoDatabase(tools: RenameTools, wanted: Wanted, context: RestorerContext): Promise<void> {
  const { places, database } = wanted;
  if ((await stateOfDatabase(tools, wanted)) === undefined) return;
  const session = await connectBeside(tools.connection, [database, places.fresh]);
  try {
    const there = await listDatabases(session);
    if (there.get(database) === places.mark('committed')) {
      const former = there.has(places.former) ? [rename(places.former, database)] : [];
      await renameDatabases(session, [database, places.former], [rename(database, places.fresh), ...former]);
      await context.step('postgres:renamed-back');
    }
    await dropDatabase(session, places.fresh);
  } finally {
    await session.close();
  }
}

export async function finishDatabase(
  tools: RenameTools,
  wanted: Wanted,
  context: RestorerContext,
): Promise<string | undefined> {
  const { places, database, details } = wanted;
  const session = await connectBeside(tools.connection, [database, places.fresh]);
  try {
    const there = await listDatabases(session);
    const former = there.has(places.former);
    if (there.get(database) === places.mark('committed')) {
      const comment = former ? (there.get(places.former) ?? null) : details.database.comment;
      await session.run(
        [
          'begin',
          commentOnDatabase(database, comment),
          ...(former ? [commentOnDatabase(places.former, places.mark('former'))] : []),
          'commit',
        ].join('; '),
      );
      await context.step('postgres:finished');
    }
    if (!wanted.aside)
      for (const [name, comment] of there)
        if (name !== places.former && name.startsWith(places.formerPrefix) && isFormerMark(comment))
          await dropDatabase(session, name);
    return former ? describePlace(tools.connection, places.former) : undefined;
  } finally {
    await session.close();
  }
}

/** A session from which the databases of the server can be listed. */
const connectAnywhere = (connection: PostgresConnection): Promise<PostgresSession> =>
  connectBeside(connection, []).catch(() => connectPostgres(connection, { failsAs: 'restore/blocked' }));

/** Undefined: nothing of this operation is among the databases. */
export async function stateOfDatabase(
  tools: RenameTools,
  wanted: Wanted,
): Promise<Exclude<RestorerState, 'none'> | 'begun' | undefined> {
  const { places, database } = wanted;
  const session = await connectAnywhere(tools.connection);
  try {
    const there = await listDatabases(session);
    if (there.get(database) === places.mark('committed') || there.has(places.former)) return 'committed';
    if (!there.has(places.fresh)) return undefined;
    return there.get(places.fresh) === places.mark('prepared') ? 'prepared' : 'begun';
  } finally {
    await session.close();
  }
}
