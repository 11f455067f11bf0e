import type { NotificationSeverity, ToldAlert } from './notification.ts';

/** An alert as one message tells it. */
export type MessageAlert = {
  readonly key: string;
  readonly status: 'firing' | 'resolved';
  readonly severity: NotificationSeverity;
  readonly title: string;
  readonly summary: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAtMs: number;
  readonly endsAtMs: number | null;
  readonly runbookUrl: string | null;
  readonly acknowledgedBy: string | null;
};

/** Why it is sent: something began or ended, it still goes on, nobody took it up, or somebody tries the way. */
export type MessageReason = 'change' | 'repeat' | 'escalation' | 'test';

/** What one receiver is told at once. It does not change once it is in the outbox: a second attempt says the same under the same id. */
export type Message = {
  readonly reason: MessageReason;
  /** `firing` while anything in it is. */
  readonly status: 'firing' | 'resolved';
  /** What all of it has in common. */
  readonly groupLabels: Readonly<Record<string, string>>;
  /** Firing first, the gravest first, then by beginning. */
  readonly alerts: readonly MessageAlert[];
  /** How many more there are than are listed. */
  readonly omitted: number;
};

/** A storm is told by its beginning and its size. */
const mostAlerts = 500;
const ranks: Readonly<Record<NotificationSeverity, number>> = { critical: 0, error: 1, warning: 2, info: 3 };

export const messageAlert = (alert: ToldAlert): MessageAlert => ({
  key: alert.key,
  status: alert.status,
  severity: alert.severity,
  title: alert.title,
  summary: alert.summary,
  labels: alert.labels,
  annotations: alert.annotations,
  startsAtMs: alert.startsAtMs,
  endsAtMs: alert.endsAtMs,
  runbookUrl: alert.runbookUrl,
  acknowledgedBy: alert.acknowledged?.by ?? null,
});

export function composeMessage(
  reason: MessageReason,
  groupLabels: Readonly<Record<string, string>>,
  alerts: readonly MessageAlert[],
): Message {
  const sorted = alerts.toSorted(
    (one, other) =>
      Number(one.status === 'resolved') - Number(other.status === 'resolved') ||
      ranks[one.severity] - ranks[other.severity] ||
      one.startsAtMs - other.startsAtMs ||
      (one.key < other.key ? -1 : 1),
  );
  return {
    reason,
    status: sorted.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    groupLabels,
    alerts: sorted.slice(0, mostAlerts),
    omitted: Math.max(0, sorted.length - mostAlerts),
  };
}

/**
 * One message instead of those that a receiver never got and the one that is due now: it hears everything once, as it stands, and not
 * the past in order at four in the morning.
 * @param latest what is known of a key now
 */
export function mergeUndelivered(
  next: Message,
  undelivered: readonly Message[],
  latest: (key: string) => MessageAlert | undefined,
): Message {
  const alerts = new Map<string, MessageAlert>();
  for (const { alerts: older } of undelivered) for (const one of older) alerts.set(one.key, latest(one.key) ?? one);
  for (const one of next.alerts) alerts.set(one.key, one);
  const merged = composeMessage(next.reason, next.groupLabels, [...alerts.values()]);
  const omitted = Math.max(0, ...[next, ...undelivered].map((one) => one.omitted));
  return { ...merged, omitted: merged.omitted + omitted };
}
