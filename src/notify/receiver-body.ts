import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { NewReceiver } from './receivers.ts';
import { signingKeyBytes } from './senders/webhook.ts';

const line = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'holds control characters');
const httpUrl = z
  .url({ protocol: /^https?$/ })
  .max(2_000)
  .refine((text) => {
    const url = URL.parse(text);
    return url !== null && url.username === '' && url.password === '';
  }, 'must not carry a user name or a password');
const secret = line(4_096);
const mailAddress = z
  .string()
  .max(300)
  .regex(/^[^\s<>@\p{Cc}]+@[^\s<>@\p{Cc}]+$/u, 'is no address of mail');

export const receiverId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes');

const every = {
  send_resolved: z.boolean().default(true).describe('Whether it is told of the end too.'),
  timeout_seconds: z.number().min(1).max(60).default(10),
};

/** Secrets are taken once and never shown; in a change, those left out stay. */
export const receiverBody = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('webhook'),
    url: httpUrl.optional().describe('A secret. Required at first.'),
    signing_key: secret
      .optional()
      .describe('whsec_ and 24 to 64 bytes in base64; made and told once when left out at first.'),
    ...every,
  }),
  z.strictObject({
    kind: z.literal('slack'),
    url: httpUrl.optional().describe('A secret. Required at first.'),
    channel: line(100).nullable().default(null),
    ...every,
  }),
  z.strictObject({
    kind: z.literal('email'),
    host: z.string().regex(/^[A-Za-z0-9.:_-]{1,255}$/, 'must be the name or the address of a mail server'),
    port: z.int().min(1).max(65_535).optional(),
    tls: z.enum(['starttls', 'implicit']).default('starttls').describe('Mail in the open is for the file only.'),
    username: line(200).nullable().default(null),
    password: secret.optional(),
    from: mailAddress,
    to: z.array(mailAddress).min(1).max(100),
    ...every,
  }),
  z.strictObject({
    kind: z.literal('alertmanager'),
    url: httpUrl,
    bearer_token: secret.optional(),
    username: line(200).nullable().default(null),
    password: secret.optional(),
    ...every,
  }),
]);
export type ReceiverBody = z.infer<typeof receiverBody>;

export type ReadReceiver = NewReceiver & {
  /** What will be dialled, to be refused before it is kept. */
  readonly place: { readonly host: string; readonly port: number } | undefined;
};

/**
 * @param isNew whether secrets that it cannot do without must be there
 * @throws AppError `request/invalid`
 */
export function readReceiver(id: string, body: ReceiverBody, isNew: boolean): ReadReceiver {
  const { send_resolved, timeout_seconds } = body;
  const common = { send_resolved, timeout_seconds };
  const fail = (at: string, message: string): never => {
    throw new AppError('request/invalid', 'The receiver is not right.', { violations: [{ at, message }] });
  };
  const secrets = (given: Record<string, string | undefined>): Record<string, string> =>
    Object.fromEntries(Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
  if (body.kind === 'webhook' || body.kind === 'slack') {
    if (isNew && body.url === undefined) fail('url', 'is required');
    const url = body.url === undefined ? undefined : new URL(body.url);
    const place = url && placeOf(url);
    if (body.kind === 'slack')
      return {
        id,
        place,
        settings: { kind: 'slack', ...common, channel: body.channel },
        secrets: secrets({ url: body.url }),
      };
    const key = body.signing_key;
    if (key !== undefined && !key.split(/\s+/).every((one) => signingKeyBytes(one)))
      fail('signing_key', 'must be whsec_ and 24 to 64 bytes in base64');
    return {
      id,
      place,
      settings: { kind: 'webhook', ...common },
      secrets: secrets({ url: body.url, signing_key: key }),
    };
  }
  if (isNew && (body.password === undefined) !== (body.username === null))
    fail('password', 'a user name and a password go together');
  if (body.kind === 'email') {
    const { host, tls, username, from, to } = body;
    const port = body.port ?? (tls === 'implicit' ? 465 : 587);
    return {
      id,
      place: { host, port },
      settings: { kind: 'email', ...common, host, port, tls, username, from, to },
      secrets: secrets({ password: body.password }),
    };
  }
  const { username, bearer_token, password } = body;
  if (bearer_token !== undefined && username !== null) fail('bearer_token', 'goes without a user name');
  const url = body.url.replace(/\/+$/, '');
  return {
    id,
    place: placeOf(new URL(url)),
    settings: { kind: 'alertmanager', ...common, url, username },
    secrets: secrets({ bearer_token, password }),
  };
}

const placeOf = (url: URL): { host: string; port: number } => ({
  host: url.hostname,
  port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
});
