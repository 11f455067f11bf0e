import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { countedKinds } from './quota.ts';
import {
  amountsOf,
  checkedBody,
  checkedSchema,
  placeOf,
  reservationBody,
  reservationSchema,
  useSchema,
} from './quota-bodies.ts';
import type { QuotaRouteDeps } from './quota-routes.ts';
import { listReservations, type ReservationTables } from './reservation-store.ts';

const base = '/api/v1/metrics/quotas';
const reservationId = z.string().regex(/^qr_[0-9a-z]{1,40}$/, 'is no id of a reservation');
const ofOne = z.object({ reservation_id: reservationId });
const ttl = z.number().int().min(1).max(86_400).default(300);

/** What a use of a service may still take: asked, spent, held and settled. */
export const bookingRoutes =
  ({ quotas, db, onlyTarget }: QuotaRouteDeps): RoutePlugin =>
  async (app) => {
    const { bookings } = quotas;
    const tags = ['quotas'];
    const required = (use: z.infer<typeof useSchema>) => {
      const amounts = amountsOf(use);
      if (amounts) return amounts;
      const message = 'needs resource_type with usage_amount, or amounts, and not both';
      throw new AppError('request/invalid', `The body ${message}.`, { violations: [{ at: 'amounts', message }] });
    };
    type Caller = { readonly subject: string; readonly role: string } | undefined;
    /** A service sees and ends what is its own; an admin all. */
    const requireOwn = async (id: string, principal: Caller): Promise<void> => {
      const found = await bookings.require(id);
      if (principal?.role !== 'admin' && found.subject !== principal?.subject)
        throw new AppError('quota/unknown-reservation', `There is no reservation "${id}" of yours.`);
    };

    app.post(
      `${base}/check`,
      {
        config: { access: 'service', activity: 'quotas.check' },
        schema: {
          tags,
          summary: 'Ask every quota that applies, and use it up in the same step',
          description:
            'All of them or none: what one denies is charged to no other. With `dry_run` nothing is used. Of what comes back (resources with the period `forever`, concurrent_inserts) nothing is used up here: reserve it.',
          body: useSchema.extend({ dry_run: z.boolean().default(false) }),
          response: { 200: checkedSchema },
        },
      },
      async ({ body }) =>
        checkedBody(
          await bookings.check({ place: placeOf(body, onlyTarget()), amounts: required(body), spend: !body.dry_run }),
        ),
    );

    app.post(
      `${base}/reservations`,
      {
        config: {
          access: 'service',
          activity: 'quotas.reserve',
          headers: ['idempotency-key'],
          problems: ['quota/exceeded', 'quota/too-many'],
        },
        schema: {
          tags,
          summary: 'Hold what will be used, in all quotas that apply or in none',
          description:
            'Settle it with what it took, or release it. The same `Idempotency-Key` gives the same reservation, for a day after its end. After `ttl_seconds` without either it ends by itself, as `on_expiry` says; renewing is a sign of life.',
          body: useSchema.extend({ ttl_seconds: ttl, on_expiry: z.enum(['release', 'charge']).default('release') }),
          response: { 200: reservationSchema, 201: reservationSchema },
        },
      },
      async ({ body, principal, headers }, reply) => {
        const key = headers['idempotency-key'];
        const { reservation, repeated } = await bookings.reserve({
          place: placeOf(body, onlyTarget()),
          amounts: required(body),
          subject: principal?.subject ?? 'unknown',
          idempotencyKey: typeof key === 'string' ? key.slice(0, 255) : null,
          ttlMs: body.ttl_seconds * 1_000,
          onExpiry: body.on_expiry,
        });
        return reply.code(repeated ? 200 : 201).send(reservationBody(reservation));
      },
    );

    app.get(
      `${base}/reservations`,
      {
        config: { access: 'service', activity: 'quotas.reservations' },
        schema: {
          tags,
          summary: 'Reservations, the newest first; of a service its own',
          querystring: z.object({
            state: z.enum(['held', 'settled', 'released', 'expired']).optional(),
            limit: z.coerce.number().int().min(1).max(200).default(100),
            cursor: reservationId.optional(),
          }),
          response: { 200: z.object({ items: z.array(reservationSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async ({ query: { state, limit, cursor }, principal }) => {
        const subject = principal?.role === 'admin' ? undefined : principal?.subject;
        const page = await listReservations(db.reader<ReservationTables>(), {
          ...{ state, subject, beforeId: cursor, limit: limit + 1 },
        });
        const items = page.slice(0, limit);
        return {
          items: items.map(reservationBody),
          next_cursor: page.length > limit ? (items.at(-1)?.id ?? null) : null,
        };
      },
    );

    app.get(
      `${base}/reservations/:reservation_id`,
      {
        config: { access: 'service', activity: 'quotas.reservation', problems: ['quota/unknown-reservation'] },
        schema: { tags, summary: 'One reservation', params: ofOne, response: { 200: reservationSchema } },
      },
      async ({ params, principal }) => {
        await requireOwn(params.reservation_id, principal);
        return reservationBody(await bookings.require(params.reservation_id));
      },
    );

    const problems = ['quota/unknown-reservation', 'conflict/state'] as const;
    app.post(
      `${base}/reservations/:reservation_id/settle`,
      {
        config: { access: 'service', activity: 'quotas.settle', problems: [...problems] },
        schema: {
          tags,
          summary: 'It was used: this much, or as much as was held',
          description: 'More than was held is counted too, above the limit if need be. Once more the same answer.',
          params: ofOne,
          body: z
            .strictObject({
              amounts: z
                .partialRecord(z.enum(countedKinds), z.number().int().min(0).max(Number.MAX_SAFE_INTEGER))
                .optional(),
            })
            .nullish(),
          response: { 200: reservationSchema },
        },
      },
      async ({ params, body, principal }) => {
        await requireOwn(params.reservation_id, principal);
        return reservationBody(await bookings.settle(params.reservation_id, body?.amounts));
      },
    );

    app.post(
      `${base}/reservations/:reservation_id/release`,
      {
        config: { access: 'service', activity: 'quotas.release', problems: [...problems] },
        schema: { tags, summary: 'Nothing of it was used', params: ofOne, response: { 200: reservationSchema } },
      },
      async ({ params, principal }) => {
        await requireOwn(params.reservation_id, principal);
        return reservationBody(await bookings.release(params.reservation_id));
      },
    );

    app.post(
      `${base}/reservations/:reservation_id/renew`,
      {
        config: { access: 'service', activity: 'quotas.renew', problems: [...problems] },
        schema: {
          tags,
          summary: 'It lasts longer',
          params: ofOne,
          body: z.strictObject({ ttl_seconds: ttl }),
          response: { 200: reservationSchema },
        },
      },
      async ({ params, body, principal }) => {
        await requireOwn(params.reservation_id, principal);
        return reservationBody(await bookings.renew(params.reservation_id, body.ttl_seconds * 1_000));
      },
    );
  };
