import { isAbsolute, normalize } from 'node:path';
import { AppError } from '../../platform/errors.ts';

export type LocationKind = 'folder' | 's3' | 'azure' | 'gs' | 'rest' | 'sftp' | 'rclone';

/** Where a setting was made; what names a program (`rclone:` starts one) comes from file or environment only. */
export type LocationOrigin = 'file' | 'environment' | 'api';

export type RepositoryLocation = {
  readonly kind: LocationKind;
  /** As restic wants it. May hold credentials (`rest:`): goes into the environment, never into an argument list or a log. */
  readonly resticArgument: string;
  /** The same without credentials. */
  readonly display: string;
};

const invalid = (why: string): AppError =>
  new AppError(
    'repository/invalid-location',
    `${why} A location is an absolute folder, s3:https://host/bucket/path, azure:container:/path, gs:bucket:/path, rest:https://host/path or sftp://user@host/path.`,
  );

/** Host and user names as ssh would take them for an option are refused with everything else that is no name. */
const hostName = /^(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])$/;
const userName = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const bucketName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
/** Azure answers other names with a 400 that says nothing. */
const containerName = /^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/;

/**
 * Takes a location apart; nothing that is not positively understood reaches the tool.
 * @throws AppError `repository/invalid-location`
 */
export function parseRepositoryLocation(text: string, origin: LocationOrigin): RepositoryLocation {
  if (text === '' || text !== text.trim()) throw invalid('The repository location is empty or has blanks around it.');
  if (/[\x00-\x1f\x7f]/.test(text)) throw invalid('The repository location holds control characters.');
  if (text.startsWith('-')) throw invalid('A repository location never begins with "-".');
  if (isAbsolute(text)) return folder(text);
  const scheme = text.slice(0, text.indexOf(':') + 1);
  const rest = text.slice(scheme.length);
  switch (scheme) {
    case 's3:':
      return s3(text, rest);
    case 'azure:':
      return bucket('azure', text, rest);
    case 'gs:':
      return bucket('gs', text, rest);
    case 'rest:':
      return restServer(rest);
    case 'sftp:':
      return sftp(text);
    case 'rclone:':
      if (origin !== 'file') throw invalid('rclone: locations are taken from the configuration file only.');
      if (!/^[A-Za-z0-9_][A-Za-z0-9_. -]*:/.test(rest))
        throw invalid('rclone: needs the name of a remote, as in rclone:remote:path.');
      return { kind: 'rclone', resticArgument: text, display: text };
    default:
      throw invalid('This kind of repository location is not known.');
  }
}

function folder(text: string): RepositoryLocation {
  const path = normalize(text).replace(/\/+$/, '');
  if (path === '') throw invalid('The root of the file system cannot be a repository.');
  return { kind: 'folder', resticArgument: path, display: path };
}

function s3(text: string, rest: string): RepositoryLocation {
  const url = parseUrl(/^https?:\/\//.test(rest) ? rest : `https://${rest.replace(/^\/\//, '')}`);
  if (url.username !== '' || url.password !== '')
    throw invalid(
      'Keys of an S3 store belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, not into the location.',
    );
  if (
    !hostName.test(url.hostname) ||
    !bucketName.test(url.pathname.split('/')[1] ?? '') ||
    url.search !== '' ||
    url.hash !== ''
  )
    throw invalid('An S3 location needs a host and a bucket.');
  return { kind: 's3', resticArgument: text, display: text };
}

function bucket(kind: 'azure' | 'gs', text: string, rest: string): RepositoryLocation {
  const [name = '', path] = [rest.slice(0, rest.indexOf(':')), rest.slice(rest.indexOf(':') + 1)];
  if (!rest.includes(':') || !bucketName.test(name) || !path.startsWith('/'))
    throw invalid(`${kind}: needs a name and a path, as in ${kind}:name:/path.`);
  if (kind === 'azure' && !containerName.test(name))
    throw invalid('A container of Azure has 3 to 63 lower-case letters, digits and single hyphens in its name.');
  return { kind, resticArgument: text, display: text };
}

function restServer(rest: string): RepositoryLocation {
  const url = parseUrl(rest);
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '')
    throw invalid('rest: needs an http or https address.');
  const shown = new URL(url);
  if (shown.password !== '') shown.password = '***';
  return { kind: 'rest', resticArgument: `rest:${rest}`, display: `rest:${shown.href}` };
}

/** restic takes `//` after the host as an absolute path and `/` as one below the user's home. */
function sftp(text: string): RepositoryLocation {
  const match = /^sftp:\/\/(?:([^@/]*)@)?([^@/]*?)(?::(\d{1,5}))?(\/.+)$/.exec(text);
  const [, user, host = ''] = match ?? [];
  if (user?.includes(':')) throw invalid('A password has no place in an sftp location: use a key.');
  if (!match || !hostName.test(host) || (user !== undefined && !userName.test(user)))
    throw invalid('An sftp location is written sftp://user@host/path.');
  return { kind: 'sftp', resticArgument: text, display: text };
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw invalid('The address of the repository cannot be read.');
  return new URL(text);
}

/** Text of the tool (error output) without the credentials of this location. */
export function withoutCredentials(text: string, location: RepositoryLocation): string {
  let clean = text.replaceAll(location.resticArgument, location.display);
  if (location.kind !== 'rest') return clean;
  const { password } = new URL(location.resticArgument.slice('rest:'.length));
  for (const secret of [password, safeDecode(password)]) if (secret !== '') clean = clean.replaceAll(secret, '***');
  return clean;
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
