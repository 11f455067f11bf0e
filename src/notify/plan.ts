import { createHash } from 'node:crypto';
import { composeMessage, type Message, messageAlert } from './message.ts';
import { type NotificationSeverity, notificationSeverities, type ToldAlert } from './notification.ts';
import { type Destination, findDestinations, labelsOf, type Route, type Routing } from './routing.ts';
import { findSilences, type Silence } from './silence.ts';

/** What one receiver was told of alerts that have some labels in common. */
export type Group = {
  readonly id: string;
  readonly receiverId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Those it heard the beginning of and not yet the end, with how grave they were. */
  readonly notified: Readonly<Record<string, NotificationSeverity>>;
  /** Since when something waits to be told. */
  readonly waitingSinceMs: number | null;
  readonly lastSentMs: number | null;
};

export type PlanReceiver = {
  readonly id: string;
  readonly sendResolved: boolean;
  /** It groups, repeats and acknowledges by itself and wants the state: told of every change at once, and of nothing else. */
  readonly takesState: boolean;
};

export type PlanInput = {
  readonly alerts: readonly ToldAlert[];
  readonly groups: readonly Group[];
  readonly silences: readonly Silence[];
  /** Those that take something at present. What others were told is forgotten: when they are back they hear what fires then. */
  readonly receivers: readonly PlanReceiver[];
  readonly routing: Routing;
};

export type Plan = {
  readonly messages: readonly { readonly group: Group; readonly message: Message }[];
  /** Groups as they are after it, of which those not in it are gone. */
  readonly groups: readonly Group[];
  /** Alerts that are over and of which nobody waits to hear. */
  readonly forget: readonly string[];
  /** When something is due by itself; null: never, unless somebody tells something. */
  readonly nextMs: number | null;
};

type Member = { readonly alert: ToldAlert; readonly destination: Destination | undefined };
type Open = { readonly group: Group; readonly receiver: PlanReceiver; readonly members: Map<string, Member> };

/** What is sent now, to whom, and when to look again. Applied, the same moment plans nothing more. */
export function planMessages(input: PlanInput, nowMs: number): Plan {
  const { alerts, silences, routing } = input;
  const receivers = new Map(input.receivers.map((one) => [one.id, one]));
  const usable = new Set(receivers.keys());
  const byKey = new Map(alerts.map((alert) => [alert.key, alert]));
  const due: number[] = [];
  const open = new Map<string, Open>();
  const openGroup = (group: Group): Open | undefined => {
    const receiver = receivers.get(group.receiverId);
    if (!receiver) return undefined;
    const made = open.get(group.id) ?? { group, receiver, members: new Map<string, Member>() };
    open.set(group.id, made);
    return made;
  };

  for (const group of input.groups) {
    const opened = openGroup(withClock(group, nowMs));
    for (const key of Object.keys(group.notified)) {
      const alert = byKey.get(key);
      if (alert) opened?.members.set(key, { alert, destination: undefined });
    }
  }
  for (const alert of alerts) {
    if (alert.status !== 'firing') continue;
    for (const destination of findDestinations(alert, routing, usable)) {
      const labels = groupLabels(alert, receivers.get(destination.receiverId), destination.route);
      const id = groupId(destination.receiverId, labels);
      const known = open.get(id)?.group;
      if (!isReached(alert, destination, known, nowMs, due)) continue;
      const { receiverId } = destination;
      const opened = openGroup(
        known ?? { id, receiverId, labels, notified: {}, waitingSinceMs: null, lastSentMs: null },
      );
      opened?.members.set(alert.key, { alert, destination });
    }
  }

  const messages: { group: Group; message: Message }[] = [];
  const groups: Group[] = [];
  for (const one of open.values()) {
    const { group, message } = planGroup(one, routing.fallback, silences, nowMs, due);
    if (message) messages.push({ group, message });
    if (!isOver(group, routing.fallback, nowMs)) groups.push(group);
  }
  const awaited = new Set(groups.flatMap(({ notified }) => Object.keys(notified)));
  const later = due.filter((atMs) => atMs > nowMs);
  return {
    messages,
    groups,
    forget: alerts.filter(({ key, status }) => status === 'resolved' && !awaited.has(key)).map(({ key }) => key),
    nextMs: later.length === 0 ? null : Math.min(...later),
  };
}

/** A clock that was set back must not hold anything back: what seems to lie ahead counts as just now. */
const withClock = (group: Group, nowMs: number): Group => ({
  ...group,
  waitingSinceMs: group.waitingSinceMs === null ? null : Math.min(group.waitingSinceMs, nowMs),
  lastSentMs: group.lastSentMs === null ? null : Math.min(group.lastSentMs, nowMs),
});

/** Kept a while after the last message, so that what comes and goes is not told at once each time. */
const isOver = (group: Group, { groupIntervalMs }: Route, nowMs: number): boolean =>
  Object.keys(group.notified).length === 0 &&
  group.waitingSinceMs === null &&
  (group.lastSentMs === null || nowMs >= group.lastSentMs + groupIntervalMs);

/** Whether this receiver is to hear of it by now; escalations count from when it was told first, and end with an acknowledgement. */
function isReached(
  alert: ToldAlert,
  { afterMs }: Destination,
  known: Group | undefined,
  nowMs: number,
  due: number[],
): boolean {
  if (afterMs === 0 || known?.notified[alert.key] !== undefined) return true;
  if (alert.acknowledged) return false;
  const atMs = Math.min(alert.toldMs, nowMs) + afterMs;
  due.push(atMs);
  return nowMs >= atMs;
}

function groupLabels(alert: ToldAlert, receiver: PlanReceiver | undefined, route: Route): Record<string, string> {
  if (receiver?.takesState) return {};
  const labels = labelsOf(alert);
  return Object.fromEntries(route.groupBy.toSorted().map((name) => [name, labels[name] ?? '']));
}

const groupId = (receiverId: string, labels: Readonly<Record<string, string>>): string =>
  createHash('sha256')
    .update(JSON.stringify([receiverId, labels]))
    .digest('hex')
    .slice(0, 32);

function planGroup(
  { group, receiver, members }: Open,
  fallback: Route,
  silences: readonly Silence[],
  nowMs: number,
  due: number[],
): { group: Group; message?: Message } {
  const { notified } = group;
  const firing: ToldAlert[] = [];
  const news: Member[] = [];
  const ends: ToldAlert[] = [];
  const repeatable: Member[] = [];
  const gone: string[] = Object.keys(notified).filter((key) => !members.has(key));
  for (const member of members.values()) {
    const { alert, destination } = member;
    const before = notified[alert.key];
    const silencedUntilMs = findSilencedUntil(alert, silences, nowMs);
    if (alert.status === 'resolved') {
      if (!receiver.sendResolved && !receiver.takesState) gone.push(alert.key);
      else if (silencedUntilMs === undefined || receiver.takesState) ends.push(alert);
      else due.push(silencedUntilMs);
      continue;
    }
    if (silencedUntilMs !== undefined) {
      due.push(silencedUntilMs);
      continue;
    }
    firing.push(alert);
    if (destination === undefined) continue;
    const isNews =
      before === undefined ? alert.acknowledged === null || receiver.takesState : isGraver(alert.severity, before);
    if (isNews) news.push(member);
    else if (alert.acknowledged === null) repeatable.push(member);
  }

  const route = [...members.values()].find(({ destination }) => destination)?.destination?.route ?? fallback;
  const kept = without(notified, gone);
  const sent = (reason: Message['reason']): { group: Group; message: Message } => ({
    group: {
      ...group,
      notified: {
        ...without(
          kept,
          ends.map(({ key }) => key),
        ),
        ...Object.fromEntries(firing.map(({ key, severity }) => [key, severity])),
      },
      waitingSinceMs: null,
      lastSentMs: nowMs,
    },
    message: composeMessage(reason, group.labels, [...firing, ...ends].map(messageAlert)),
  });

  if (news.length > 0 || ends.length > 0) {
    // Counted from when it was told, not from when it was looked at: whoever was away meanwhile is not waited for again.
    const waitingSinceMs = group.waitingSinceMs ?? Math.min(nowMs, ...news.map(({ alert }) => alert.toldMs));
    const escalated = news.length > 0 && news.every(({ destination }) => (destination?.afterMs ?? 0) > 0);
    const waitMs = receiver.takesState || escalated ? 0 : route.groupWaitMs;
    const intervalMs = receiver.takesState ? 0 : route.groupIntervalMs;
    const atMs = Math.max(waitingSinceMs + waitMs, group.lastSentMs === null ? 0 : group.lastSentMs + intervalMs);
    if (nowMs >= atMs) return sent(escalated ? 'escalation' : 'change');
    due.push(atMs);
    return { group: { ...group, notified: kept, waitingSinceMs } };
  }
  const quiet = { group: { ...group, notified: kept, waitingSinceMs: null } };
  if (receiver.takesState || repeatable.length === 0 || group.lastSentMs === null) return quiet;
  const atMs = group.lastSentMs + route.repeatIntervalMs;
  if (nowMs >= atMs) return sent('repeat');
  due.push(atMs);
  return quiet;
}

/** When the last of the silences that hold it back now ends. */
function findSilencedUntil(alert: ToldAlert, silences: readonly Silence[], nowMs: number): number | undefined {
  const holding = new Set(findSilences(silences, labelsOf(alert), nowMs));
  if (holding.size === 0) return undefined;
  return Math.min(...silences.filter(({ id }) => holding.has(id)).map(({ untilMs }) => untilMs));
}

const isGraver = (now: NotificationSeverity, before: NotificationSeverity): boolean =>
  notificationSeverities.indexOf(now) > notificationSeverities.indexOf(before);

const without = <Value>(record: Readonly<Record<string, Value>>, keys: readonly string[]): Record<string, Value> => {
  const left = new Set(keys);
  return Object.fromEntries(Object.entries(record).filter(([key]) => !left.has(key)));
};
