import type { Kysely } from 'kysely';

/** A unit of work under way. What it wrote becomes visible, durable and announced together, or not at all. */
export type Tx = {
  /** The tables of one slice, for reading and writing inside this unit. */
  as<Tables>(): Kysely<Tables>;
  /** Runs after the commit, in order; used to wake those who wait. Must not throw. */
  afterCommit(then: () => void): void;
};

/**
 * What slices see of a database: short reads, and one function that runs a unit of work. Nothing else, so that what lies
 * behind (one file, a writer thread, PostgreSQL) can change.
 */
export type Database = {
  readonly name: string;
  /** Committed state only. Statements are short; wide scans belong to a reader of their own. */
  reader<Tables>(): Kysely<Tables>;
  /**
   * Runs `work` alone and resolves when its writes are on disk. Several units share one commit. Inside, await nothing but
   * statements of `tx`: everybody else's writes wait meanwhile, those of other processes too. A unit inside a unit is refused.
   * A statement that failed is not to be caught and lived with: PostgreSQL then fails the unit. The work runs again when it loses
   * a conflict with a statement of somebody else.
   * @throws whatever `work` throws, with nothing of it kept; `storage/full`, `storage/unavailable`
   */
  unit<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
  /**
   * Another number after each commit, whoever made it; the same one says that what was read would be read again. Absent where
   * asking costs as much as reading.
   */
  version?(): number;
  /** Gives freed space back to the file system, for a database that otherwise keeps it. */
  shrink?(): Promise<void>;
  /** One consistent copy of the whole database in a new SQLite file, whatever the database itself is. */
  copyTo(path: string): Promise<void>;
  close(): Promise<void>;
};

/** An opened database, as the one who opened it sees it: it can be migrated. */
export type OpenDatabase = Database & {
  readonly writer: Kysely<unknown>;
  /** Where the applied steps are noted, for an engine that keeps several databases of ours in one. */
  readonly stepTables?: { readonly schema: string; readonly steps: string; readonly lock: string };
  /**
   * Runs a script whole or not at all where nothing is there yet. False: something is, and nothing was done.
   * Absent where the database is not a file of ours alone.
   */
  runOnEmpty?(script: string): boolean;
};

/** The database says that a row with this key exists already. */
export function isDuplicateKey(err: unknown): boolean {
  if (typeof err !== 'object' || err === null) return false;
  if ('errcode' in err) return err.errcode === 1555 || err.errcode === 2067;
  return 'code' in err && err.code === '23505';
}
