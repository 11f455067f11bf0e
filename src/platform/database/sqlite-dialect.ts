import type { DatabaseSync } from 'node:sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { bindable } from './bindable.ts';

/** One connection to one `node:sqlite` file. Statements run at once on the calling thread. */
class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #beforeStatement: () => void;
  constructor(database: DatabaseSync, beforeStatement: () => void) {
    this.#database = database;
    this.#beforeStatement = beforeStatement;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    this.#beforeStatement();
    const statement = this.#database.prepare(query.sql);
    const parameters = query.parameters.map(bindable);
    if (statement.columns().length > 0) {
      // Row types are declared by the store that wrote the statement; SQLite itself has none to check against.
      return { rows: statement.all(...parameters) as Row[] };
    }
    const { changes, lastInsertRowid } = statement.run(...parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  // biome-ignore lint/correctness/useYield: a stream of rows is refused, the port asks for this shape
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('streaming is not offered here; page through the rows');
  }
}

/** Hands out the one connection without queueing: whoever owns the database decides who writes when. */
class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection;
  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }
  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }
  // Kysely's plain BEGIN lets two processes read first and fail at the write; immediate ones queue.
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'));
  }
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

/** SQLite's DDL is transactional, so a migration that fails leaves nothing behind and its retry works. */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

export class NodeSqliteDialect implements Dialect {
  readonly #database: DatabaseSync;
  readonly #beforeStatement: () => void;
  /** @param beforeStatement may throw to refuse a statement */
  constructor(database: DatabaseSync, beforeStatement: () => void = () => undefined) {
    this.#database = database;
    this.#beforeStatement = beforeStatement;
  }
  createDriver(): Driver {
    return new SqliteDriver(new SqliteConnection(this.#database, this.#beforeStatement));
  }
  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }
  createAdapter(): DialectAdapter {
    return new TransactionalDdlAdapter();
  }
  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}
