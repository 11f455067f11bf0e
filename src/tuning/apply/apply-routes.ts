import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import { AppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { consequenceSchema, shapeConsequence } from '../tuning-bodies.ts';
import type { Apply, ApplyTarget, FullPlan } from './apply.ts';

const planSchema = z.object({
  target_id: z.string(),
  environment_file: z.string().nullable().describe('Of GraphRAG its settings.yaml. Null: nobody said where it is.'),
  changes: z.array(
    z.object({
      parameter: z.string(),
      variable: z.string().describe('Or the path in settings.yaml.'),
      before: z.string().nullable().describe('As it stands there; null: it does not.'),
      after: z
        .string()
        .nullable()
        .describe('Null: it was written here, nobody wants it any more, and nothing stood there before.'),
    }),
  ),
  consequences: z.array(consequenceSchema),
  takes_point: z.boolean().describe('A recovery point is taken first.'),
  restart: z.object({
    automatic: z.boolean().describe('False: an operator has to stop and start the backend; the operation waits.'),
    stop: z.string(),
    start: z.string(),
  }),
  blockers: z.array(z.string()),
});
export type ApplyPlanBody = z.infer<typeof planSchema>;

const shapePlan = (targetId: string, plan: FullPlan): ApplyPlanBody => ({
  target_id: targetId,
  environment_file: plan.file ?? null,
  changes: plan.changes.map((one) => ({ ...one })),
  consequences: plan.consequences.map(shapeConsequence),
  takes_point: plan.consequences.some(({ destructive }) => destructive),
  restart: { ...plan.restart },
  blockers: [...plan.blockers],
});

const targetId = z.string().max(200).optional().describe('The only target when left out.');

/** What would be written into the backend's environment file, and doing it. */
export const applyRoutes =
  (deps: {
    readonly apply: Apply;
    readonly operations: Operations;
    readonly targets: readonly ApplyTarget[];
  }): RoutePlugin =>
  async (app) => {
    const { apply, operations, targets } = deps;
    const tags = ['tuning'];
    const requireTarget = (id: string | undefined): ApplyTarget => {
      const found = id === undefined ? targets[0] : targets.find((one) => one.id === id);
      if (found) return found;
      throw new AppError(
        'target/unknown',
        id === undefined
          ? 'No target is configured.'
          : `There is no target "${id}". \`ragwarden target list\` shows them.`,
      );
    };

    app.get(
      '/api/v1/tuning/plan',
      {
        config: { access: 'admin', activity: 'tuning.plan', problems: ['target/unknown', 'conflict/state'] },
        schema: {
          tags,
          summary:
            'What applying would write, what it does to the index, and who restarts the backend; changes nothing',
          querystring: z.object({ target_id: targetId }),
          response: { 200: planSchema },
        },
      },
      async (request) => {
        const target = requireTarget(request.query.target_id);
        return shapePlan(target.id, await apply.plan(target));
      },
    );

    app.post(
      '/api/v1/tuning/apply',
      {
        config: {
          access: 'admin',
          activity: 'tuning.apply',
          problems: [
            ...(['target/unknown', 'conflict/state', 'conflict/confirmation-required', 'operation/busy'] as const),
          ],
        },
        schema: {
          tags,
          summary: "Write what somebody set into the backend's environment file and restart it",
          description:
            'The operation waits until the backend is healthy and confirms what it runs with. When it does not become healthy, the file is put back and the backend started with what it had. What would ruin the index needs `confirm`, and a recovery point is taken first.',
          body: z.strictObject({ target_id: targetId, confirm: z.boolean().default(false) }),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const { target_id: id, confirm } = request.body;
        const idempotency = idempotencyOf(request);
        const operation = await apply.begin(requireTarget(id), {
          requestedBy: request.principal?.subject ?? 'unknown',
          confirm,
          ...(idempotency === undefined ? {} : { idempotency }),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );
  };
