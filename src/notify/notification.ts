import type { Tx } from '../platform/database/index.ts';

export const notificationSeverities = ['info', 'warning', 'error', 'critical'] as const;
export type NotificationSeverity = (typeof notificationSeverities)[number];

/** What somebody has to say about one thing. It replaces what was told of this key before. */
export type Notification = {
  /** One thing, whatever its state: firing and resolved of one alert share it. 1 to 200 characters; `alert:<rule>:<fingerprint>` for alerts. */
  readonly key: string;
  readonly status: 'firing' | 'resolved';
  readonly severity: NotificationSeverity;
  /** One line. */
  readonly title: string;
  /** What was seen and what to do, plain text. */
  readonly summary: string;
  /** Always `alertname` and `severity`; what routing, grouping and silences look at. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAtMs: number;
  readonly endsAtMs: number | null;
  readonly runbookUrl: string | null;
  /** Names receivers directly; null: the routing of the settings decides. */
  readonly receivers: readonly string[] | null;
};

/** What other slices tell, and ask, of deliveries. */
export type Notifier = {
  /**
   * Durable when the unit of work commits, delivered afterwards. Never waits for a network. Telling the same again changes nothing;
   * a resolution of what nobody was told of is dropped.
   * @throws TypeError when the key is no key
   */
  tell(tx: Tx, notification: Notification): Promise<void>;
  /** Stops repeats and escalation of this key until it resolves. False: no such firing notification. */
  acknowledge(tx: Tx, key: string, by: string, note: string | null): Promise<boolean>;
  /** Ids of the silences that hold this back at the moment. */
  silencedBy(labels: Readonly<Record<string, string>>, nowMs: number): Promise<readonly string[]>;
};

/** As it is kept: what was told last, and what became of it. */
export type ToldAlert = Notification & {
  /** When this incident was told first: grouping and escalation count from here. */
  readonly toldMs: number;
  readonly acknowledged: { readonly by: string; readonly atMs: number; readonly note: string | null } | null;
};

const longestTitle = 300;
const longestSummary = 4_000;
const longestValue = 1_000;
const mostLabels = 64;

/** Text of any origin, made so that it can be kept and sent: a sentence that is too long must not cost the notification. */
export function boundedNotification(given: Notification): Notification {
  if (given.key === '' || given.key.length > 200)
    throw new TypeError('a notification needs a key of 1 to 200 characters');
  const title = clipped(given.title.replaceAll(/\s+/g, ' ').trim(), longestTitle);
  return {
    ...given,
    key: clipped(given.key, 200),
    title: title === '' ? given.key : title,
    summary: clipped(given.summary, longestSummary),
    labels: boundedPairs(given.labels),
    annotations: boundedPairs(given.annotations),
    runbookUrl: given.runbookUrl === null ? null : clipped(given.runbookUrl, longestValue),
  };
}

/** Databases refuse half surrogate pairs, one of them also zero characters. */
function clipped(text: string, most: number): string {
  const clean = text.replaceAll('\0', '\uFFFD');
  return (clean.length > most ? `${clean.slice(0, most - 1)}…` : clean).toWellFormed();
}

const boundedPairs = (pairs: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(pairs)
      .slice(0, mostLabels)
      .map(([name, value]) => [clipped(name, 200), clipped(String(value), longestValue)]),
  );

/**
 * What is kept after something was told. Undefined: nothing to keep.
 * A new beginning is a new incident, whose acknowledgement is its own.
 */
export function decideTold(known: ToldAlert | undefined, told: Notification, nowMs: number): ToldAlert | undefined {
  const { receivers } = told;
  if (told.status === 'resolved') {
    if (known === undefined) return undefined;
    return {
      ...told,
      // Who was told of the beginning is to know the end by the same labels, and at the same places.
      labels: known.labels,
      severity: known.severity,
      receivers: receivers ?? known.receivers,
      startsAtMs: Math.min(known.startsAtMs, told.startsAtMs),
      endsAtMs: told.endsAtMs ?? nowMs,
      toldMs: known.toldMs,
      acknowledged: known.acknowledged,
    };
  }
  const goesOn = known?.status === 'firing';
  return {
    ...told,
    endsAtMs: null,
    toldMs: goesOn ? known.toldMs : nowMs,
    acknowledged: goesOn ? known.acknowledged : null,
  };
}
