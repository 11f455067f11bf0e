import { signal } from '@preact/signals';
import { type EventQuestion, forgetEvents, readEvents, usualEvents, writeEvents } from './event-question.ts';
import { type Filters, readFilters, writeFilters } from './filters.ts';
import { type MetricQuestion, noQuestion, readQuestion, writeQuestion } from './metric-question.ts';
import { choiceNames, type RestoreChoice } from './restore-choice.ts';
import { forgetTraffic, readTraffic, type TrafficQuestion, usualTraffic, writeTraffic } from './traffic-question.ts';

export const views = [
  'overview',
  'health',
  'alerts',
  'traffic',
  'metrics',
  'events',
  'resources',
  'analytics',
  'quotas',
  'cleanup',
  'replication',
  'failover',
  'tuning',
] as const;
export type View = (typeof views)[number];

/** What of the page can be linked to. */
export type UrlState = {
  readonly view: View;
  /** What the explorer of metrics asks. */
  readonly question: MetricQuestion;
  readonly traffic: TrafficQuestion;
  readonly events: EventQuestion;
  /** What the lists of the view are narrowed to. */
  readonly filters: Filters;
  /** The recovery point whose details are open. */
  readonly point: string | undefined;
  /** The recovery point whose restore dialog is open. */
  readonly restore: string | undefined;
  /** What goes back and where to, in that dialog. */
  readonly choice: RestoreChoice;
  /** The restore that the dialog follows. */
  readonly operation: string | undefined;
  /** `all`: every point that was loaded is in the table, not only the newest. */
  readonly rows: string | undefined;
  /** How many days of the points' course are shown. */
  readonly days: string | undefined;
  /** Severities of the events that are shown; undefined shows all. */
  readonly severity: string | undefined;
  /** The target whose places are shown; undefined: the first. */
  readonly target: string | undefined;
};

const names = ['point', 'restore', 'operation', 'rows', 'days', 'severity', 'target'] as const;

export function readUrl(search: string): UrlState {
  const query = new URLSearchParams(search);
  const of = (name: (typeof names)[number]): string | undefined => query.get(name)?.slice(0, 200) || undefined;
  const choice: Record<string, string> = {};
  for (const name of choiceNames) {
    const value = query.get(name);
    if (value !== null) choice[name] = value.slice(0, 4096);
  }
  const asked = query.get('view');
  const view = views.find((one) => one === asked) ?? 'overview';
  return {
    view,
    question: view === 'metrics' ? readQuestion(query) : noQuestion,
    traffic: view === 'traffic' ? readTraffic(query) : usualTraffic,
    events: view === 'events' ? readEvents(query) : usualEvents,
    filters: readFilters(view, query),
    point: of('point'),
    restore: of('restore'),
    choice,
    operation: of('operation'),
    rows: of('rows'),
    days: of('days'),
    severity: of('severity'),
    target: of('target'),
  };
}

/** Parameters of others stay as they are. */
export function writeUrl(search: string, state: UrlState): string {
  const query = new URLSearchParams(search);
  if (state.view === 'overview') query.delete('view');
  else query.set('view', state.view);
  // Views may use one name for two things; what belongs to another view is not kept.
  forgetTraffic(query);
  forgetEvents(query);
  writeFilters(state.view, query, state.filters);
  writeQuestion(query, state.question);
  if (state.view === 'traffic') writeTraffic(query, state.traffic);
  if (state.view === 'events') writeEvents(query, state.events);
  for (const name of names) {
    const value = state[name];
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  }
  for (const name of choiceNames) {
    const value = state.choice[name];
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

/** A login link that is opened where the page stands already changes the address only: the page begins anew with it. */
export function followLoginLinks(page: Pick<Window, 'addEventListener' | 'location'>): void {
  page.addEventListener('hashchange', () => {
    if (loginCodeOf(page.location.hash) !== undefined) page.location.reload();
  });
}

/** The code behind `#login=`; undefined when there is none. */
export function loginCodeOf(hash: string): string | undefined {
  const found = /^#login=([^&]{1,200})$/.exec(hash);
  if (!found) return undefined;
  try {
    return decodeURIComponent(found[1]!);
  } catch {
    // Not a code that we made.
    return undefined;
  }
}

const nothing: UrlState = {
  view: 'overview',
  question: noQuestion,
  traffic: usualTraffic,
  events: usualEvents,
  filters: {},
  point: undefined,
  restore: undefined,
  choice: {},
  operation: undefined,
  rows: undefined,
  days: undefined,
  severity: undefined,
  target: undefined,
};

export const urlState = signal<UrlState>(nothing);

/** What a closed restore dialog leaves in the address. */
export const closedRestore = { restore: undefined, choice: {}, operation: undefined } as const;

/** Whole days that the server takes; anything else is 30. */
export function timelineDays({ days }: Pick<UrlState, 'days'>): number {
  const asked = Number(days);
  return Number.isInteger(asked) && asked >= 1 && asked <= 400 ? asked : 30;
}

/** Follows the browser's back and forward. */
export function followUrl(): void {
  const read = (): void => {
    urlState.value = readUrl(location.search);
  };
  addEventListener('popstate', read);
  read();
}

/** @param how `replace`: the browser's way back leads past it */
export function changeUrl(change: Partial<UrlState>, how?: { replace: boolean }): void {
  const next = { ...urlState.peek(), ...change };
  urlState.value = next;
  const address = `${location.pathname}${writeUrl(location.search, next)}`;
  if (how?.replace) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
}

/** The address of a view as it is opened; what was chosen in another one stays behind. */
export const addressOf = (opened: Partial<UrlState> & { view: View }): string =>
  `${location.pathname}${writeUrl('', { ...nothing, ...opened })}`;

export function openView(opened: Partial<UrlState> & { view: View }): void {
  history.pushState(null, '', addressOf(opened));
  urlState.value = readUrl(location.search);
}

export const openMetric = (question: MetricQuestion): void => openView({ view: 'metrics', question });

export const ask = (change: Partial<MetricQuestion>): void =>
  changeUrl({ question: { ...urlState.peek().question, ...change } });

export const showEvents = (change: Partial<EventQuestion>): void =>
  changeUrl({ events: { ...urlState.peek().events, ...change } });

export const showTraffic = (change: Partial<TrafficQuestion>): void =>
  changeUrl({ traffic: { ...urlState.peek().traffic, ...change } });
