import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ModelProvider, ModelProviderHalf } from '../../config/index.ts';
import {
  idempotencyOf,
  type Operation,
  type Operations,
  operationAnswers,
  operationBody,
  preferredWait,
} from '../../operations/index.ts';
import { AppError, type ErrorCode, errorCatalogue } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import type { SwitchOutcome } from './provider.ts';
import type { ProviderSwitch, SwitchTarget } from './provider-switch.ts';

const halfSchema = z.object({
  binding: z.string(),
  model: z.string(),
  host: z.string(),
  has_key: z.boolean().describe('A key is named for it; it is never shown.'),
  dimension: z.number().int().nullable().describe('Of the vectors, where the settings say it.'),
  check: z.enum(['list', 'call', 'none']),
});
const configSchema = z.object({ llm: halfSchema.nullable(), embedding: halfSchema.nullable() });
const providerSchema = configSchema.extend({
  provider: z.string(),
  current: z.boolean().nullable().describe('Null: nobody can tell what the backend asks.'),
});
export type ProviderBody = z.infer<typeof providerSchema>;

const switchedSchema = z.object({
  success: z.boolean().describe('False: the backend was not switched; `message` says why, and what stands now.'),
  previous_provider: z.string().nullable(),
  current_provider: z.string().nullable(),
  message: z.string(),
  validation_result: z.object({
    valid: z.boolean(),
    checks: z.array(
      z.object({
        of: z.enum(['llm', 'embedding']),
        status: z.enum(['passed', 'failed', 'skipped']),
        message: z.string(),
      }),
    ),
  }),
  provider_config: configSchema,
  revision: z.number().int().nullable().describe('Of the tuning; null: everything was so already, or is again.'),
});
export type ProviderSwitchBody = z.infer<typeof switchedSchema>;

const shapeHalf = (half: (ModelProviderHalf & { dimension?: number | undefined }) | undefined) =>
  half === undefined
    ? null
    : {
        ...{ binding: half.binding, model: half.model, host: half.host, has_key: half.key !== undefined },
        dimension: half.dimension ?? null,
        check: half.check?.look ?? ('none' as const),
      };
const shapeConfig = (provider: ModelProvider | undefined): z.infer<typeof configSchema> => ({
  llm: shapeHalf(provider?.llm),
  embedding: shapeHalf(provider?.embedding),
});

const greatestWaitMs = 600_000;

/** The providers that the backend can be switched to, and switching it: at the paths and with the fields of document 002. */
export const providerRoutes =
  (deps: {
    providers(): readonly ModelProvider[];
    readonly switching: ProviderSwitch;
    readonly operations: Operations;
    readonly targets: readonly SwitchTarget[];
  }): RoutePlugin =>
  async (app) => {
    const { switching, operations, targets } = deps;
    const tags = ['tuning'];
    const requireTarget = (id: string | undefined): SwitchTarget => {
      const found = id === undefined ? targets[0] : targets.find((one) => one.id === id);
      if (found) return found;
      throw new AppError(
        'target/unknown',
        id === undefined ? 'No target is configured.' : `There is no target "${id}".`,
      );
    };

    app.get(
      '/api/v1/tuning/providers',
      {
        config: { access: 'admin', activity: 'tuning.providers' },
        schema: {
          tags,
          summary: 'The providers of models that the backend can be switched to, as the settings name them',
          response: { 200: z.object({ items: z.array(providerSchema), next_cursor: z.null() }) },
        },
      },
      async () => {
        const current = (await targets[0]?.currentProvider()) ?? null;
        return {
          items: deps.providers().map((one) => ({
            provider: one.id,
            current: current === null ? null : one.id === current,
            ...shapeConfig(one),
          })),
          next_cursor: null,
        };
      },
    );

    for (const url of ['/api/system/provider/switch', '/api/provider/switch'] as const)
      app.post(
        url,
        {
          config: {
            access: 'admin',
            activity: 'tuning.provider-switch',
            problems: ['target/unknown', 'conflict/state', 'conflict/confirmation-required', 'operation/busy'],
          },
          schema: {
            tags,
            summary: 'Have the backend ask another provider of models, and put everything back when that fails',
            description:
              'Looks at the new provider, writes the environment file, restarts the backend, looks again. Answers when it is over; with `Prefer: wait=N` after N seconds at most, then with the operation that goes on. Another embedding than the index has needs `confirm`, and a recovery point is taken first.',
            body: z.strictObject({
              provider: z
                .string()
                .min(1)
                .max(100)
                .describe('An id of `tuning.providers`, such as `ollama` or `google_gemini`.'),
              target_id: z.string().max(200).optional().describe('The only target when left out.'),
              confirm: z.boolean().default(false),
            }),
            response: { 200: switchedSchema, 202: operationAnswers[202] },
          },
        },
        async (request, reply) => {
          const { provider, target_id: id, confirm } = request.body;
          const begun = await switching.begin(requireTarget(id), {
            ...{ provider, confirm, requestedBy: request.principal?.subject ?? 'unknown' },
            idempotency: idempotencyOf(request),
          });
          const gone = new AbortController();
          reply.raw.once('close', () => gone.abort());
          const ended = await endOf(request, begun, gone.signal);
          if (ended === undefined) {
            reply.code(202).header('location', `/api/v1/operations/${begun.id}`);
            return operationBody(await operations.require(begun.id));
          }
          return shapeSwitched(ended, deps.providers());
        },
      );

    /** Undefined while it goes on. */
    const endOf = async (
      request: FastifyRequest,
      begun: Operation,
      signal: AbortSignal,
    ): Promise<Operation | undefined> => {
      const waitSeconds = preferredWait(request.headers.prefer);
      const timeoutMs = waitSeconds === undefined ? greatestWaitMs : waitSeconds * 1_000;
      const ended = await operations.wait(begun.id, { timeoutMs, signal });
      return ended.state === 'running' ? undefined : ended;
    };
  };

/** @throws AppError what ended the operation otherwise than with an outcome */
function shapeSwitched(
  { result, error, state, input }: Operation,
  providers: readonly ModelProvider[],
): ProviderSwitchBody {
  if (state !== 'succeeded')
    throw new AppError(
      error !== null && error.code in errorCatalogue ? (error.code as ErrorCode) : 'conflict/state',
      error?.detail ?? `The switch ended as ${state}.`,
    );
  const { success, previousProvider, currentProvider, message, looked, revision } = result as SwitchOutcome; // as `begin` returns it
  const { provider } = input as { provider: string }; // as `begin` stores it
  return {
    ...{ success, message, revision },
    previous_provider: previousProvider,
    current_provider: currentProvider,
    validation_result: {
      valid: looked.every(({ status }) => status !== 'failed'),
      checks: looked.map((one) => ({ ...one })),
    },
    provider_config: shapeConfig(providers.find(({ id }) => id === provider)),
  };
}
