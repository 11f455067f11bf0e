import { readDatabaseUrl } from '../platform/database-url.ts';
import { type Parser, secretUrl } from './value-parsers.ts';

export const postgresTlsModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type PostgresTlsMode = (typeof postgresTlsModes)[number];

const protocols = ['postgresql', 'postgres', 'postgresql+asyncpg', 'postgresql+psycopg', 'postgresql+psycopg2'];
const plain = secretUrl('URL, postgresql://user:password@host:port/database', protocols);

export type UrlParts = {
  readonly host: string | undefined;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly tls: {
    readonly mode: PostgresTlsMode | undefined;
    readonly rootCert: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
    readonly crl: string | undefined;
  };
};

/** Whatever characters a password is made of; a host may be a name, an address, or the folder of a socket. */
export const targetDatabaseUrl: Parser<string> = {
  ...plain,
  parse: (raw) => {
    const scheme = /^([a-z0-9+]+):\/\//i.exec(raw)?.[1]?.toLowerCase();
    if (scheme === undefined || !protocols.includes(scheme)) return plain.parse(raw);
    const parts = partsOfDatabaseUrl(raw);
    if (parts === undefined) return { ok: false, complaint: 'is not a URL' };
    return parts.host === undefined ? { ok: false, complaint: 'names no host' } : { ok: true, value: raw };
  },
};

/** Undefined: it is none that can be read. */
export function partsOfDatabaseUrl(text: string): UrlParts | undefined {
  const read = readDatabaseUrl(text);
  // Without a name of the database, the pieces may name it.
  const normal = 'url' in read ? read.url : text;
  // With a scheme that the standard knows, so that the host is read as one. A folder has no place in it.
  const web = normal.replace(/^[^:]+:/, 'http:').replace(/^http:\/\/([^/?#]*@)?(?=[/?]|$)/, `http://$1${noHost}`);
  const socket = /^http:\/\/(?:[^/?#]*@)?(%2f[^:/?#]*)/i.exec(web)?.[1];
  const standard = socket === undefined ? web : web.replace(socket, noHost);
  if (!URL.canParse(standard)) return undefined;
  const url = new URL(standard);
  const given = (part: string | null): string | undefined => (part === null || part === '' ? undefined : decoded(part));
  const asked = (name: string): string | undefined => url.searchParams.get(name) || undefined;
  const host = url.hostname === noHost ? '' : url.hostname.replace(/^\[|\]$/g, '');
  const ssl = asked('sslmode') ?? asked('ssl');
  return {
    host: asked('host') ?? given(socket ?? host),
    port: Number(asked('port') ?? (url.port === '' ? 5432 : url.port)),
    user: given(url.username) ?? asked('user'),
    password: given(url.password) ?? asked('password'),
    database: given(url.pathname.slice(1)) ?? asked('dbname'),
    tls: {
      mode: ssl === 'true' ? 'require' : postgresTlsModes.find((mode) => mode === ssl),
      rootCert: asked('sslrootcert'),
      cert: asked('sslcert'),
      key: asked('sslkey'),
      crl: asked('sslcrl'),
    },
  };
}

const noHost = 'no-host.invalid';

/** A stray percent sign stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
