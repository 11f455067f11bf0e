import type { Origins } from './read-config.ts';
import type { SettingName, SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';
import { type PostgresTlsMode, partsOfDatabaseUrl, postgresTlsModes } from './target-database-url.ts';

/** The PostgreSQL that the backend keeps its stores in. */
export type TargetDatabase = {
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  /** The workspace of its rows, where it is another than the target's. */
  readonly workspace: string | undefined;
  /** Undefined: nothing was said about it. */
  readonly tls:
    | {
        readonly mode: PostgresTlsMode | undefined;
        readonly rootCert: string | undefined;
        readonly cert: string | undefined;
        readonly key: string | undefined;
        readonly crl: string | undefined;
      }
    | undefined;
};

/** One URL, or its pieces, or both when they say the same; undefined when neither is there. */
export function buildTargetDatabase(
  values: SettingValues,
  origins: Origins,
  problems: Problem[],
): TargetDatabase | undefined {
  const pieces = {
    host: values.postgresHost,
    port: values.postgresPort,
    user: values.postgresUser,
    password: values.postgresPassword,
    database: values.postgresDatabase,
  };
  const url = values.databaseUrl === undefined ? undefined : partsOfDatabaseUrl(values.databaseUrl);
  if (url)
    for (const [piece, name] of pieceNames)
      if (pieces[piece] !== undefined && url[piece] !== undefined && pieces[piece] !== url[piece])
        problems.push({
          place: `${origins.databaseUrl.place} and ${origins[name].place}`,
          message: `name different databases (${piece})`,
          mend: 'Set one of them, or both alike.',
        });
  // A password or a port alone says of no database where it is.
  if (!url && pieces.host === undefined && pieces.user === undefined && pieces.database === undefined) return undefined;
  return {
    host: url?.host ?? pieces.host ?? 'localhost',
    port: url?.port ?? pieces.port ?? 5432,
    user: url?.user ?? pieces.user,
    password: url?.password ?? pieces.password,
    database: url?.database ?? pieces.database,
    workspace: values.postgresWorkspace,
    tls: tlsOf(values, url?.tls),
  };
}

/** What stands in the URL goes before what stands beside it, as with every client. */
function tlsOf(values: SettingValues, url: TargetDatabase['tls']): TargetDatabase['tls'] {
  const tls = {
    mode: url?.mode ?? postgresTlsModes.find((mode) => mode === values.postgresSslMode),
    rootCert: url?.rootCert ?? values.postgresSslRootCert,
    cert: url?.cert ?? values.postgresSslCert,
    key: url?.key ?? values.postgresSslKey,
    crl: url?.crl ?? values.postgresSslCrl,
  };
  return Object.values(tls).some((one) => one !== undefined) ? tls : undefined;
}

const pieceNames: readonly (readonly ['host' | 'port' | 'user' | 'password' | 'database', SettingName])[] = [
  ['host', 'postgresHost'],
  ['port', 'postgresPort'],
  ['user', 'postgresUser'],
  ['password', 'postgresPassword'],
  ['database', 'postgresDatabase'],
];
