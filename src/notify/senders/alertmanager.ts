import { isoInstant } from '../../platform/clock.ts';
import type { SendResult } from '../delivery.ts';
import type { MessageAlert } from '../message.ts';
import { requireSecret } from '../secrets.ts';
import { mostAnswerBytes, type ReceiverOf, resultOf, type SendContext } from './sender.ts';

/** What fires is pushed again this often, as Prometheus does. */
export const resendMs = 60_000;
/** So long Alertmanager believes us without hearing more: three pushes may fail. */
const believedMs = 4 * resendMs;
/** In one request. */
const mostAlerts = 500;

/**
 * Pushes alerts as they stand (`POST /api/v2/alerts`). An alert is known by its labels there, so the end carries the labels of the
 * beginning; pushing the same again changes nothing.
 */
export async function pushAlerts(
  receiver: ReceiverOf<'alertmanager'>,
  alerts: readonly MessageAlert[],
  { http, clock, signal }: SendContext,
): Promise<SendResult> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  const { auth } = receiver;
  if (auth.kind === 'bearer') headers.authorization = `Bearer ${await requireSecret(auth.token)}`;
  if (auth.kind === 'basic') {
    const pair = `${auth.username}:${await requireSecret(auth.password)}`;
    headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  let last: SendResult = { outcome: 'sent', status: null, error: null };
  for (let at = 0; at === 0 || at < alerts.length; at += mostAlerts) {
    const answer = await http.request({
      url: `${receiver.url}/api/v2/alerts`,
      method: 'POST',
      ...{ headers, signal },
      body: JSON.stringify(alerts.slice(at, at + mostAlerts).map((alert) => shapeAlert(alert, clock.now()))),
      timeoutMs: receiver.timeoutMs,
      maxBytes: mostAnswerBytes,
    });
    last = resultOf(answer, clock.now());
    if (last.outcome !== 'sent') return last;
  }
  return last;
}

export const shapeAlert = (alert: MessageAlert, nowMs: number) => ({
  labels: { ...labelSet(alert.labels), severity: alert.labels.severity || alert.severity },
  annotations: labelSet({
    ...alert.annotations,
    title: alert.title,
    summary: alert.summary,
    runbook_url: alert.runbookUrl ?? '',
  }),
  startsAt: isoInstant(alert.startsAtMs),
  // One that begins after it ends is refused there.
  endsAt: isoInstant(
    alert.status === 'firing' ? nowMs + believedMs : Math.max(alert.startsAtMs, alert.endsAtMs ?? nowMs),
  ),
});

/** Names as Prometheus allows them, and no empty values, which would not count there. */
function labelSet(pairs: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(pairs)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => [name.replaceAll(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, '_'), value]),
  );
}
