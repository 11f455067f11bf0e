import type { Delivery } from '../delivery.ts';
import type { MessageAlert } from '../message.ts';
import { requireSecret } from '../secrets.ts';
import { mostAnswerBytes, resultOf, type Send } from './sender.ts';
import { furtherLabels, headline, remarks, span } from './wording.ts';

/** A chat is for reading. */
const mostListed = 20;
const colours = { critical: '#b00020', error: '#d9480f', warning: '#e0a800', info: '#3b7dd8' } as const;
const resolvedColour = '#2e7d32';

/** An incoming webhook as Slack has it; Mattermost, Rocket.Chat and others take the same. */
export const sendSlack: Send<'slack'> = async (receiver, delivery, { http, clock, signal }) => {
  const answer = await http.request({
    url: await requireSecret(receiver.url),
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...slackBody(delivery, clock.now()),
      ...(receiver.channel === undefined ? {} : { channel: receiver.channel }),
    }),
    timeoutMs: receiver.timeoutMs,
    maxBytes: mostAnswerBytes,
    signal,
  });
  const said = answer.text().trim();
  // Taken away by hand, or archived: Slack says so with 403, 404 or 410, and asking again changes nothing.
  if (answer.status >= 400 && answer.status < 500 && goneWords.has(said))
    return { outcome: 'gone', status: answer.status, error: `it answered ${answer.status}: ${said}` };
  return resultOf(answer, clock.now());
};

/** @see https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks */
const goneWords = new Set(['no_service', 'no_active_hooks', 'no_team', 'invalid_token', 'channel_is_archived']);

export function slackBody(delivery: Pick<Delivery, 'message' | 'createdMs'>, nowMs: number) {
  const { message } = delivery;
  const listed = message.alerts.slice(0, mostListed);
  const left = message.alerts.length - listed.length;
  return {
    text: [escaped(headline(message)), ...remarks(delivery, nowMs).map(escaped)].join('\n'),
    attachments: [
      ...listed.map(attachment),
      ...(left > 0 ? [{ fallback: `and ${left} more`, text: `and ${left} more` }] : []),
    ],
  };
}

const attachment = (alert: MessageAlert) => ({
  color: alert.status === 'resolved' ? resolvedColour : colours[alert.severity],
  fallback: escaped(alert.title),
  title: escaped(`${alert.status === 'resolved' ? 'resolved: ' : ''}${alert.title}`),
  text: escaped(
    [
      alert.summary,
      `${alert.severity}, ${span(alert)}`,
      furtherLabels(alert),
      ...(alert.acknowledgedBy === null ? [] : [`acknowledged by ${alert.acknowledgedBy}`]),
      ...(alert.runbookUrl === null ? [] : [alert.runbookUrl]),
    ].join('\n'),
  ),
});

/** Nothing in an alert may call a channel, or look like a link. */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
