/** What an event is about, for people who filter. */
export const eventKinds = [
  'backup',
  'replication',
  'recovery',
  'health',
  'alert',
  'quota',
  'cleanup',
  'tuning',
  'access',
  'lifecycle',
] as const;
export type EventKind = (typeof eventKinds)[number];

/**
 * The kind of every area, which is the first word of an event's type. Each slice names types within its own areas; an area that
 * is not here does not compile, so that no event is without a kind.
 */
const kindOfArea = {
  backup: 'backup',
  repository: 'backup',
  replication: 'replication',
  recovery: 'recovery',
  restore: 'recovery',
  drill: 'recovery',
  health: 'health',
  target: 'health',
  host: 'health',
  ingest: 'health',
  canary: 'health',
  gateway: 'health',
  state: 'health',
  storage: 'health',
  metrics: 'health',
  alert: 'alert',
  alerts: 'alert',
  notify: 'alert',
  notification: 'alert',
  silence: 'alert',
  quota: 'quota',
  quotas: 'quota',
  cleanup: 'cleanup',
  resource: 'cleanup',
  orphan: 'cleanup',
  orphans: 'cleanup',
  tuning: 'tuning',
  access: 'access',
  operation: 'lifecycle',
  settings: 'lifecycle',
  system: 'lifecycle',
  warden: 'lifecycle',
} as const satisfies Record<string, EventKind>;
export type EventArea = keyof typeof kindOfArea;

const areas: ReadonlyMap<string, EventKind> = new Map(Object.entries(kindOfArea));

/** Undefined: of an area that nobody names. */
export const kindOfType = (type: string): EventKind | undefined => areas.get(type.split('.', 1)[0] ?? '');

/** Types as a filter takes them, such as `backup.*`. */
export const typesOfKind = (kind: EventKind): readonly string[] =>
  [...areas].filter(([, one]) => one === kind).map(([area]) => `${area}.*`);
