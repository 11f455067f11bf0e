import { isoInstant } from '../../platform/clock.ts';
import type { Delivery } from '../delivery.ts';
import type { Message, MessageAlert } from '../message.ts';

/** When a message is so much later than it was decided, it says so. */
const lateMs = 300_000;

const count = (message: Message, status: MessageAlert['status']): number =>
  message.alerts.filter((alert) => alert.status === status).length;

/** One line: what state, how many, and which is the gravest. */
export function headline(message: Message): string {
  const [first] = message.alerts;
  if (message.reason === 'test') return '[TEST] ragwarden: a notification to try the way';
  const firing = count(message, 'firing') + message.omitted;
  const word = message.status === 'firing' ? `FIRING${firing > 1 ? `:${firing}` : ''}` : 'RESOLVED';
  const others = message.alerts.length + message.omitted - 1;
  const severity = message.status === 'firing' ? ` ${first?.severity ?? ''}` : '';
  return `[${word}${severity}] ${first?.title ?? 'ragwarden'}${others > 0 ? ` and ${others} more` : ''}`;
}

/** Why this message comes, where that is not plain. */
export function remarks({ message, createdMs }: Pick<Delivery, 'message' | 'createdMs'>, nowMs: number): string[] {
  return [
    ...(message.reason === 'repeat' ? ['It still goes on, and nobody has acknowledged it.'] : []),
    ...(message.reason === 'escalation' ? ['Nobody has acknowledged it in time, so it is passed on.'] : []),
    ...(nowMs - createdMs > lateMs
      ? [`This comes late: it was decided at ${isoInstant(createdMs)} and could not be delivered before.`]
      : []),
    ...(message.omitted > 0 ? [`${message.omitted} more are not listed.`] : []),
  ];
}

export const span = (alert: MessageAlert): string =>
  alert.endsAtMs === null || alert.status === 'firing'
    ? `since ${isoInstant(alert.startsAtMs)}`
    : `from ${isoInstant(alert.startsAtMs)} to ${isoInstant(alert.endsAtMs)}`;

/** Labels that the rest of the text does not say already. */
export const furtherLabels = (alert: MessageAlert): string =>
  Object.entries(alert.labels)
    .filter(([name]) => name !== 'severity')
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
