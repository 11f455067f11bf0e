import type { NotifyConfig, RouteConfig } from '../config/index.ts';
import { type Labels, type Matcher, matchesAll, parseMatcher } from './matcher.ts';
import type { Notification, ToldAlert } from './notification.ts';

/** A route with its conditions read. */
export type Route = Omit<RouteConfig, 'matchers'> & { readonly matchers: readonly Matcher[] };
export type Routing = { readonly routes: readonly Route[]; readonly fallback: Route };

/** One receiver that is to hear of an alert, at once or when nobody acknowledged it for so long. */
export type Destination = {
  readonly receiverId: string;
  readonly route: Route;
  /** 0: at once. */
  readonly afterMs: number;
};

/** The schema of the settings takes nothing that is no matcher. */
const routeOf = (config: RouteConfig): Route => ({
  ...config,
  matchers: config.matchers.flatMap((text) => parseMatcher(text) ?? []),
});
export const readRouting = ({ routes, fallback }: Pick<NotifyConfig, 'routes' | 'fallback'>): Routing => ({
  routes: routes.map(routeOf),
  fallback: routeOf(fallback),
});

/** What routes, groups and silences look at: severity and name are always there. */
export const labelsOf = ({ key, severity, labels }: Pick<Notification, 'key' | 'severity' | 'labels'>): Labels => ({
  alertname: key,
  severity,
  ...labels,
});

/**
 * Who hears of it. Whatever the settings say, somebody does as long as anybody can: a route whose receivers are all gone counts as none,
 * and without any other it is every receiver.
 * @param usable ids of receivers that take something at present
 */
export function findDestinations(alert: ToldAlert, routing: Routing, usable: ReadonlySet<string>): Destination[] {
  const { routes, fallback } = routing;
  const labels = labelsOf(alert);
  const found = new Map<string, Destination>();
  const take = (route: Route, receivers: readonly string[], afterMs: number): void => {
    for (const receiverId of receivers) {
      const known = found.get(receiverId);
      if (usable.has(receiverId) && (known === undefined || afterMs < known.afterMs))
        found.set(receiverId, { receiverId, route, afterMs });
    }
  };
  const takeRoute = (route: Route, receivers: readonly string[]): void => {
    take(route, receivers, 0);
    for (const step of route.escalate) take(route, step.receivers, step.afterMs);
  };
  const atOnce = (): boolean => [...found.values()].some(({ afterMs }) => afterMs === 0);
  const everyone = [...usable].sort();

  for (const route of routes) {
    if (!matchesAll(route.matchers, labels)) continue;
    takeRoute(route, alert.receivers ?? route.receivers ?? everyone);
    if (atOnce() && !route.goOn) break;
  }
  if (!atOnce()) takeRoute(fallback, alert.receivers ?? fallback.receivers ?? everyone);
  if (!atOnce()) takeRoute(fallback, fallback.receivers ?? everyone);
  if (!atOnce()) takeRoute(fallback, everyone);
  return [...found.values()];
}
