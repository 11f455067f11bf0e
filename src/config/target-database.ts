import type { Origins } from './read-config.ts';
import type { SettingName, SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';

/** The PostgreSQL that the backend keeps its stores in. */
export type TargetDatabase = {
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
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
  const url = values.databaseUrl === undefined ? undefined : partsOf(values.databaseUrl);
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
  };
}

const pieceNames: readonly (readonly [keyof TargetDatabase, SettingName])[] = [
  ['host', 'postgresHost'],
  ['port', 'postgresPort'],
  ['user', 'postgresUser'],
  ['password', 'postgresPassword'],
  ['database', 'postgresDatabase'],
];

function partsOf(text: string): Partial<TargetDatabase> {
  // With a scheme that the standard knows, so that the host is read as one.
  const url = new URL(text.replace(/^[^:]+:/, 'http:'));
  const given = (part: string): string | undefined => (part === '' ? undefined : decoded(part));
  return {
    host: given(url.hostname.replace(/^\[|\]$/g, '')),
    port: url.port === '' ? 5432 : Number(url.port),
    user: given(url.username),
    password: given(url.password),
    database: given(url.pathname.slice(1)),
  };
}

/** A stray percent sign stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
