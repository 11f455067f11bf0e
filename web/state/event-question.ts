/** What the view of events shows, as the address holds it; '' is "any". */
export type EventQuestion = {
  readonly kind: string;
  /** That severity and what is worse. */
  readonly least: string;
  /** `target` or `target:workspace`. */
  readonly graph: string;
  /** Who asked. */
  readonly user: string;
  /** Of what belongs together; it is then shown alone, whenever it was. */
  readonly correlation: string;
  readonly during: During;
};

export const kinds = [
  ...['backup', 'replication', 'recovery', 'health', 'alert', 'quota', 'cleanup', 'tuning', 'access', 'lifecycle'],
] as const;
export const severities = ['info', 'warning', 'error', 'critical'] as const;
const durings = { '24h': 1, '7d': 7, '30d': 30, '90d': 90 } as const;
export type During = keyof typeof durings;
export const duringNames = Object.keys(durings) as During[];
export const duringMs = (during: During): number => durings[during] * 86_400_000;

export const usualEvents: EventQuestion = {
  ...{ kind: '', least: '', graph: '', user: '', correlation: '', during: '7d' },
};
const names = ['kind', 'least', 'graph', 'user', 'correlation', 'during'] as const;

export function readEvents(query: URLSearchParams): EventQuestion {
  const of = (name: (typeof names)[number]): string => query.get(name)?.slice(0, 1_000) ?? '';
  const known = (list: readonly string[], word: string): string => (list.includes(word) ? word : '');
  return {
    kind: known(kinds, of('kind')),
    least: known(severities.slice(1), of('least')),
    ...{ graph: of('graph'), user: of('user'), correlation: of('correlation') },
    during: duringNames.find((one) => one === of('during')) ?? usualEvents.during,
  };
}

export function forgetEvents(query: URLSearchParams): void {
  for (const name of names) query.delete(name);
}

/** What is usual stays out of the address. */
export function writeEvents(query: URLSearchParams, question: EventQuestion): void {
  for (const name of names) if (question[name] !== usualEvents[name]) query.set(name, question[name]);
}

/** As the routes of events take it; the stretch of time is the caller's to add. */
export function filterOf({ kind, least, graph, user }: EventQuestion): URLSearchParams {
  const query = new URLSearchParams();
  if (kind !== '') query.set('kind', kind);
  if (least !== '') query.set('severity', severities.slice((severities as readonly string[]).indexOf(least)).join(','));
  if (graph !== '') query.set('graph_id', graph);
  if (user !== '') query.set('actor', user);
  return query;
}
