import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { requireFeature } from '../applicability.ts';
import type { Target } from '../target.ts';
import type { Canary, CanaryReport } from './canary.ts';
import { canaryVerdicts } from './canary-verdict.ts';

const canaryBody = z
  .object({
    target_id: z.string(),
    workspace: z.string(),
    question: z.string(),
    expected: z.string(),
    mode: z.string(),
    can_plant: z.boolean(),
    verdict: z.enum(canaryVerdicts).nullable(),
    message: z.string().nullable(),
    asked_at: z.string().nullable(),
    latency_ms: z.number().nullable(),
    since: z.string().nullable(),
    last_passed_at: z.string().nullable(),
    index_dimension: z.number().nullable(),
    embedding_dimension: z.number().nullable(),
  })
  .meta({ id: 'Canary' });
export type CanaryBody = z.infer<typeof canaryBody>;

const shape = ({ settings, last, ...report }: CanaryReport): z.input<typeof canaryBody> => ({
  target_id: report.targetId,
  workspace: report.workspace,
  question: settings.question,
  expected: settings.expected,
  mode: settings.mode,
  can_plant: settings.document !== undefined,
  verdict: last?.verdict ?? null,
  message: last?.message ?? null,
  asked_at: last ? isoInstant(last.atMs) : null,
  latency_ms: last?.latencyMs ?? null,
  since: isoInstantOrNull(report.sinceMs),
  last_passed_at: isoInstantOrNull(report.lastPassedMs),
  index_dimension: last?.dimensions.index ?? null,
  embedding_dimension: last?.dimensions.embedding ?? null,
});

/** The question whose answer is known: how it went, and asking or planting now. */
export const canaryRoutes =
  (deps: {
    canaries: readonly Canary[];
    targets: readonly Pick<Target, 'id' | 'kind'>[];
    operations: Operations;
  }): RoutePlugin =>
  async (app) => {
    const params = z.object({ id: z.string().max(20_000) });
    const query = z.strictObject({
      workspace: z.string().max(200).optional().describe('Default: the one that the target itself serves.'),
    });
    const require = (id: string, workspace: string | undefined): Canary => {
      const target = deps.targets.find((one) => one.id === id);
      if (!target)
        throw new AppError(
          'target/unknown',
          `There is no target ${JSON.stringify(id.slice(0, 100))}. \`ragwarden target list\` shows them.`,
        );
      requireFeature(target, 'canary');
      const ofTarget = deps.canaries.filter((one) => one.place.targetId === id);
      const found = workspace === undefined ? ofTarget[0] : ofTarget.find((one) => one.place.workspace === workspace);
      if (!found && ofTarget.length > 0)
        throw new AppError('request/not-found', `${id} has no workspace ${JSON.stringify(workspace)} that is watched.`);
      if (!found)
        throw new AppError(
          'feature/disabled',
          'There is no canary: set `target.canary.question` and `target.canary.expected`.',
        );
      return found;
    };
    const problems = ['target/unknown', 'target/not-applicable', 'feature/disabled', 'request/not-found'] as const;

    app.get(
      '/api/v1/targets/:id/canary',
      {
        config: { access: 'admin', activity: 'read canary', problems },
        schema: {
          tags: ['targets'],
          summary: 'How the question whose answer is known was answered last',
          params,
          querystring: query,
          response: { 200: canaryBody },
        },
      },
      async (request) => shape(require(request.params.id, request.query.workspace).report()),
    );

    app.post(
      '/api/v1/targets/:id/canary/run',
      {
        config: {
          access: 'admin',
          activity: 'ask the canary',
          onlyLooks: true,
          problems: [...problems, 'target/unreachable'],
        },
        schema: { tags: ['targets'], summary: 'Ask it now', params, querystring: query, response: { 200: canaryBody } },
      },
      async (request) => {
        const canary = require(request.params.id, request.query.workspace);
        await canary.check();
        return shape(canary.report());
      },
    );

    app.post(
      '/api/v1/targets/:id/canary/plant',
      {
        config: { access: 'admin', activity: 'plant the canary', problems: [...problems, 'operation/busy'] },
        schema: {
          tags: ['targets'],
          summary: 'Put its document into the backend, wait until it is processed, and ask',
          params,
          querystring: query,
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await require(request.params.id, request.query.workspace).plant({
          requestedBy: request.principal?.subject ?? 'unknown',
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(deps.operations, request, reply, operation);
      },
    );
  };
