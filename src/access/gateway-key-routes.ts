import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { tokenState } from './access.ts';
import { expiryOf, plainText, requirePrincipal, subjectName } from './access-routes.ts';
import type { GatewayKeys, StoredGatewayKey } from './gateway-keys.ts';

const keyIdSchema = z.string().regex(/^key_[0-9a-z]{1,40}$/, 'is no id of a key');

const keySchema = z.object({
  id: z.string(),
  subject: z.string(),
  target_id: z.string(),
  workspace: z.string().nullable().describe('Null: any of the target.'),
  label: z.string(),
  state: z.enum(['active', 'expired', 'revoked']),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  last_used_at: z.string().nullable().describe('The minute of its last use, as far as it is written down.'),
});

const newKeySchema = z.strictObject({
  name: subjectName.describe('Whose it is, as local:NAME: what it does is counted under this subject.'),
  target_id: plainText.optional().describe('The only target when left out.'),
  workspace: plainText.nullable().optional().describe('Null or left out: any of the target.'),
  label: plainText.default(''),
  expires_at: z.iso.datetime({ offset: true }).nullable().optional(),
});

const shapeKey = (key: StoredGatewayKey, nowMs: number) => ({
  id: key.id,
  subject: key.subject,
  target_id: key.targetId,
  workspace: key.workspace,
  label: key.label,
  state: tokenState(key, nowMs),
  created_at: isoInstant(key.createdMs),
  expires_at: isoInstantOrNull(key.expiresMs),
  revoked_at: isoInstantOrNull(key.revokedMs),
  last_used_at: isoInstantOrNull(key.lastUsedMs),
});

/** Keys for going through the gateway: made, listed without the keys themselves, revoked. */
export const gatewayKeyRoutes =
  (deps: {
    keys: GatewayKeys;
    now: () => number;
    /**
     * The place that a key shall open.
     * @throws AppError `target/unknown`, `gateway/unknown-workspace`
     */
    requirePlace(targetId: string | undefined, workspace: string | null): { targetId: string };
  }): RoutePlugin =>
  async (app) => {
    const { keys, now } = deps;
    const tags = ['gateway'];

    app.get(
      '/api/v1/gateway/keys',
      {
        config: { access: 'admin', activity: 'gateway keys' },
        schema: {
          tags,
          summary: 'Keys of the gateway, newest first, without the keys themselves',
          querystring: z.object({
            limit: z.coerce.number().int().min(1).max(500).default(100),
            cursor: keyIdSchema.optional(),
          }),
          response: { 200: z.object({ items: z.array(keySchema), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const page = await keys.list({ limit: limit + 1, beforeId: cursor });
        const items = page.slice(0, limit);
        const last = page.length > limit ? items.at(-1) : undefined;
        return { items: items.map((key) => shapeKey(key, now())), next_cursor: last?.id ?? null };
      },
    );

    app.post(
      '/api/v1/gateway/keys',
      {
        config: {
          access: 'admin',
          activity: 'create-gateway-key',
          problems: ['target/unknown', 'gateway/unknown-workspace'],
        },
        schema: {
          tags,
          summary: 'Make a key of the gateway; it is shown this once',
          body: newKeySchema,
          response: { 201: keySchema.extend({ key: z.string() }) },
        },
      },
      async (request, reply) => {
        const { name, target_id, workspace = null, label, expires_at } = request.body;
        const { targetId } = deps.requirePlace(target_id, workspace);
        const made = await keys.create(requirePrincipal(request.principal).subject, {
          name,
          targetId,
          workspace,
          label,
          expiresMs: expiryOf(expires_at, now()) ?? null,
        });
        reply.code(201);
        return { ...shapeKey(made.stored, now()), key: made.key };
      },
    );

    app.delete(
      '/api/v1/gateway/keys/:id',
      {
        config: { access: 'admin', activity: 'revoke-gateway-key', problems: ['request/not-found'] },
        schema: {
          tags,
          summary: 'Revoke a key of the gateway and end what it has under way',
          params: z.object({ id: keyIdSchema }),
          response: { 204: z.undefined() },
        },
      },
      async (request, reply) => {
        await keys.revoke(requirePrincipal(request.principal).subject, request.params.id);
        return reply.code(204).send();
      },
    );
  };
