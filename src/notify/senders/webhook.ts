import { createHmac } from 'node:crypto';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import type { Delivery } from '../delivery.ts';
import type { MessageAlert } from '../message.ts';
import { requireSecret } from '../secrets.ts';
import { mostAnswerBytes, resultOf, type Send } from './sender.ts';

/** Standard Webhooks asks for bodies below 20 kB. */
const mostBodyBytes = 20_000;

/**
 * One message by Standard Webhooks: `webhook-id` is the same at each attempt, so that a receiver knows a repetition as one.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export const sendWebhook: Send<'webhook'> = async (receiver, delivery, { http, clock, signal }) => {
  const body = webhookBody(delivery);
  const seconds = String(Math.floor(clock.now() / 1_000));
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'webhook-id': delivery.id,
    'webhook-timestamp': seconds,
  };
  if (receiver.signingKey)
    headers['webhook-signature'] = signatureOf(await requireSecret(receiver.signingKey), delivery.id, seconds, body);
  const answer = await http.request({
    url: await requireSecret(receiver.url),
    method: 'POST',
    ...{ headers, body, signal },
    timeoutMs: receiver.timeoutMs,
    maxBytes: mostAnswerBytes,
  });
  return resultOf(answer, clock.now());
};

/** Bytes of a key such as `whsec_…`; undefined when it is none of 24 to 64 bytes. */
export function signingKeyBytes(key: string): Buffer | undefined {
  const encoded = key.trim().replace(/^whsec_/, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.length >= 24 && bytes.length <= 64 ? bytes : undefined;
}

/** Several keys, separated by spaces, are all used: so one can be exchanged for another. */
function signatureOf(keys: string, id: string, seconds: string, body: string): string {
  return keys
    .split(/\s+/)
    .map((key) => {
      const bytes = signingKeyBytes(key);
      if (!bytes) throw new AppError('outgoing/failed', 'The signing key is not whsec_ with 24 to 64 bytes in base64.');
      return `v1,${createHmac('sha256', bytes).update(`${id}.${seconds}.${body}`).digest('base64')}`;
    })
    .join(' ');
}

/** The same at each attempt. What does not fit is counted. */
export function webhookBody({ message, createdMs, groupId, receiverId }: Delivery): string {
  const shaped = message.alerts.map(shapeAlert);
  const bodyWith = (count: number): string =>
    JSON.stringify({
      type: message.reason === 'test' ? 'alert.test' : `alert.${message.status}`,
      timestamp: isoInstant(createdMs),
      data: {
        reason: message.reason,
        status: message.status,
        receiver: receiverId,
        group_key: groupId,
        group_labels: message.groupLabels,
        alerts: shaped.slice(0, count),
        truncated_alerts: message.omitted + shaped.length - count,
      },
    });
  let count = shaped.length;
  let body = bodyWith(count);
  while (count > 1 && Buffer.byteLength(body) > mostBodyBytes) {
    count = Math.max(1, Math.min(count - 1, Math.floor((count * mostBodyBytes) / Buffer.byteLength(body))));
    body = bodyWith(count);
  }
  return body;
}

const shapeAlert = (alert: MessageAlert) => ({
  key: alert.key,
  status: alert.status,
  severity: alert.severity,
  title: alert.title,
  summary: alert.summary,
  labels: alert.labels,
  annotations: alert.annotations,
  starts_at: isoInstant(alert.startsAtMs),
  ends_at: isoInstantOrNull(alert.endsAtMs),
  runbook_url: alert.runbookUrl,
  acknowledged_by: alert.acknowledgedBy,
});
