import type { Alert, AlertRule, Attempt, Delivery, Labels, Receiver } from '../../api/alert-wire.ts';
import { formatMetric } from '../../format-metric.ts';

export const shownLabels = (labels: Labels): string =>
  Object.entries(labels)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');

/** No value is no zero. */
export const shownValue = (value: number | null): string => (value === null ? 'no value' : formatMetric(value, ''));

/** One condition a line; empty lines say nothing. */
export const readMatchers = (typed: string): string[] =>
  typed
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** What the server would refuse, in words that name the line. */
export function findMatcherFault(matchers: readonly string[]): string | undefined {
  const wrong = matchers.find((one) => !/^[a-zA-Z_][a-zA-Z0-9_]*!?=/.test(one));
  if (wrong !== undefined) return `"${wrong}" is neither LABEL=VALUE nor LABEL!=VALUE.`;
  const isSaid = (one: string): boolean => /^\w+=/.test(one) && /[^*"]/.test(one.slice(one.indexOf('=') + 1));
  return matchers.some(isSaid) ? undefined : 'One line must say what a label is, as severity=warning does.';
}

/** Holds back this alert and no other one of its rule. */
export const matchersOf = ({ rule_name: rule, labels }: Pick<Alert, 'rule_name' | 'labels'>): string =>
  [`alertname=${rule}`, ...Object.entries(labels).map(([name, value]) => `${name}=${value}`)].join('\n');

/** A word with a level, and what it says to people. */
export type Told = { readonly word: string; readonly text: string };

export function stateOfRule({ enabled, status }: Pick<AlertRule, 'enabled' | 'status'>): Told {
  if (!enabled) return { word: 'off', text: 'off' };
  if (status === null) return { word: 'new', text: 'not evaluated yet' };
  if (status.error !== null) return { word: 'failed', text: 'cannot be evaluated' };
  if (status.firing > 0) return { word: 'critical', text: `${status.firing} firing` };
  if (status.pending > 0) return { word: 'warning', text: `${status.pending} pending` };
  return status.label_sets === 0 ? { word: 'off', text: 'no values' } : { word: 'healthy', text: 'quiet' };
}

const receiverWords: Readonly<Record<Receiver['state'], Told>> = {
  ok: { word: 'success', text: 'ok' },
  unknown: { word: 'unknown', text: 'not used' },
  failing: { word: 'degraded', text: 'failing' },
  gone: { word: 'failed', text: 'gone' },
  broken: { word: 'failed', text: 'broken' },
};
export const stateOfReceiver = ({ state }: Receiver): Told => receiverWords[state];

const deliveryWords: Readonly<Record<Delivery['state'], Told>> = {
  pending: { word: 'running', text: 'waits' },
  sent: { word: 'success', text: 'sent' },
  dead: { word: 'failed', text: 'given up' },
  superseded: { word: 'superseded', text: 'superseded' },
};
export const stateOfDelivery = ({ state, failures }: Delivery): Told =>
  state === 'pending' && failures > 0 ? { word: 'warning', text: 'tried again' } : deliveryWords[state];

export const shownAttempt = ({ outcome, status, error, latency_ms: ms }: Attempt): string =>
  [outcome, status, error, formatMetric(ms, 'ms')].filter((part) => part !== null).join(' · ');

/** Where each firing stands in the range, in hundredths of it; however short it was, it is seen. */
export function placeFirings(
  firings: readonly { readonly triggered_at: string; readonly resolved_at: string | null }[],
  range: { readonly from: string; readonly to: string },
): { readonly at: number; readonly width: number }[] {
  const from = Date.parse(range.from);
  const span = Math.max(1, Date.parse(range.to) - from);
  const of = (at: string): number => Math.min(100, Math.max(0, (100 * (Date.parse(at) - from)) / span));
  return firings.map(({ triggered_at: fired, resolved_at: resolved }) => {
    const width = Math.max(0.4, of(resolved ?? range.to) - of(fired));
    return { at: Math.min(of(fired), 100 - width), width };
  });
}
