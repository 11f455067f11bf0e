import type { Replica } from '../../api/replication-wire.ts';

/** The longest of all targets whose points go there; null: there is no point yet. Seconds. */
export function lagOf({ lag }: Pick<Replica, 'lag'>): number | null {
  const known = lag.flatMap(({ lag_seconds: seconds }) => (seconds === null ? [] : [seconds]));
  return known.length === 0 ? null : Math.max(...known);
}

export const sumOf = ({ lag }: Pick<Replica, 'lag'>, of: 'copies' | 'missing_points' | 'missing_bytes'): number =>
  lag.reduce((sum, one) => sum + one[of], 0);

/** Why something cannot be done with a place now; undefined when it can. The server says what is allowed. */
export function whyNot(one: Replica, action: Replica['allowed_actions'][number], busy: boolean): string | undefined {
  if (busy) return 'The last press is under way.';
  if (one.allowed_actions.includes(action)) return undefined;
  if (action === 'change' || action === 'remove') return 'It stands in the settings file.';
  if (one.kind === 'ragwarden' && action === 'prune')
    return 'Another ragwarden keeps whole files, which go with their bytes.';
  if (one.kind === 'ragwarden' && action === 'heal') return 'Another ragwarden mends its own.';
  return one.enabled ? (one.idle_reason ?? 'It cannot be done now.') : 'It is paused.';
}

/** Why no credentials can be handed in; undefined when they can. */
export const whyNoCredentials = (one: Replica, busy: boolean): string | undefined =>
  whyNot(one, 'change', busy) ?? (credentialsOf(one.kind).length === 0 ? 'It needs none.' : undefined);

/** Names of the credentials that each kind of place may need; what is left empty is not sent. */
export const placeKinds = {
  folder: { says: 'a folder or mount', placeholder: '/mnt/cellar/ragwarden', credentials: [] },
  s3: {
    says: 'S3, and what speaks it',
    placeholder: 's3:https://host/bucket/path',
    credentials: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_DEFAULT_REGION'],
  },
  azure: {
    says: 'Azure Blob',
    placeholder: 'azure:container:/path',
    credentials: ['AZURE_ACCOUNT_NAME', 'AZURE_ACCOUNT_KEY', 'AZURE_ACCOUNT_SAS'],
  },
  gs: {
    says: 'Google Cloud Storage',
    placeholder: 'gs:bucket:/path',
    credentials: ['GOOGLE_PROJECT_ID', 'GOOGLE_ACCESS_TOKEN'],
  },
  rest: {
    says: 'a restic REST server',
    placeholder: 'rest:https://host/path',
    credentials: ['RESTIC_REST_USERNAME', 'RESTIC_REST_PASSWORD'],
  },
  sftp: { says: 'SFTP', placeholder: 'sftp://user@host/path', credentials: [] },
  ragwarden: { says: 'another ragwarden', placeholder: 'https://host:8710', credentials: ['API_KEY'] },
} as const satisfies Record<string, { says: string; placeholder: string; credentials: readonly string[] }>;
export type PlaceKind = keyof typeof placeKinds;

export const isPlaceKind = (kind: string): kind is PlaceKind => Object.hasOwn(placeKinds, kind);
export const credentialsOf = (kind: string): readonly string[] =>
  isPlaceKind(kind) ? placeKinds[kind].credentials : [];
/** Whether nobody shall read it over a shoulder. */
export const isSecretName = (name: string): boolean => /SECRET|PASSWORD|KEY$|TOKEN|SAS/.test(name);

/** As a change of a place takes new credentials. */
export const changeOf = (kind: string, { API_KEY, ...credentials }: Readonly<Record<string, string>>): object =>
  kind === 'ragwarden' ? { api_key: API_KEY } : { credentials };

/** What else is known, a fact each: `percent 5`. What is no plain word is as JSON has it. */
export const factsOf = (metadata: Readonly<Record<string, unknown>>): { name: string; says: string }[] =>
  Object.entries(metadata).map(([name, value]) => ({
    name: name.replaceAll('_', ' '),
    says: typeof value === 'string' ? value : JSON.stringify(value),
  }));

/** In words what a place does beside others. */
export const turnOf = (most: number | null): string =>
  most === null ? 'as the setting says' : most === 1 ? 'alone' : `while fewer than ${most} are worked on`;

export type NewPlace = {
  readonly kind: PlaceKind;
  readonly name: string;
  readonly where: string;
  readonly zone: string;
  readonly offline: boolean;
  readonly limitKiB: string;
  /** How many places are worked on at once, this one included. */
  readonly atOnce: string;
  readonly secrets: Readonly<Record<string, string>>;
};

/** What the API is sent: nothing of what was left empty, and only the secrets of the kind that was chosen. */
export function bodyOf(typed: NewPlace): object {
  const { credentials } = placeKinds[typed.kind];
  const given = Object.fromEntries(
    credentials.flatMap((name: string) => (typed.secrets[name] ? [[name, typed.secrets[name]]] : [])),
  );
  const limit = typed.limitKiB.trim() === '' ? undefined : Number(typed.limitKiB);
  const most = typed.atOnce.trim() === '' ? undefined : Number(typed.atOnce);
  return {
    name: typed.name,
    ...(typed.kind === 'ragwarden'
      ? { base_url: typed.where, api_key: given.API_KEY ?? '' }
      : { location: typed.where, ...(Object.keys(given).length > 0 ? { credentials: given } : {}) }),
    ...(typed.zone === '' ? {} : { zone: typed.zone }),
    ...(typed.offline ? { offline: true } : {}),
    ...(limit === undefined ? {} : { limit_kib_per_second: limit }),
    ...(most === undefined ? {} : { max_concurrent: most }),
  };
}
