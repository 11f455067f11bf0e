import type { DatabaseSync, StatementSync } from 'node:sqlite';
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

type Prepared = { readonly statement: StatementSync; readonly answersRows: boolean };

/** How many prepared statements a connection keeps: preparing one costs more than running most of them. */
const keptStatements = 200;
/** Longer ones carry lists that hardly come again. */
const longestKept = 2_000;

/** One connection to one `node:sqlite` file. Statements run at once on the calling thread. */
class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #beforeStatement: () => void;
  /** By their text, the least recently used first. SQLite prepares one anew by itself when the schema has changed. */
  readonly #kept = new Map<string, Prepared>();
  constructor(database: DatabaseSync, beforeStatement: () => void) {
    this.#database = database;
    this.#beforeStatement = beforeStatement;
  }

  get isTransaction(): boolean {
    return this.#database.isTransaction;
  }

  #prepare(sql: string): Prepared {
    const known = this.#kept.get(sql);
    if (known) {
      this.#kept.delete(sql);
      this.#kept.set(sql, known);
      return known;
    }
    const statement = this.#database.prepare(sql);
    const prepared = { statement, answersRows: statement.columns().length > 0 };
    if (sql.length > longestKept) return prepared;
    this.#kept.set(sql, prepared);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptStatements && oldest !== undefined) this.#kept.delete(oldest);
    return prepared;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    this.#beforeStatement();
    const { statement, answersRows } = this.#prepare(query.sql);
    const parameters = query.parameters.map(bindable);
    if (answersRows) {
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
    // A full disk makes SQLite roll back by itself; a second one would fail, and its error hide the first.
    if (!this.#connection.isTransaction) return;
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
