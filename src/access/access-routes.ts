import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { Principal, RoutePlugin } from '../platform/http/index.ts';
import { type AccessToken, localName, longestToken, tokenState } from './access.ts';
import type { Access, LoginCredentials } from './access-control.ts';
import { sessionCookie } from './sessions.ts';

const roleSchema = z.enum(['user', 'service', 'scrape', 'admin']);
/** Text that every database stores as it is. */
const plainText = z
  .string()
  .max(200)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'holds control characters or half a character');
const workspacesSchema = z.union([z.literal('all'), z.array(plainText).max(1_000)]);
const tokenIdSchema = z.string().regex(/^[a-z]{1,10}_[0-9a-z]{1,40}$/, 'is no id of a token');

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
  name: z.string().regex(localName, 'lower-case letters, digits, dot, dash and underscore, at most 63'),
  role: roleSchema,
  workspaces: workspacesSchema.optional().describe('All when left out, except for users, who then get none.'),
  label: plainText.default(''),
  expires_at: z.iso.datetime({ offset: true }).nullable().optional(),
});

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
});

function requirePrincipal(principal: Principal | undefined): Principal {
  if (!principal) throw new AppError('access/unauthenticated', 'Send a token, or log in.');
  return principal;
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
          response: { 201: z.object({ code: z.string(), path: z.string(), expires_at: z.string() }) },
        },
      },
      async (request, reply) => {
        const { subject } = requirePrincipal(request.principal);
        const link = await access.createLoginLink(subject, { subject, role: 'admin', workspaces: 'all' });
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
        const expiresMs = expires_at ? Date.parse(expires_at) : undefined;
        if (expiresMs !== undefined && expiresMs <= now())
          throw new AppError('request/invalid', 'The token would have expired already.', {
            violations: [{ at: 'body.expires_at', message: 'lies in the past' }],
          });
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
