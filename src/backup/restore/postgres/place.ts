import { AppError } from '../../../platform/errors.ts';
import { connectPostgres, type PostgresConnection, type PostgresSession } from '../../postgres/connection.ts';
import type { Survey } from '../../postgres/survey.ts';
import { type DatabaseFacts, readDatabase, readServer, surveyHere } from '../../postgres/survey-store.ts';
import type { Place } from './method.ts';
import { connectBeside } from './rename.ts';
import type { Wanted } from './scope.ts';
import { listDatabases, readRights } from './server-store.ts';

export type SeenPlace = Place & {
  readonly facts: DatabaseFacts | undefined;
  readonly survey: Survey | undefined;
  /** Where the server keeps its files, if it says so. */
  readonly dataDirectory: string | undefined;
};

/**
 * Looks, changing nothing.
 * @param look what else is asked of the live database while the session is there
 */
export async function seePlace(
  connection: PostgresConnection,
  wanted: Wanted,
  look?: (session: PostgresSession, survey: Survey) => Promise<void>,
): Promise<SeenPlace> {
  const beside = await connectBeside(connection, []).catch(() => undefined);
  const session = beside ?? (await connectPostgres(connection, { failsAs: 'restore/blocked' }));
  try {
    const server = await readServer(session);
    const rights = await readRights(session);
    const there = (await listDatabases(session)).has(wanted.database);
    const facts = there ? await readDatabase(session, server, wanted.database) : undefined;
    const [row] = await session
      .rows<{ folder: string | null }>(`select current_setting('data_directory', true) as folder`)
      .catch(() => []);
    const dataDirectory = row?.folder ?? undefined;
    // Without a database to stand in, none can be renamed: our own is all there is.
    const allowed = beside ? rights : { ...rights, mayCreateDatabases: false };
    if (!facts || wanted.aside)
      return {
        server,
        rights: allowed,
        facts,
        survey: undefined,
        dataDirectory,
        live: facts && { owner: facts.owner, foreign: nothingForeign },
      };
    const inside = await connectPostgres(connection, { failsAs: 'restore/blocked' });
    try {
      const survey = await surveyHere(inside);
      await look?.(inside, survey);
      return {
        server,
        rights: allowed,
        facts,
        survey,
        dataDirectory,
        live: { owner: facts.owner, foreign: survey.foreign },
      };
    } finally {
      await inside.close();
    }
  } catch (err) {
    if (err instanceof AppError) throw err;
    throw new AppError(
      'restore/blocked',
      `The server could not be looked at: ${err instanceof Error ? err.message : String(err)}`,
      {
        cause: err,
      },
    );
  } finally {
    await session.close();
  }
}

const nothingForeign = { relations: [], schemas: [], functions: 0, types: 0, largeObjects: 0, others: [] };
