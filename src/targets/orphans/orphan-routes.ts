import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import { isoInstant } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { type OrphanSearch, orphanBytes, orphanKinds } from './orphan.ts';
import type { OrphanSearches } from './orphan-search.ts';

const orphanSchema = z
  .object({
    workspace: z.string(),
    store: z.enum(['files', 'postgres']),
    kind: z.enum(orphanKinds),
    place: z.string().describe('File, folder or table, relative to the store.'),
    count: z.number().int(),
    bytes: z.number().nullable().describe('What it takes; null where that cannot be told.'),
    examples: z.array(z.string()).describe('At most a hundred.'),
    removable: z.boolean(),
    reason: z.string(),
  })
  .meta({ id: 'Orphan' });

const searchSchema = z
  .object({
    target_id: z.string(),
    searched_at: z.iso
      .datetime()
      .nullable()
      .describe('Null: they were not looked for yet, and `why` says what begins it.'),
    complete: z.boolean().describe('Every store was read whole, and nothing changed under the reading.'),
    why: z.string().nullable(),
    total: z.number().int(),
    total_bytes: z.number(),
    items: z.array(orphanSchema),
  })
  .meta({ id: 'OrphanSearch' });
export type OrphanSearchBody = z.infer<typeof searchSchema>;

const shape = ({ targetId, atMs, complete, why, findings }: OrphanSearch): OrphanSearchBody => ({
  target_id: targetId,
  searched_at: isoInstant(atMs),
  ...{ complete, why },
  total: findings.reduce((sum, { count }) => sum + count, 0),
  total_bytes: orphanBytes(findings),
  items: findings.map(({ targetId: _, examples, ...one }) => ({ ...one, examples: [...examples] })),
});

const notYet = (targetId: string): OrphanSearchBody => ({
  ...{ target_id: targetId, searched_at: null, complete: false, total: 0, total_bytes: 0, items: [] },
  why: 'Orphans were not looked for yet. Look now, or wait for the look of each hour.',
});

/** What lies in the stores of a target and belongs to nothing any more. */
export const orphanRoutes =
  (deps: { orphans: OrphanSearches; targetIds: readonly string[]; operations: Operations }): RoutePlugin =>
  async (app) => {
    const { orphans, operations } = deps;
    const requireTarget = (id: string): string => {
      if (deps.targetIds.includes(id)) return id;
      throw new AppError(
        'target/unknown',
        `There is no target ${JSON.stringify(id.slice(0, 100))}. \`ragwarden target list\` shows them.`,
      );
    };
    const params = z.object({ id: z.string().max(20_000) });

    app.get(
      '/api/v1/targets/:id/orphans',
      {
        config: { access: 'admin', activity: 'read orphans', problems: ['target/unknown'] },
        schema: {
          tags: ['targets'],
          summary: 'What belongs to nothing any more, as the last search found it',
          params,
          response: { 200: searchSchema },
        },
      },
      async (request) => {
        const targetId = requireTarget(request.params.id);
        const found = await orphans.last(targetId);
        return found ? shape(found) : notYet(targetId);
      },
    );

    app.post(
      '/api/v1/targets/:id/orphans/search',
      {
        config: { access: 'admin', activity: 'search orphans', problems: ['target/unknown', 'operation/busy'] },
        schema: { tags: ['targets'], summary: 'Look for orphans now', params, response: operationAnswers },
      },
      async (request, reply) => {
        const targetId = requireTarget(request.params.id);
        const operation = await operations.start({
          kind: 'target.find-orphans',
          targetId,
          exclusive: false,
          input: {},
          requestedBy: request.principal?.subject ?? 'unknown',
          idempotency: idempotencyOf(request),
          run: async (context) => {
            await context.phase('searching');
            const found = await orphans.searchNow(targetId, context.signal);
            if (!found) throw new AppError('target/unknown', `There is no target "${targetId}".`);
            return shape(found);
          },
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );
  };
