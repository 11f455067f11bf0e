import { identifier, literal, type PostgresSession } from '../../postgres/connection.ts';
import type { DatabaseFacts } from '../../postgres/survey-store.ts';

/** What our role may do on the server, and what the server has. */
export type Rights = {
  readonly superuser: boolean;
  readonly mayCreateDatabases: boolean;
  /** Roles that it is, or may act as. */
  readonly roles: ReadonlySet<string>;
  readonly allRoles: ReadonlySet<string>;
  /** Extensions that could be made here, with whether that takes a superuser. */
  readonly extensions: ReadonlyMap<string, { readonly versions: readonly string[]; readonly trusted: boolean }>;
};

export async function readRights(session: PostgresSession): Promise<Rights> {
  const [self] = await session.rows<{ superuser: boolean; creates: boolean }>(
    'select rolsuper as superuser, rolcreatedb or rolsuper as creates from pg_roles where rolname = current_user',
  );
  const roles = await session.rows<{ name: string; ours: boolean }>(
    `select rolname as name, pg_has_role(oid, 'MEMBER') as ours from pg_roles`,
  );
  const extensions = await session.rows<{ name: string; versions: string[]; trusted: boolean }>(
    `select name::text as name, array_agg(version::text) as versions, bool_or(trusted) as trusted
       from pg_available_extension_versions group by 1`,
  );
  return {
    superuser: self?.superuser ?? false,
    mayCreateDatabases: self?.creates ?? false,
    roles: new Set(roles.filter(({ ours }) => ours).map(({ name }) => name)),
    allRoles: new Set(roles.map(({ name }) => name)),
    extensions: new Map(extensions.map(({ name, versions, trusted }) => [name, { versions, trusted }])),
  };
}

/** Databases by name with their comments. */
export async function listDatabases(session: PostgresSession): Promise<ReadonlyMap<string, string | null>> {
  const rows = await session.rows<{ name: string; comment: string | null }>(
    `select datname as name, shobj_description(oid, 'pg_database') as comment from pg_database where not datistemplate`,
  );
  return new Map(rows.map(({ name, comment }) => [name, comment]));
}

export type NewDatabase = Pick<
  DatabaseFacts,
  'encoding' | 'collate' | 'ctype' | 'localeProvider' | 'icuLocale' | 'connectionLimit' | 'acl' | 'settings'
> & {
  /** Undefined: our own role. */
  readonly owner: string | undefined;
};

/** An empty one that sorts and encodes as the other did. */
export async function createDatabase(
  session: PostgresSession,
  name: string,
  like: NewDatabase,
  serverMajor: number,
): Promise<void> {
  const provider = { i: ['icu', 15], b: ['builtin', 17] }[like.localeProvider ?? ''];
  await session.run(
    [
      `create database ${identifier(name)} template template0 encoding ${literal(like.encoding)}`,
      `lc_collate ${literal(like.collate)} lc_ctype ${literal(like.ctype)}`,
      ...(provider && like.icuLocale !== null && serverMajor >= Number(provider[1])
        ? [`locale_provider ${provider[0]} ${provider[0]}_locale ${literal(like.icuLocale)}`]
        : []),
      ...(like.owner === undefined ? [] : [`owner ${identifier(like.owner)}`]),
    ].join(' '),
  );
}

/** Settings whose value is a list of names, and stands in the catalogue as SQL wants it. */
const listSettings = new Set([
  'search_path',
  'temp_tablespaces',
  'session_preload_libraries',
  'local_preload_libraries',
]);

/**
 * What was set on a database beside its content: rights, settings, limit.
 * @returns what could not be set, one clause each
 */
export async function dressDatabase(
  session: PostgresSession,
  name: string,
  like: NewDatabase,
  allRoles: ReadonlySet<string>,
): Promise<string[]> {
  const database = identifier(name);
  const statements: string[] = [];
  for (const { role, setting } of like.settings) {
    const at = setting.indexOf('=');
    const [key, value] = [setting.slice(0, at), setting.slice(at + 1)];
    const whose = role === null ? `database ${database}` : `role ${identifier(role)} in database ${database}`;
    if (role === null || allRoles.has(role))
      statements.push(
        `alter ${whose} set ${identifier(key)} = ${listSettings.has(key) ? value || "''" : literal(value)}`,
      );
  }
  if (like.connectionLimit !== -1)
    statements.push(`alter database ${database} connection limit ${like.connectionLimit}`);
  if (like.acl !== null) {
    statements.push(`revoke all on database ${database} from public`);
    for (const item of like.acl) statements.push(...grantsOf(item, database, allRoles));
  }
  const failed: string[] = [];
  for (const statement of statements)
    await session.run(statement).catch((err: unknown) => {
      failed.push(`${statement}: ${err instanceof Error ? err.message : String(err)}`);
    });
  return failed;
}

const databaseRights: Readonly<Record<string, string>> = { c: 'connect', C: 'create', T: 'temporary' };

/** `grantee=rights/grantor`, where a star behind a right lets it be passed on; no grantee is everybody. */
function grantsOf(item: string, database: string, allRoles: ReadonlySet<string>): string[] {
  const found = /^(?:"((?:[^"]|"")*)"|([^="]*))=([A-Za-z*]*)\//.exec(item);
  if (!found) return [];
  const grantee = found[1]?.replaceAll('""', '"') ?? found[2] ?? '';
  if (grantee !== '' && !allRoles.has(grantee)) return [];
  return [...(found[3] ?? '').matchAll(/([A-Za-z])(\*?)/g)].flatMap(([, letter = '', star]) => {
    const right = databaseRights[letter];
    if (right === undefined) return [];
    const to = grantee === '' ? 'public' : identifier(grantee);
    return [`grant ${right} on database ${database} to ${to}${star === '*' ? ' with grant option' : ''}`];
  });
}

export const commentOnDatabase = (name: string, comment: string | null): string =>
  `comment on database ${identifier(name)} is ${comment === null ? 'null' : literal(comment)}`;

/** Others' sessions are ended as far as our rights go; whoever cannot be ended stands in the way of what follows, which says so. */
async function endSessions(session: PostgresSession, databases: readonly string[]): Promise<void> {
  const rows = await session.rows<{ pid: number }>(
    'select pid from pg_stat_activity where datname = any ($1) and pid <> pg_backend_pid()',
    [databases],
  );
  for (const { pid } of rows) await session.rows('select pg_terminate_backend($1)', [pid]).catch(() => undefined);
}

const renameTries = 3;

/** All in one transaction, after everybody else was sent away. A client that comes back at once is sent away again. */
export async function renameDatabases(
  session: PostgresSession,
  databases: readonly string[],
  statements: readonly string[],
): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    await endSessions(session, databases);
    try {
      await session.run(`begin; ${statements.join('; ')}; commit`);
      return;
    } catch (err) {
      await session.run('rollback');
      const inUse = err instanceof Error && 'code' in err && err.code === '55006';
      if (!inUse || tried === renameTries) throw err;
    }
  }
}

export async function dropDatabase(session: PostgresSession, name: string): Promise<void> {
  await endSessions(session, [name]);
  await session.run(`drop database if exists ${identifier(name)}`);
}
