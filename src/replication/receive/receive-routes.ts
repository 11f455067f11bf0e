import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import { type RoutePlugin, textAnswer } from '../../platform/http/index.ts';
import type { Patience } from './readings.ts';
import type { Received } from './received-store.ts';
import type { Receiver } from './receiver.ts';

/** As the sender cuts them; twice that is taken. */
export const mostPartBytes = 8 * 1024 * 1024;
const octets = 'application/octet-stream';
export const below = '/api/v1/backup-replication/backup/snapshots';
export const digest = z.string().regex(/^[0-9a-f]{64}$/, 'is no SHA-256 in hexadecimal digits');
const mine = z.enum(['true']).optional().describe('Only what the caller sent itself; also of an admin.');
const patience = z.coerce
  .number()
  .min(0)
  .max(600)
  .optional()
  .describe(
    'How long the caller waits while a large point is read. What is not read by then is gone on with by the next call.',
  );
const whole = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
export const graphId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}(:[A-Za-z0-9_]{0,64})?$/, 'is not the id of a graph');
export const backupId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'is not the id of a point');

export const receivedBody = z.object({
  sender: z.string(),
  graph_id: z.string(),
  backup_id: z.string(),
  data_hash: z.string(),
  tree_id: z.string().nullable(),
  taken_at: z.string().nullable(),
  size_bytes: z.number(),
  received_at: z.string(),
});
export const uploadBody = z.object({
  success: z.literal(true),
  status: z.enum(['receiving', 'validated']),
  graph_id: z.string(),
  backup_id: z.string(),
  data_hash: z.string(),
  received_bytes: z.number(),
  read_bytes: z
    .number()
    .optional()
    .describe('All of it came, and so much was read back so far. Ask again with an empty part at its end.'),
});

const bodyOf = (one: Received): z.infer<typeof receivedBody> => ({
  ...{ sender: one.sender, graph_id: one.graphId, backup_id: one.pointId, data_hash: one.dataHash },
  ...{ tree_id: one.treeId, taken_at: isoInstantOrNull(one.takenMs), size_bytes: one.bytes },
  received_at: isoInstant(one.receivedMs),
});

/** What another ragwarden sends here. A sender sees what it sent itself; an admin sees everything. */
export const receiveRoutes =
  (deps: { readonly receiver: Receiver; enabled(): boolean }): RoutePlugin =>
  async (app) => {
    const { receiver } = deps;
    const tags = ['replication'];
    app.addContentTypeParser(octets, { parseAs: 'buffer', bodyLimit: 2 * mostPartBytes }, (_request, body, done) =>
      done(null, body),
    );
    app.addHook('onRequest', async (request) => {
      if (!deps.enabled() && request.principal)
        throw new AppError(
          'feature/disabled',
          'Points of others are not taken here: RAGWARDEN_REPLICATION_RECEIVE (replication.receive_enabled) is off.',
        );
    });
    /** Nothing is read for who went away. */
    const patienceOf = (
      { patience_seconds: seconds }: { patience_seconds?: number | undefined },
      reply: { readonly raw: ServerResponse },
    ): Patience => {
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort(new AppError('outgoing/failed', 'Who asked went away.')));
      return { signal: gone.signal, patienceMs: seconds === undefined ? undefined : seconds * 1_000 };
    };
    const subjectOf = (request: { principal?: { subject: string } | undefined }): string =>
      request.principal?.subject ?? 'unknown';
    const scopeOf = (request: {
      principal?: { subject: string; role: string } | undefined;
      query: { mine?: 'true' | undefined };
    }): string | undefined =>
      request.principal?.role === 'admin' && request.query.mine === undefined ? undefined : subjectOf(request);

    app.post(
      `${below}/upload`,
      {
        bodyLimit: 2 * mostPartBytes,
        config: {
          access: 'service',
          activity: 'receive point',
          problems: [
            'feature/disabled',
            'replication/conflict',
            'replication/digest-mismatch',
            'replication/not-kept',
            'request/too-large',
            'storage/full',
            'conflict/state',
          ],
        },
        schema: {
          tags,
          summary: 'Take a point of another ragwarden, whole or part by part',
          description:
            'The bytes are the body; parts follow one another by `offset`, up to 16 MiB each. It is listed when all of it is there and has the digest that was named; what has another one is set aside.',
          querystring: z.object({
            graph_id: graphId,
            backup_id: backupId,
            data_hash: digest.describe('SHA-256 of the whole.'),
            total_bytes: whole.optional().describe('Default: this body is all of it.'),
            offset: whole.default(0),
            tree_id: digest.optional().describe('Of its content, so that it is known again however it was packed.'),
            taken_at: z.iso.datetime({ offset: true }).optional(),
            sent_at: z.iso
              .datetime({ offset: true })
              .optional()
              .describe('Now, by the clock of the sender, which dates its points: the one here may be another.'),
            patience_seconds: patience,
          }),
          body: { content: { [octets]: { schema: z.unknown() } } },
          response: { 200: uploadBody },
        },
      },
      async (request, reply) => {
        const { query, body } = request;
        const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
        const taken = await receiver.take(
          {
            ...{
              sender: subjectOf(request),
              graphId: query.graph_id,
              pointId: query.backup_id,
              dataHash: query.data_hash,
            },
            ...{ treeId: query.tree_id ?? null, offset: query.offset, bytes },
            takenMs: query.taken_at === undefined ? null : Date.parse(query.taken_at),
            sentMs: query.sent_at === undefined ? null : Date.parse(query.sent_at),
            totalBytes: query.total_bytes ?? bytes.length,
          },
          patienceOf(query, reply),
        );
        return {
          ...{ success: true as const, status: taken.state, graph_id: query.graph_id, backup_id: query.backup_id },
          data_hash: query.data_hash,
          received_bytes: taken.state === 'validated' ? taken.received.bytes : taken.receivedBytes,
          ...(taken.state === 'receiving' && taken.readBytes !== undefined ? { read_bytes: taken.readBytes } : {}),
        };
      },
    );

    app.get(
      `${below}/received`,
      {
        config: { access: 'service', activity: 'list received points', problems: ['feature/disabled'] },
        schema: {
          tags,
          summary: 'Points that were sent here, newest first; of the caller alone unless an admin asks',
          querystring: z.object({
            mine,
            graph_id: graphId.optional(),
            backup_id: backupId.optional(),
            data_hash: digest.optional().describe('With both ids: how much of this very upload is there.'),
          }),
          response: {
            200: z.object({
              items: z.array(receivedBody),
              received_bytes: z
                .number()
                .nullable()
                .describe('Of an upload that was asked for and is not whole; null without one.'),
              keep: z.number().describe('How many points of one graph are kept of a sender, the newest.'),
              next_cursor: z.null(),
            }),
          },
        },
      },
      async (request) => {
        const { graph_id, backup_id, data_hash } = request.query;
        const all = await receiver.list(scopeOf(request));
        const items = all.filter(
          (one) =>
            (graph_id === undefined || one.graphId === graph_id) &&
            (backup_id === undefined || one.pointId === backup_id),
        );
        const part =
          graph_id === undefined || backup_id === undefined || data_hash === undefined
            ? undefined
            : await receiver.find({
                sender: subjectOf(request),
                graphId: graph_id,
                pointId: backup_id,
                dataHash: data_hash,
              });
        return {
          items: items.map(bodyOf),
          received_bytes: part?.state === 'receiving' ? part.receivedBytes : null,
          keep: receiver.keep(),
          next_cursor: null,
        };
      },
    );

    app.get(
      `${below}/received/content`,
      {
        config: {
          access: 'service',
          activity: 'fetch received point',
          problems: ['feature/disabled', 'backup/unknown-point', 'conflict/state'],
        },
        schema: {
          tags,
          summary: 'A point back to its sender, in parts of up to 8 MiB',
          description:
            'The next part begins where this one ended; `size_bytes` of the list tells where the last one does.',
          querystring: z.object({
            graph_id: graphId,
            backup_id: backupId,
            data_hash: digest.describe('Of the whole, as it is listed.'),
            offset: whole.default(0),
          }),
          response: { 200: textAnswer('The bytes from `offset` on.', octets) },
        },
      },
      async (request, reply) => {
        const { graph_id, backup_id, data_hash, offset } = request.query;
        const key = { graphId: graph_id, pointId: backup_id, dataHash: data_hash, offset };
        const bytes = await receiver.read({ ...key, sender: subjectOf(request) }, mostPartBytes);
        // A buffer is handed over as it is.
        return reply.type(octets).send(bytes as unknown as string);
      },
    );

    app.post(
      `${below}/received/verify`,
      {
        config: {
          access: 'service',
          activity: 'verify received points',
          problems: ['feature/disabled'],
          onlyLooks: true,
        },
        schema: {
          tags,
          summary: 'Read a share of the points that were sent here against their digests',
          querystring: z.object({
            ...{ mine, graph_id: graphId.optional(), backup_id: backupId.optional() },
            patience_seconds: patience.describe(
              'Of one point, that is with both ids: how long the caller waits. What is not read by then is gone on with by the next call.',
            ),
          }),
          body: z.strictObject({ percent: z.number().min(0.1).max(100).default(100) }),
          response: {
            200: z.object({
              points: z.number(),
              findings: z.array(z.string()),
              complete: z.boolean().describe('False: the same call goes on reading.'),
              read_bytes: z.number().describe('Of the point that is not read to its end; 0 when it is complete.'),
            }),
          },
        },
      },
      async (request, reply) => {
        const { graph_id, backup_id } = request.query;
        const only = { graphId: graph_id, pointId: backup_id };
        const { percent } = request.body;
        const told = await receiver.verify(scopeOf(request), percent, only, patienceOf(request.query, reply));
        return {
          ...{ points: told.read, findings: [...told.findings] },
          ...{ complete: told.complete, read_bytes: told.readBytes },
        };
      },
    );
  };
