import {
  type ColumnDefinitionNode,
  CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type DataTypeNode,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  PostgresAdapter,
  PostgresQueryCompiler,
  type QueryCompiler,
  type QueryResult,
  type SchemaMetadata,
  sql,
  type TableMetadata,
} from 'kysely';
import type { Answer } from './postgres-session.ts';

export type Lent = {
  query(text: string, parameters: readonly unknown[]): Promise<Answer>;
  release(): void;
};

/** Runs on whatever connection it is lent; who lends decides about transactions, retries and the words of errors. */
class LentConnection implements DatabaseConnection {
  readonly #lent: Lent;
  constructor(lent: Lent) {
    this.#lent = lent;
  }
  release(): void {
    this.#lent.release();
  }
  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, rowCount, command } = await this.#lent.query(query.sql, query.parameters);
    const changes = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE';
    // Row types are declared by the store that wrote the statement; nothing here could check them.
    return { rows: rows as Row[], ...(changes ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}) };
  }
  // biome-ignore lint/correctness/useYield: a stream of rows is refused, the port asks for this shape
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('streaming is not offered here; page through the rows');
  }
}

class LendingDriver implements Driver {
  readonly #lend: () => Promise<Lent>;
  constructor(lend: () => Promise<Lent>) {
    this.#lend = lend;
  }
  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return new LentConnection(await this.#lend());
  }
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin'));
  }
  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'));
  }
  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    if (connection instanceof LentConnection) connection.release();
  }
  async destroy(): Promise<void> {}
}

/**
 * Migrations are written once, in SQLite's words. Text is compared byte by byte, as there: ids sort by time and types by range
 * whatever the language of the server is.
 */
class OneSchemaCompiler extends PostgresQueryCompiler {
  #inColumn = false;
  protected override visitColumnDefinition(node: ColumnDefinitionNode): void {
    this.#inColumn = true;
    super.visitColumnDefinition(node);
    this.#inColumn = false;
  }
  protected override visitDataType(node: DataTypeNode): void {
    if (node.dataType === 'blob') this.append('bytea');
    else if (this.#inColumn && (node.dataType === 'text' || node.dataType.startsWith('varchar')))
      this.append(`${node.dataType} collate "C"`);
    else super.visitDataType(node);
  }
}

/** Names of schemas and tables, which is all that migrations ask for; columns are not looked at. */
class NameIntrospector implements DatabaseIntrospector {
  readonly #db: Kysely<unknown>;
  constructor(db: Kysely<unknown>) {
    this.#db = db;
  }
  async getSchemas(): Promise<SchemaMetadata[]> {
    const { rows } = await sql<{ name: string }>`select nspname::text as name from pg_catalog.pg_namespace`.execute(
      this.#db,
    );
    return rows;
  }
  async getTables(): Promise<TableMetadata[]> {
    const { rows } = await sql<{ name: string; schema: string }>`
      select c.relname::text as name, n.nspname::text as schema from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname not like 'pg\_%'`.execute(this.#db);
    return rows.map((row) => ({ ...row, isView: false, isForeign: false, columns: [] }));
  }
}

/** `statementMs`, `lockMs`: what the session goes back to afterwards. */
export type MigrationLock = { readonly key: bigint; readonly statementMs: number; readonly lockMs: number };

/** Two processes that start together wait for each other as long as a migration may take, under a lock of our own. */
class PatientAdapter extends PostgresAdapter {
  readonly #lock: MigrationLock;
  constructor(lock: MigrationLock) {
    super();
    this.#lock = lock;
  }
  override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
    await sql`set statement_timeout = '10min'`.execute(db);
    await sql`set lock_timeout = '60s'`.execute(db);
    await sql`select pg_advisory_lock(${sql.lit(this.#lock.key)})`.execute(db);
  }
  override async releaseMigrationLock(db: Kysely<unknown>): Promise<void> {
    await sql`select pg_advisory_unlock(${sql.lit(this.#lock.key)})`.execute(db);
    await sql`set statement_timeout = ${sql.lit(this.#lock.statementMs)}`.execute(db);
    await sql`set lock_timeout = ${sql.lit(this.#lock.lockMs)}`.execute(db);
  }
}

export class SchemaPostgresDialect implements Dialect {
  readonly #lend: () => Promise<Lent>;
  readonly #migrationLock: MigrationLock;
  constructor(lend: () => Promise<Lent>, migrationLock: MigrationLock) {
    this.#lend = lend;
    this.#migrationLock = migrationLock;
  }
  createDriver(): Driver {
    return new LendingDriver(this.#lend);
  }
  createQueryCompiler(): QueryCompiler {
    return new OneSchemaCompiler();
  }
  createAdapter(): DialectAdapter {
    return new PatientAdapter(this.#migrationLock);
  }
  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new NameIntrospector(db);
  }
}
