import { extractStores, type StoreExtracts } from '../../targets/index.ts';
import { beginReading, readersIn } from './audit-store.ts';
import { connectPostgres, type PostgresConnection } from './connection.ts';

/**
 * Writes down what an audit asks of the stores in a database, over a connection of its own: what fails here breaks nobody's
 * transaction.
 * @param wanted.snapshot as of this exported one; absent: as of now
 * @param wanted.workspace by its name in the column
 * @throws AppError, or what the server says
 */
export async function extractDatabase(
  connection: PostgresConnection,
  wanted: {
    readonly snapshot?: string;
    readonly workspace: string;
    readonly folder: string;
    readonly name: string;
    readonly signal: AbortSignal;
    readonly failsAs: 'restore/blocked' | 'backup/capture-failed';
  },
): Promise<StoreExtracts> {
  const session = await connectPostgres(connection, wanted);
  try {
    const survey = await beginReading(session, wanted.snapshot);
    return await extractStores(await readersIn(session, survey, wanted.workspace), wanted);
  } finally {
    await session.close();
  }
}
