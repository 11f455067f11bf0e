import { readDatabaseUrl } from '../platform/database-url.ts';
import { env, setting } from './setting.ts';
import { type Parser, patternText } from './value-parsers.ts';

/** Kept as it was written, so that two names of it can be compared. */
const databaseUrl: Parser<string> = {
  describe:
    'database URL: postgresql://user:password@host/database, sqlite:///relative/path.db or sqlite:////absolute/path.db',
  parse: (raw) => {
    const read = readDatabaseUrl(raw);
    return 'complaint' in read ? { ok: false, complaint: read.complaint } : { ok: true, value: raw.trim() };
  },
  accept: () => ({ ok: false, complaint: 'is a secret' }),
  schema: {},
};

/** Where ragwarden keeps what it knows. */
export const stateSettings = {
  stateDatabaseUrl: setting({
    key: 'state.database_url',
    env: env('RAGWARDEN_DATABASE_URL', 'LIGHTRAG_RECOVERY_DB_URL'),
    parser: databaseUrl,
    fallback: undefined,
    secret: true,
    about:
      'Database of ragwarden’s own state: a PostgreSQL server, or another file. Unset: SQLite in the data folder. Not the database of the backend.',
  }),
  instance: setting({
    key: 'state.instance',
    env: env('RAGWARDEN_INSTANCE'),
    parser: patternText(
      'lower-case letters, digits and dashes',
      '^[a-z0-9][a-z0-9-]{0,62}$',
      'must match [a-z0-9][a-z0-9-]{0,62}',
    ),
    fallback: 'main',
    about: 'Name of this ragwarden among those that share one PostgreSQL database; each has its own.',
  }),
};
