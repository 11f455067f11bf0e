import { storeCredentialNames, storeCredentialsOfFile } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import type { ReplicaKind } from './replica.ts';

/**
 * What the tool reads for each kind of store. Nothing else of what somebody hands in reaches its environment: a variable can name
 * a program or another place as well as an argument can.
 */
const known: Readonly<Record<ReplicaKind, readonly string[]>> = {
  ...storeCredentialNames,
  ...{ folder: [], sftp: [], rclone: [] },
  ragwarden: ['API_KEY'],
};
const fileOnly: Readonly<Partial<Record<ReplicaKind, readonly string[]>>> = storeCredentialsOfFile;

export type Credentials = Readonly<Record<string, string>>;

/** @throws AppError `request/invalid` for a name that this kind of place does not read */
export function requireKnownCredentials(kind: ReplicaKind, credentials: Credentials, origin: 'file' | 'api'): void {
  const allowed = [...known[kind], ...(origin === 'file' ? (fileOnly[kind] ?? []) : [])];
  const violations = Object.entries(credentials).flatMap(([name, value]) => {
    const at = `credentials.${name}`;
    if (!allowed.includes(name))
      return [{ at, message: allowed.length === 0 ? `a ${kind} takes none` : `a ${kind} takes ${allowed.join(', ')}` }];
    return /[\x00-\x1f\x7f]/.test(value) || value === ''
      ? [{ at, message: 'is empty or holds control characters' }]
      : [];
  });
  if (violations.length > 0)
    throw new AppError(
      'request/invalid',
      `The credentials do not fit: ${violations[0]?.at} ${violations[0]?.message}.`,
      {
        violations,
      },
    );
}

/** The location as the tool takes it: a REST server wants its password within. */
export function placeWithCredentials(kind: ReplicaKind, place: string, credentials: Credentials): string {
  const { RESTIC_REST_USERNAME: user, RESTIC_REST_PASSWORD: password } = credentials;
  if (kind !== 'rest' || user === undefined) return place;
  const url = new URL(place.slice('rest:'.length));
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password ?? '');
  return `rest:${url.href}`;
}

/** What goes into the environment of the tool. */
export const environmentOf = (kind: ReplicaKind, credentials: Credentials): Credentials =>
  kind === 'rest' || kind === 'ragwarden' ? {} : credentials;
