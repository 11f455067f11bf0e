/** One connection for one look, as somebody opens it who knows the way in. Health has no drivers of its own. */
export type DatabaseSession = {
  rows<Row extends Record<string, unknown>>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>;
  /** Ends it at once, also towards a server that does not listen any more. */
  drop(): void;
};

/** Rejects with an error whose cause is what driver or server said. */
export type OpenDatabase = () => Promise<DatabaseSession>;
