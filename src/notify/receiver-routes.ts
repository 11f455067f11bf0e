import { z } from 'zod';
import { isoInstantOrNull } from '../platform/clock.ts';
import { AppError, isAppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { RandomSource } from '../platform/ids.ts';
import { attemptSchema, shapeAttempts } from './delivery-routes.ts';
import type { Outbox } from './outbox.ts';
import { type ReadReceiver, readReceiver, receiverBody, receiverId } from './receiver-body.ts';
import type { KnownReceiver, Receivers } from './receivers.ts';
import { actorOf } from './silence-routes.ts';

const receiverSchema = z.object({
  id: z.string(),
  kind: z.enum(['webhook', 'slack', 'email', 'alertmanager']),
  origin: z.enum(['file', 'api']).describe('Those of the file are changed there.'),
  place: z.string().nullable().describe('Where it is, as far as that is no secret.'),
  send_resolved: z.boolean(),
  timeout_seconds: z.number(),
  has_secret: z.boolean().describe('A signing key, a password or a token.'),
  state: z
    .enum(['ok', 'unknown', 'failing', 'gone', 'broken'])
    .describe(
      '`gone` takes nothing any more; `broken`: its secrets cannot be opened; `unknown`: nothing was sent yet.',
    ),
  reason: z.string().nullable(),
  failures: z.number().describe('In a row.'),
  last_success_at: z.string().nullable(),
  last_error_at: z.string().nullable(),
  created_by: z.string().nullable(),
});

const shapeReceiver = (known: KnownReceiver): z.infer<typeof receiverSchema> => {
  const { receiver, state, broken, createdBy } = known;
  const word =
    broken !== null
      ? 'broken'
      : state.disabledMs !== null
        ? 'gone'
        : state.failures > 0
          ? 'failing'
          : state.lastSuccessMs === null
            ? 'unknown'
            : 'ok';
  return {
    id: receiver.id,
    kind: receiver.kind,
    origin: receiver.origin,
    place: placeOf(known),
    send_resolved: receiver.sendResolved,
    timeout_seconds: receiver.timeoutMs / 1_000,
    has_secret: hasSecret(known),
    state: word,
    reason: broken ?? (word === 'ok' || word === 'unknown' ? null : (state.disabledReason ?? state.lastError)),
    failures: state.failures,
    last_success_at: isoInstantOrNull(state.lastSuccessMs),
    last_error_at: isoInstantOrNull(state.lastErrorMs),
    created_by: createdBy,
  };
};

/** Only the origin of a webhook: the rest of its URL often is the secret. */
function placeOf({ receiver }: KnownReceiver): string | null {
  if (receiver.kind === 'email') return `${receiver.host}:${receiver.port} to ${receiver.to.join(', ')}`;
  if (receiver.kind === 'alertmanager') return URL.parse(receiver.url)?.origin ?? null;
  return 'value' in receiver.url ? (URL.parse(receiver.url.value)?.origin ?? null) : `as ${receiver.url.file} says`;
}

function hasSecret({ receiver }: KnownReceiver): boolean {
  switch (receiver.kind) {
    case 'webhook':
      return receiver.signingKey !== undefined;
    case 'slack':
      return true;
    case 'email':
      return receiver.login !== undefined;
    case 'alertmanager':
      return receiver.auth.kind !== 'none';
  }
}

/** Who is told: listed, made, changed, removed, tried. Secrets go in and never come out. */
export const receiverRoutes =
  (deps: {
    receivers: Receivers;
    outbox: Outbox;
    random: RandomSource;
    /** @throws AppError `outgoing/refused-address`, `outgoing/failed` when it cannot be resolved */
    admit(host: string, port: number): Promise<string>;
  }): RoutePlugin =>
  async (app) => {
    const { receivers, outbox, random } = deps;
    const tags = ['alerts'];
    const path = '/api/v1/metrics/alerts/receivers';
    const params = z.object({ id: receiverId });
    const requireReceiver = async (id: string): Promise<KnownReceiver> => {
      const found = await receivers.find(id);
      if (!found) throw new AppError('request/not-found', `There is no receiver ${id}.`);
      return found;
    };
    /** What may never be called is not kept either. A name that cannot be resolved at the moment may be later. */
    const refuse = async ({ place }: ReadReceiver): Promise<void> => {
      if (!place) return;
      await deps.admit(place.host, place.port).catch((err: unknown) => {
        if (isAppError(err) && err.code === 'outgoing/refused-address') throw err;
      });
    };

    app.get(
      path,
      {
        config: { access: 'admin', activity: 'receivers' },
        schema: {
          tags,
          summary: 'Who is told, without secrets, and how it goes',
          response: { 200: z.object({ items: z.array(receiverSchema), next_cursor: z.null() }) },
        },
      },
      async () => ({ items: (await receivers.list()).map(shapeReceiver), next_cursor: null }),
    );

    app.get(
      `${path}/:id`,
      {
        config: { access: 'admin', activity: 'receiver', problems: ['request/not-found'] },
        schema: { tags, summary: 'One receiver', params, response: { 200: receiverSchema } },
      },
      async (request) => shapeReceiver(await requireReceiver(request.params.id)),
    );

    app.post(
      path,
      {
        config: {
          access: 'admin',
          activity: 'create-receiver',
          problems: ['conflict/state', 'outgoing/refused-address', 'access/seal-broken'],
        },
        schema: {
          tags,
          summary: 'Add a receiver; a signing key that was made is shown this once',
          body: z.strictObject({ id: receiverId, receiver: receiverBody }),
          response: { 201: receiverSchema.extend({ signing_key: z.string().nullable() }) },
        },
      },
      async (request, reply) => {
        const { id, receiver } = request.body;
        const read = readReceiver(id, receiver, true);
        await refuse(read);
        const made =
          receiver.kind === 'webhook' && receiver.signing_key === undefined
            ? `whsec_${random(32).toString('base64')}`
            : null;
        const secrets = made === null ? read.secrets : { ...read.secrets, signing_key: made };
        await receivers.create(actorOf(request.principal), { ...read, secrets });
        reply.code(201);
        return { ...shapeReceiver(await requireReceiver(id)), signing_key: made };
      },
    );

    app.put(
      `${path}/:id`,
      {
        config: {
          access: 'admin',
          activity: 'change-receiver',
          problems: ['request/not-found', 'conflict/state', 'outgoing/refused-address', 'access/seal-broken'],
        },
        schema: {
          tags,
          summary: 'Change a receiver; secrets that are left out stay, and it is in use again',
          params,
          body: z.strictObject({ receiver: receiverBody }),
          response: { 200: receiverSchema },
        },
      },
      async (request) => {
        const { id } = request.params;
        const before = await requireReceiver(id);
        const { receiver } = request.body;
        const read = readReceiver(id, receiver, before.receiver.kind !== receiver.kind);
        await refuse(read);
        await receivers.change(actorOf(request.principal), read);
        return shapeReceiver(await requireReceiver(id));
      },
    );

    app.delete(
      `${path}/:id`,
      {
        config: { access: 'admin', activity: 'remove-receiver', problems: ['request/not-found', 'conflict/state'] },
        schema: { tags, summary: 'Remove a receiver', params, response: { 204: z.undefined() } },
      },
      async (request, reply) => {
        await receivers.remove(actorOf(request.principal), request.params.id);
        return reply.code(204).send();
      },
    );

    app.post(
      `${path}/:id/enable`,
      {
        config: { access: 'admin', activity: 'enable-receiver', problems: ['request/not-found'] },
        schema: {
          tags,
          summary: 'Take a receiver into use again that was switched off',
          params,
          response: { 200: receiverSchema },
        },
      },
      async (request) => {
        await receivers.enable(actorOf(request.principal), request.params.id);
        return shapeReceiver(await requireReceiver(request.params.id));
      },
    );

    app.post(
      `${path}/:id/test`,
      {
        config: { access: 'admin', activity: 'test-receiver', problems: ['request/not-found'] },
        schema: {
          tags,
          summary:
            'Send a test notification now and say what came of it; one that was gone is in use again when it arrives',
          params,
          response: {
            200: z.object({
              delivered: z.boolean(),
              delivery_id: z.string(),
              attempt: attemptSchema.nullable(),
            }),
          },
        },
      },
      async (request) => {
        const delivery = await outbox.test(actorOf(request.principal), request.params.id);
        return {
          delivered: delivery.state === 'sent',
          delivery_id: delivery.id,
          attempt: shapeAttempts(delivery).at(-1) ?? null,
        };
      },
    );
  };
