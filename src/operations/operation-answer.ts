import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { allowedActions, isFinal, type Operation, operationStates } from './operation.ts';
import type { Idempotency, Operations } from './operations.ts';

const count = z.number().nullable();

export const operationSchema = z
  .object({
    id: z.string(),
    kind: z.string(),
    target_id: z.string().nullable(),
    state: z.enum(operationStates),
    phase: z.string(),
    progress: z.object({
      bytes_done: z.number(),
      bytes_total: count,
      files_done: z.number(),
      files_total: count,
      rate_bytes_per_second: count,
      remaining_seconds: count,
      percent: count,
    }),
    result: z.unknown().describe('What the kind of operation tells at its end; null before.'),
    error: z
      .object({
        code: z.string(),
        title: z.string(),
        status: z.number().int(),
        detail: z.string(),
        retryable: z.boolean(),
      })
      .nullable(),
    requested_by: z.string(),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
    allowed_actions: z.array(z.enum(['cancel'])),
  })
  .meta({ id: 'Operation' });
export type OperationBody = z.infer<typeof operationSchema>;

/** For `schema.response` of a route that ends with `respondWithOperation`. */
export const operationAnswers = {
  200: operationSchema.describe('The operation has ended (`Prefer: wait=N`); its state says how.'),
  202: operationSchema.describe('The operation goes on; `Location` is where to follow it.'),
};

export const operationBody = (operation: Operation): OperationBody => ({
  id: operation.id,
  kind: operation.kind,
  target_id: operation.targetId,
  state: operation.state,
  phase: operation.phase,
  progress: {
    bytes_done: operation.progress.bytesDone,
    bytes_total: operation.progress.bytesTotal,
    files_done: operation.progress.filesDone,
    files_total: operation.progress.filesTotal,
    rate_bytes_per_second: operation.progress.rateBytesPerSecond,
    remaining_seconds: operation.progress.remainingSeconds,
    percent: operation.progress.percent,
  },
  result: operation.result ?? null,
  error: operation.error,
  requested_by: operation.requestedBy,
  created_at: isoInstant(operation.createdMs),
  finished_at: isoInstantOrNull(operation.finishedMs),
  allowed_actions: allowedActions(operation),
});

/** What of a reply is needed here, so that any route's own reply type fits. */
export type OperationReply = {
  code(status: 200 | 202): unknown;
  header(name: string, value: string): unknown;
  readonly raw: { once(event: 'close', listener: () => void): unknown };
};

const greatestWaitSeconds = 600;

/**
 * Ends a route that started work: 202 with `Location`, or, when the caller prefers to wait (RFC 7240) and the operation ends
 * in time, 200. Return what this returns.
 */
export async function respondWithOperation(
  operations: Operations,
  request: FastifyRequest,
  reply: OperationReply,
  operation: Operation,
): Promise<OperationBody> {
  const waitSeconds = preferredWait(request.headers.prefer);
  let shown = operation;
  if (waitSeconds !== undefined) {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    shown = await operations.wait(operation.id, { timeoutMs: waitSeconds * 1_000, signal: gone.signal });
    reply.header('preference-applied', `wait=${waitSeconds}`);
  }
  reply.header('location', `/api/v1/operations/${shown.id}`);
  reply.code(waitSeconds !== undefined && isFinal(shown) ? 200 : 202);
  return operationBody(shown);
}

/** Seconds of `Prefer: wait=N`, 600 at most; undefined without one. */
export function preferredWait(header: string | string[] | undefined): number | undefined {
  const preferences = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',');
  for (const preference of preferences) {
    const found = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(;.*)?$/i.exec(preference);
    if (found) return Math.min(Number(found[1]), greatestWaitSeconds);
  }
  return undefined;
}

/**
 * The request's `Idempotency-Key`, ready for `operations.start`; undefined without one.
 * @throws AppError `request/unreadable` when it is empty, longer than 255 characters or not plain text
 */
export function idempotencyOf(request: FastifyRequest): Idempotency | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key))
    throw new AppError('request/unreadable', '`Idempotency-Key` has 1 to 255 visible ASCII characters, no spaces.');
  const path = request.url.split('?', 1)[0] ?? '';
  const whole = JSON.stringify([request.query ?? null, request.body ?? null]);
  return {
    key,
    route: `${request.method} ${path}`.slice(0, 1_000),
    requestHash: createHash('sha256').update(whole).digest('hex'),
  };
}
