/** Where state is kept: a file, or a PostgreSQL server. */
export type DatabasePlace =
  | { readonly kind: 'sqlite'; readonly path: string }
  /** `url` in the form that the driver reads: `postgresql:` with everything percent-encoded. Holds the password. */
  | { readonly kind: 'postgres'; readonly url: string };

/**
 * Reads a database URL as operators have them: `sqlite:///relative`, `sqlite:////absolute`, `postgresql://…`, `postgres://…`, and
 * those of SQLAlchemy, which name a driver behind a `+`. Special characters of a password may stand as they are. Answers a
 * complaint, without the text of the URL, when it is none of these.
 */
export function readDatabaseUrl(text: string): DatabasePlace | { readonly complaint: string } {
  const url = text.trim();
  const scheme = /^([a-z][a-z0-9]*)(\+[a-z0-9_]+)?:\/\//i.exec(url);
  if (!scheme) return { complaint: 'is not a database URL' };
  const kind = scheme[1]?.toLowerCase();
  const rest = url.slice(scheme[0].length);
  if (kind === 'sqlite') {
    // Behind the third slash: a path, relative unless it begins with one of its own.
    const path = /^\/([^?#]+)/.exec(rest)?.[1];
    if (path === undefined || path === ':memory:' || path.includes('\0'))
      return {
        complaint: 'names no file; a file is written sqlite:///relative/path.db or sqlite:////absolute/path.db',
      };
    return { kind: 'sqlite', path };
  }
  if (kind !== 'postgresql' && kind !== 'postgres') return { complaint: `has an unknown kind of database (${kind})` };
  const normal = `postgresql://${encodedAuthority(rest)}`;
  if (!URL.canParse(normal.replace('@/', '@socket/'))) return { complaint: 'is not a database URL' };
  const database = new URL(normal.replace('@/', '@socket/')).pathname;
  if (database === '' || database === '/')
    return { complaint: 'names no database; it stands behind the host and a slash' };
  return { kind: 'postgres', url: normal };
}

/** Host, database and options as they stand behind the `@`; none of their own characters can be mistaken for a password's. */
const behindUser = /^[^@/?#]*\/[^@/?#]*(\?[a-z_]+=.*)?$/is;

/** What is in front of the first `@` behind which a server can stand is user and password, whatever characters are in it. */
function encodedAuthority(rest: string): string {
  for (let at = rest.indexOf('@'); at !== -1; at = rest.indexOf('@', at + 1)) {
    if (!behindUser.test(rest.slice(at + 1))) continue;
    const [, user = '', colon = '', password = ''] = /^([^:]*)(:?)(.*)$/s.exec(rest.slice(0, at)) ?? [];
    return `${encodedOnce(user)}${colon}${encodedOnce(password)}@${rest.slice(at + 1)}`;
  }
  return rest;
}

/** What is percent-encoded stays; everything else that means something in a URL becomes so. */
const encodedOnce = (part: string): string =>
  part
    .split(/(%[0-9a-f]{2})/i)
    .map((piece, index) => (index % 2 === 1 ? piece : encodeURIComponent(piece)))
    .join('');

/** Server and database for messages and logs: never user, password or options. */
export function describeDatabaseUrl(url: string): string {
  const parsed = new URL(url.replace('@/', '@socket/'));
  const host = parsed.searchParams.get('host') ?? (parsed.hostname === 'socket' ? 'a socket' : parsed.hostname);
  return `${decodeURIComponent(parsed.pathname.slice(1))} on ${decodeURIComponent(host) || 'localhost'}:${parsed.searchParams.get('port') ?? (parsed.port || '5432')}`;
}
