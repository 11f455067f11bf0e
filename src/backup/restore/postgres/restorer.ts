import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { AppError } from '../../../platform/errors.ts';
import type { PostgresConnection } from '../../postgres/connection.ts';
import type { Restorer, RestorerRequest } from '../restorer.ts';
import { requireClients } from './clients.ts';
import { decideMethod } from './method.ts';
import { seePlace } from './place.ts';
import { planRestore } from './plan-restore.ts';
import { rehearse } from './rehearse.ts';
import {
  commitDatabase,
  finishDatabase,
  prepareDatabase,
  stateOfDatabase,
  undoDatabase,
  verifyDatabase,
} from './rename.ts';
import { readRequest, type Wanted } from './scope.ts';
import { commitTables, finishTables, prepareTables, stateOfTables, undoTables, verifyTables } from './tables.ts';

export type PostgresRestorerOptions = {
  readonly connection: PostgresConnection;
  readonly children: ChildProcesses;
  /** How the rows name a workspace of the target, where it is not by the same name. */
  readonly named?: (workspace: string) => string;
  /** The whole database is the target's. */
  readonly whole?: boolean;
  /** Where PostgreSQL's programs may lie; the system's places by default. */
  readonly folders?: readonly string[];
};

/**
 * Brings a PostgreSQL component back: by rename of a whole new database, or by an exchange of rows (see `method.ts`). After `prepare`,
 * what lies in the server tells which of them it is.
 */
export function createPostgresRestorer(options: PostgresRestorerOptions): Restorer {
  const { connection } = options;
  const read = (request: RestorerRequest): Wanted => readRequest(request, options);

  /** What an earlier step of this operation left, whichever way it went. */
  const find = async (wanted: Wanted) => {
    const database = await stateOfDatabase(options, wanted);
    if (database !== undefined) return { by: 'rename' as const, state: database };
    // A database that is not there holds no schemas.
    const tables = wanted.aside
      ? undefined
      : await stateOfTables(options, wanted).catch(unlessReachable(options, wanted));
    return tables === undefined ? undefined : { by: 'tables' as const, state: tables };
  };
  const requireFound = async (wanted: Wanted) => {
    const found = await find(wanted);
    if (!found) throw new AppError('restore/blocked', 'Nothing of this restore is in the server; prepare it again.');
    return found;
  };

  return {
    kind: 'postgres',
    plan: (request, signal) => planRestore(options, request, signal),

    async prepare(request, context) {
      const wanted = read(request);
      const found = await find(wanted);
      if (found?.state === 'committed')
        throw new AppError('restore/blocked', 'This restore was carried out already; undo it first.');
      if (found) await (found.by === 'rename' ? undoDatabase : undoTables)(options, wanted, context);
      const place = await seePlace(connection, wanted);
      const method = decideMethod(wanted, place);
      if (method.blockers.length > 0) throw new AppError('restore/blocked', `${method.blockers.join('; ')}.`);
      const programs = await requireClients(options, wanted.details, place.server, context.signal);
      const tools = { ...options, programs };
      await (method.by === 'rename' ? prepareDatabase : prepareTables)(tools, wanted, context, request.operationId);
    },

    async commit(request, context) {
      const wanted = read(request);
      const { by } = await requireFound(wanted);
      await (by === 'rename' ? commitDatabase : commitTables)(options, wanted, context);
      await context.step('postgres:committed');
    },

    async verify(request, context) {
      const wanted = read(request);
      const { by } = await requireFound(wanted);
      await (by === 'rename' ? verifyDatabase : verifyTables)(options, wanted);
      await context.step('postgres:verified');
    },

    async undo(request, context) {
      const wanted = read(request);
      // Both ways: a kill between two of them leaves one of the two at most, and a look costs little.
      await undoDatabase(options, wanted, context);
      if (!wanted.aside) await undoTables(options, wanted, context).catch(unlessReachable(options, wanted));
    },

    async finish(request, context) {
      const wanted = read(request);
      const found = await find(wanted);
      if (!found) return undefined;
      return (found.by === 'rename' ? finishDatabase : finishTables)(options, wanted, context);
    },

    async state(request) {
      const found = await find(read(request));
      if (found === undefined) return 'none';
      // What was only begun must be undone as well; `commit` does not take it for ready.
      return found.state === 'begun' ? 'prepared' : found.state;
    },

    rehearse: (request, context) => rehearse(options, read(request), request, context),
  };
}

/** A database that does not exist has nothing to undo; one that does and does not answer is a failure. */
const unlessReachable =
  (options: PostgresRestorerOptions, wanted: Wanted) =>
  async (err: unknown): Promise<undefined> => {
    const place = await seePlace(options.connection, { ...wanted, aside: true });
    if (place.facts) throw err;
    return undefined;
  };
