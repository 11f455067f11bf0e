import { env, setting } from './setting.ts';
import { postgresTlsModes, targetDatabaseUrl } from './target-database-url.ts';
import { file, oneOf, patternText, secretText, text, wholeNumber } from './value-parsers.ts';

/** The PostgreSQL that the backend keeps its stores in, by the backend's own names. */
export const postgresSettings = {
  databaseUrl: setting({
    key: 'target.database_url',
    env: env('DATABASE_URL'),
    parser: targetDatabaseUrl,
    fallback: undefined,
    secret: true,
    about: 'The backend’s PostgreSQL as one URL: part of every recovery point.',
  }),
  postgresHost: setting({
    key: 'target.postgres.host',
    env: env('POSTGRES_HOST'),
    parser: text,
    fallback: undefined,
    example: 'localhost',
    about: 'Host of the backend’s PostgreSQL; localhost when only the rest is set.',
  }),
  postgresPort: setting({
    key: 'target.postgres.port',
    env: env('POSTGRES_PORT'),
    parser: wholeNumber(1, 65535),
    fallback: undefined,
    example: 5432,
    about: 'Port of the backend’s PostgreSQL; 5432 when only the rest is set.',
  }),
  postgresUser: setting({
    key: 'target.postgres.user',
    env: env('POSTGRES_USER'),
    parser: text,
    fallback: undefined,
    example: 'lightrag',
    about: 'Role that the backend logs in with.',
  }),
  postgresPassword: setting({
    key: 'target.postgres.password',
    env: env('POSTGRES_PASSWORD'),
    parser: secretText,
    fallback: undefined,
    secret: true,
    about: 'Password of that role.',
  }),
  postgresDatabase: setting({
    key: 'target.postgres.database',
    env: env('POSTGRES_DATABASE'),
    parser: text,
    fallback: undefined,
    example: 'lightrag',
    about: 'Database of the backend. The URL and these pieces may both be set when they agree.',
  }),
  postgresWorkspace: setting({
    key: 'target.postgres.workspace',
    env: env('POSTGRES_WORKSPACE'),
    parser: patternText(
      'letters, digits and underscores',
      '^[A-Za-z0-9_]+$',
      'may hold letters, digits and underscores only, as the backend allows',
    ),
    fallback: undefined,
    example: 'library',
    about: 'The workspace under which the backend keeps its rows there, when it is another than target.workspace.',
  }),
  postgresSslMode: setting({
    key: 'target.postgres.ssl_mode',
    env: env('POSTGRES_SSL_MODE'),
    parser: oneOf(postgresTlsModes),
    fallback: undefined,
    example: 'verify-full',
    about:
      'TLS to the backend’s PostgreSQL, in the words of its clients; they try it and go on without when nothing is set.',
  }),
  postgresSslRootCert: setting({
    key: 'target.postgres.ssl_root_cert',
    env: env('POSTGRES_SSL_ROOT_CERT'),
    parser: file,
    fallback: undefined,
    example: '/etc/ssl/postgres-ca.pem',
    about: 'Certificates that its server certificate is checked against.',
  }),
  postgresSslCert: setting({
    key: 'target.postgres.ssl_cert',
    env: env('POSTGRES_SSL_CERT'),
    parser: file,
    fallback: undefined,
    example: '/etc/ssl/ragwarden.pem',
    about: 'Our own certificate, where the server asks for one.',
  }),
  postgresSslKey: setting({
    key: 'target.postgres.ssl_key',
    env: env('POSTGRES_SSL_KEY'),
    parser: file,
    fallback: undefined,
    example: '/etc/ssl/ragwarden.key',
    about: 'File of the key of that certificate.',
  }),
  postgresSslCrl: setting({
    key: 'target.postgres.ssl_crl',
    env: env('POSTGRES_SSL_CRL'),
    parser: file,
    fallback: undefined,
    example: '/etc/ssl/postgres.crl',
    about: 'Certificates that are no longer accepted; the dump’s own connections look at it.',
  }),
  postgresDump: setting({
    key: 'target.postgres.dump',
    env: env('RAGWARDEN_POSTGRES_DUMP'),
    parser: oneOf(['database', 'lightrag']),
    fallback: 'database',
    about:
      'What of the database goes into a point: all that is in it, or LightRAG’s relations alone, for a role that may read no more.',
  }),
} as const;
