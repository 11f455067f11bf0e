import { readFile } from 'node:fs/promises';
import type { SendResult } from '../delivery.ts';
import type { Message } from '../message.ts';
import { requireSecret } from '../secrets.ts';
import type { Send } from './sender.ts';
import { furtherLabels, headline, remarks, span } from './wording.ts';

/** A mail is for reading. */
const mostListed = 100;

/**
 * One mail over SMTP. Without STARTTLS or TLS only to this machine (the settings see to it); certificates are always checked. The id of
 * the message is that of the delivery, so that mail programs know a repetition as one.
 */
export const sendEmail: Send<'email'> = async (receiver, delivery, { admit, clock, signal }) => {
  signal.throwIfAborted();
  const { host, port, tls, timeoutMs } = receiver;
  const address = await admit?.(host, port);
  const ca = receiver.caFile === undefined ? undefined : await readFile(receiver.caFile, 'utf8');
  const auth = receiver.login && {
    user: receiver.login.username,
    pass: await requireSecret(receiver.login.password),
  };
  // Loaded when the first mail is sent. Bundled, such a module has `default` alone.
  const { createTransport } = (await import('nodemailer')).default;
  const transport = createTransport({
    host: address ?? host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    ...(auth ? { auth } : {}),
    tls: { ...(address === undefined ? {} : { servername: host }), ...(ca === undefined ? {} : { ca }) },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const ended = Promise.withResolvers<never>();
  const end = (): void => ended.reject(over.reason);
  over.addEventListener('abort', end, { once: true });
  try {
    const sent = await Promise.race([
      transport.sendMail({
        from: receiver.from,
        to: [...receiver.to],
        subject: headline(delivery.message),
        text: mailText(delivery.message, remarks(delivery, clock.now())),
        messageId: `<${delivery.id}@ragwarden>`,
        headers: { 'X-Ragwarden-Delivery': delivery.id, 'Auto-Submitted': 'auto-generated' },
        date: new Date(clock.now()),
      }),
      ended.promise,
    ]);
    const refused = sent.rejected ?? [];
    return {
      outcome: 'sent',
      status: statusOf(sent.response),
      error: refused.length === 0 ? null : `not taken for ${refused.join(', ')}`,
    };
  } catch (err) {
    signal.throwIfAborted();
    if (over.aborted) return failed(null, `${host}:${port} did not take the mail within ${timeoutMs} ms`);
    return failed(statusOfError(err), `${host}:${port}: ${err instanceof Error ? err.message : String(err)}`);
  } finally {
    over.removeEventListener('abort', end);
    transport.close();
  }
};

const failed = (status: number | null, error: string): SendResult => ({ outcome: 'failed', status, error });

const statusOf = (response: unknown): number | null => {
  const match = typeof response === 'string' ? /^(\d{3})\b/.exec(response) : null;
  return match ? Number(match[1]) : null;
};

const statusOfError = (err: unknown): number | null =>
  typeof err === 'object' && err !== null && 'responseCode' in err && typeof err.responseCode === 'number'
    ? err.responseCode
    : null;

export function mailText(message: Message, remarked: readonly string[]): string {
  const listed = message.alerts.slice(0, mostListed);
  const left = message.alerts.length - listed.length;
  const blocks = listed.map((alert) =>
    [
      `${alert.status === 'resolved' ? 'Resolved' : 'Firing'}: ${alert.title}`,
      `${alert.severity}, ${span(alert)}`,
      alert.summary,
      furtherLabels(alert),
      ...(alert.acknowledgedBy === null ? [] : [`Acknowledged by ${alert.acknowledgedBy}.`]),
      ...(alert.runbookUrl === null ? [] : [`What to do: ${alert.runbookUrl}`]),
    ].join('\n'),
  );
  return [...remarked, ...blocks, ...(left > 0 ? [`And ${left} more.`] : [])].join('\n\n');
}
