import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { Principal, RoutePlugin } from '../platform/http/index.ts';
import { type AccessToken, localName, localSubject, longestToken, tokenState } from './access.ts';
import type { Access, LoginCredentials } from './access-control.ts';
import { sessionCookie } from './sessions.ts';

const roleSchema = z.enum(['user', 'service', 'scrape', 'admin']);
/** Text that every database stores as it is. */
export const plainText = z
  .string()
  .max(200)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'holds control characters or half a character');
const workspacesSchema = z.union([z.literal('all'), z.array(plainText).max(1_000)]);
const tokenIdSchema = z.string().regex(/^[a-z]{1,10}_[0-9a-z]{1,40}$/, 'is no id of a token');

export const subjectName = z
  .string()
  .regex(localName, 'lower-case letters, digits, dot, dash and underscore, at most 63');

const whoSchema = z.object({
  subject: z.string(),
  role: roleSchema,
  workspaces: workspacesSchema,
  via: z.enum(['token', 'session', 'local', 'jwt']),
  expires_at: z.string().nullable().describe('End of the session; null for a token.'),
  csrf_token: z.string().nullable().describe('To be sent as x-csrf-token with every change; null for a token.'),
});

const tokenSchema = z.object({
  id: z.string(),
  subject: z.string(),
  role: roleSchema,
  workspaces: workspacesSchema,
  label: z.string(),
  state: z.enum(['active', 'expired', 'revoked']),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  last_used_at: z
    .string()
    .nullable()
    .describe('The minute of its last use; up to five minutes of it are lost in a crash.'),
  rotated_at: z.string().nullable(),
  previous_secret_until: z.string().nullable().describe('Until then the secret from before the last rotation is good.'),
});

const loginSchema = z
  .strictObject({
    code: z.string().min(1).max(200).optional().describe('What stands behind /#login= in a one-time link.'),
    token: z
      .string()
      .min(1)
      .max(longestToken)
      .optional()
      .describe('An admin or user token, or a JWT of the configured issuer.'),
  })
  .refine((body) => (body.code === undefined) !== (body.token === undefined), 'give either code or token');

const newTokenSchema = z.strictObject({
  name: subjectName,
  role: roleSchema,
  workspaces: workspacesSchema.optional().describe('All when left out, except for users, who then get none.'),
  label: plainText.default(''),
  expires_at: z.iso.datetime({ offset: true }).nullable().optional(),
});

const newLinkSchema = z
  .strictObject({
    role: z.enum(['user', 'admin']).default('admin'),
    name: subjectName.optional().describe('Whom it logs in, as local:NAME. An admin may leave it out: themselves.'),
    workspaces: workspacesSchema.optional().describe('Of a user; none when left out. An admin has all.'),
  })
  .refine((body) => body.role === 'admin' || body.name !== undefined, 'a link for a user needs a name')
  .refine((body) => body.role === 'user' || body.workspaces === undefined, 'an admin has all workspaces')
  .nullish();

const rotationSchema = z
  .strictObject({
    grace_seconds: z
      .number()
      .int()
      .min(0)
      .max(7 * 86_400)
      .default(0)
      .describe('How long the secret from before stays good. 0: it ends now, with the sessions that it opened.'),
    expires_at: z.iso.datetime({ offset: true }).nullable().optional().describe('As it was when left out.'),
  })
  .nullish();

const shapeWho = (principal: Principal, session: { expiresMs: number; csrfToken: string } | undefined) => ({
  subject: principal.subject,
  role: principal.role,
  workspaces: principal.workspaces === 'all' ? ('all' as const) : [...principal.workspaces],
  via: principal.via,
  expires_at: isoInstantOrNull(session?.expiresMs),
  csrf_token: session?.csrfToken ?? null,
});

const shapeToken = (token: AccessToken, nowMs: number) => ({
  id: token.id,
  subject: token.subject,
  role: token.role,
  workspaces: token.workspaces === 'all' ? ('all' as const) : [...token.workspaces],
  label: token.label,
  state: tokenState(token, nowMs),
  created_at: isoInstant(token.createdMs),
  expires_at: isoInstantOrNull(token.expiresMs),
  revoked_at: isoInstantOrNull(token.revokedMs),
  last_used_at: isoInstantOrNull(token.lastUsedMs),
  rotated_at: isoInstantOrNull(token.rotatedMs),
  previous_secret_until:
    token.previousUntilMs !== null && token.previousUntilMs > nowMs ? isoInstant(token.previousUntilMs) : null,
});

export function requirePrincipal(principal: Principal | undefined): Principal {
  if (!principal) throw new AppError('access/unauthenticated', 'Send a token, or log in.');
  return principal;
}

/** @throws AppError `request/invalid` for an instant in the past */
export function expiryOf(text: string | null | undefined, nowMs: number): number | null | undefined {
  if (text === undefined || text === null) return text;
  const expiresMs = Date.parse(text);
  if (expiresMs > nowMs) return expiresMs;
  throw new AppError('request/invalid', 'The token would have expired already.', {
    violations: [{ at: 'body.expires_at', message: 'lies in the past' }],
  });
}

/** Log in and out, who am I, login links, tokens. */
export const accessRoutes =
  (deps: { access: Access; now: () => number }): RoutePlugin =>
  async (app) => {
    const { access, now } = deps;
    const tags = ['access'];

    app.post(
      '/api/v1/access/login',
      {
        config: {
          access: 'public',
          activity: 'login',
          problems: [
            'access/unauthenticated',
            'access/forbidden',
            'access/login-used',
            'access/csrf',
            'access/throttled',
            'access/issuer-unreachable',
          ],
        },
        schema: {
          tags,
          summary: 'Log in with a one-time code or a token',
          body: loginSchema,
          response: { 200: whoSchema },
        },
      },
      async (request, reply) => {
        const { code, token = '' } = request.body;
        const credentials: LoginCredentials = code === undefined ? { token } : { code };
        const session = await access.login(request, credentials);
        const maxAgeSeconds = Math.max(1, Math.floor((session.expiresMs - now()) / 1_000));
        reply.header('set-cookie', sessionCookie(request, session.secret, maxAgeSeconds));
        return shapeWho(session.principal, session);
      },
    );

    app.get(
      '/api/v1/access/session',
      {
        config: { access: 'user', activity: 'session' },
        schema: { tags, summary: 'Who am I, and the token that changes must carry', response: { 200: whoSchema } },
      },
      async (request) => shapeWho(requirePrincipal(request.principal), await access.describeSession(request)),
    );

    app.post(
      '/api/v1/access/logout',
      {
        config: { access: 'user', activity: 'logout' },
        schema: { tags, summary: 'End the session', response: { 204: z.undefined() } },
      },
      async (request, reply) => {
        await access.logout(request);
        return reply
          .header('set-cookie', sessionCookie(request, undefined, 0))
          .code(204)
          .send();
      },
    );

    app.post(
      '/api/v1/access/login-links',
      {
        config: { access: 'admin', activity: 'login-link' },
        schema: {
          tags,
          summary: 'Make a login link: one use, ten minutes',
          body: newLinkSchema,
          response: { 201: z.object({ code: z.string(), path: z.string(), expires_at: z.string() }) },
        },
      },
      async (request, reply) => {
        const { subject } = requirePrincipal(request.principal);
        const { role = 'admin', name, workspaces } = request.body ?? {};
        const link = await access.createLoginLink(subject, {
          subject: name === undefined ? subject : localSubject(name),
          role,
          workspaces: role === 'admin' ? 'all' : (workspaces ?? []),
        });
        reply.code(201);
        return { code: link.code, path: `/#login=${link.code}`, expires_at: isoInstant(link.expiresMs) };
      },
    );

    app.get(
      '/api/v1/access/tokens',
      {
        config: { access: 'admin', activity: 'tokens' },
        schema: {
          tags,
          summary: 'Tokens, newest first, without their secrets',
          querystring: z.object({
            limit: z.coerce.number().int().min(1).max(500).default(100),
            cursor: tokenIdSchema.optional(),
          }),
          response: { 200: z.object({ items: z.array(tokenSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const page = await access.listTokens({ limit: limit + 1, beforeId: cursor });
        const items = page.slice(0, limit);
        const last = page.length > limit ? items.at(-1) : undefined;
        return { items: items.map((token) => shapeToken(token, now())), next_cursor: last?.id ?? null };
      },
    );

    app.post(
      '/api/v1/access/tokens',
      {
        config: { access: 'admin', activity: 'create-token' },
        schema: {
          tags,
          summary: 'Make a token; its secret is shown this once',
          body: newTokenSchema,
          response: { 201: tokenSchema.extend({ token: z.string() }) },
        },
      },
      async (request, reply) => {
        const { name, role, workspaces, label, expires_at } = request.body;
        const expiresMs = expiryOf(expires_at, now()) ?? undefined;
        const created = await access.createToken(requirePrincipal(request.principal).subject, {
          name,
          role,
          workspaces: workspaces ?? (role === 'user' ? [] : 'all'),
          label,
          expiresMs,
        });
        reply.code(201);
        return { ...shapeToken(created.token, now()), token: created.secret };
      },
    );

    app.post(
      '/api/v1/access/tokens/:id/rotate',
      {
        config: { access: 'admin', activity: 'rotate-token', problems: ['request/not-found', 'conflict/state'] },
        schema: {
          tags,
          summary: 'Give a token a new secret; it is shown this once',
          params: z.object({ id: tokenIdSchema }),
          body: rotationSchema,
          response: { 200: tokenSchema.extend({ token: z.string() }) },
        },
      },
      async (request) => {
        const { grace_seconds = 0, expires_at } = request.body ?? {};
        const actor = requirePrincipal(request.principal).subject;
        const { token, secret } = await access.rotateToken(actor, request.params.id, {
          graceMs: grace_seconds * 1_000,
          expiresMs: expiryOf(expires_at, now()),
        });
        return { ...shapeToken(token, now()), token: secret };
      },
    );

    app.delete(
      '/api/v1/access/sessions',
      {
        config: { access: 'user', activity: 'end-sessions', problems: ['access/forbidden'] },
        schema: {
          tags,
          summary: 'End every session of oneself; an admin may name somebody else',
          querystring: z.object({ subject: plainText.min(1).max(300).optional() }),
          response: { 200: z.object({ subject: z.string(), ended: z.number().int() }) },
        },
      },
      async (request) => {
        const principal = requirePrincipal(request.principal);
        const subject = request.query.subject ?? principal.subject;
        if (subject !== principal.subject && principal.role !== 'admin')
          throw new AppError('access/forbidden', 'Only an admin ends the sessions of somebody else.');
        return { subject, ended: await access.endSessions(principal.subject, subject) };
      },
    );

    app.delete(
      '/api/v1/access/tokens/:id',
      {
        config: { access: 'admin', activity: 'revoke-token', problems: ['request/not-found'] },
        schema: {
          tags,
          summary: 'Revoke a token and end its sessions',
          params: z.object({ id: tokenIdSchema }),
          response: { 204: z.undefined() },
        },
      },
      async (request, reply) => {
        await access.revokeToken(requirePrincipal(request.principal).subject, request.params.id);
        return reply.code(204).send();
      },
    );
  };
