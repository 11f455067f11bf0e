import { z } from 'zod';
import { idempotencyOf, type Operation, type Operations } from '../operations/index.ts';
import { isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Cleanup } from './cleanup.ts';
import type { WorkspaceLimits } from './strategies/workspaces.ts';
import type { WorkspaceStats } from './workspace-stats.ts';

export type WorkspaceRoutesDeps = {
  readonly cleanup: Cleanup;
  readonly operations: Operations;
  /** @throws AppError `target/unknown`, `cleanup/workspace-busy` */
  requireIdle(workspace: string): Promise<void>;
  settings(): WorkspaceLimits & { readonly enabled: boolean; readonly intervalMs: number };
  stats(): Promise<WorkspaceStats>;
  isRunning(): boolean;
  readonly enabled: boolean;
};

const tags = ['cleanup'];
/** A rename takes moments; what takes longer goes on and can be followed. */
const waitMs = 30_000;

const outcomeSchema = z.object({
  success: z.boolean(),
  message: z.string(),
  workspace_id: z.string().nullable(),
  operation_id: z.string(),
});
const outcomeOf = (operation: Operation, workspace: string | null): z.infer<typeof outcomeSchema> => {
  const result = z.object({ message: z.string(), cleaned: z.number() }).safeParse(operation.result);
  return {
    success: operation.state === 'succeeded' && (workspace === null || (result.success && result.data.cleaned > 0)),
    message: result.success ? result.data.message : (operation.error?.detail ?? 'It goes on; follow the operation.'),
    ...{ workspace_id: workspace, operation_id: operation.id },
  };
};

/** Workspaces that are past their time, idle or too large, under the paths that a graph API has for them. */
export const workspaceRoutes =
  (deps: WorkspaceRoutesDeps): RoutePlugin =>
  async (app) => {
    const { cleanup, operations } = deps;
    app.addHook('onRequest', async (request) => {
      if (!deps.enabled && request.principal && request.method !== 'GET')
        throw new AppError(
          'feature/disabled',
          'Cleanup is switched off by RAGWARDEN_CLEANUP_ENABLED (cleanup.enabled).',
        );
    });
    const ended = async (operation: Operation): Promise<Operation> =>
      operations.wait(operation.id, { timeoutMs: waitMs });

    app.post(
      '/api/workspaces/:workspace_id/cleanup',
      {
        config: {
          access: 'admin',
          activity: 'workspaces.cleanup',
          problems: ['target/unknown', 'cleanup/workspace-busy', 'operation/busy', 'feature/disabled'],
          headers: ['idempotency-key'],
        },
        schema: {
          tags,
          summary: 'Clean up one workspace',
          description:
            'It goes into the quarantine whole. Forced, its age and size do not matter; what is in use is refused all the same.',
          params: z.object({
            workspace_id: z
              .string()
              .regex(/^([a-z0-9][a-z0-9-]{0,62}:)?[A-Za-z0-9_]{1,64}$/, 'is `workspace` or `target:workspace`'),
          }),
          querystring: z.object({ force: z.stringbool().optional() }),
          response: { 200: outcomeSchema },
        },
      },
      async (request) => {
        const workspace = request.params.workspace_id;
        await deps.requireIdle(workspace);
        const operation = await cleanup.run(
          { strategy: 'workspaces', params: { workspace, force: request.query.force ?? false } },
          { requestedBy: request.principal?.subject ?? 'unknown', idempotency: idempotencyOf(request) },
        );
        return outcomeOf(await ended(operation), workspace);
      },
    );

    app.post(
      '/api/workspaces/cleanup/run',
      {
        config: {
          access: 'admin',
          activity: 'workspaces.cleanup-run',
          problems: ['operation/busy', 'feature/disabled'],
          headers: ['idempotency-key'],
        },
        schema: {
          tags,
          summary: 'Clean up every workspace that is past its time, idle or too large',
          response: { 200: outcomeSchema },
        },
      },
      async (request) => {
        const operation = await cleanup.run(
          { strategy: 'workspaces', params: {} },
          { requestedBy: request.principal?.subject ?? 'unknown', idempotency: idempotencyOf(request) },
        );
        return outcomeOf(await ended(operation), null);
      },
    );

    app.get(
      '/api/workspaces/cleanup/stats',
      {
        config: { access: 'admin', activity: 'workspaces.cleanup-stats' },
        schema: {
          tags,
          summary: 'What became of workspaces, and by which settings',
          response: {
            200: z.object({
              total_cleanups: z.number().int(),
              expired_cleaned: z.number().int(),
              idle_cleaned: z.number().int(),
              size_cleaned: z.number().int(),
              forced_cleaned: z.number().int(),
              errors: z.number().int(),
              last_cleanup: z.iso.datetime().nullable(),
              running: z.boolean().describe('Whether it happens by itself.'),
              settings: z.object({
                cleanup_enabled: z.boolean(),
                cleanup_interval_minutes: z.number(),
                ttl_hours: z.number(),
                max_idle_hours: z.number(),
                max_size_mb: z.number(),
                grace_period_minutes: z.number(),
              }),
            }),
          },
        },
      },
      async () => {
        const seen = await deps.stats();
        const limits = deps.settings();
        return {
          ...{ total_cleanups: seen.total, expired_cleaned: seen.expired, idle_cleaned: seen.idle },
          ...{ size_cleaned: seen.size, forced_cleaned: seen.forced, errors: seen.errors },
          ...{ last_cleanup: isoInstantOrNull(seen.lastMs), running: deps.isRunning() },
          settings: {
            ...{ cleanup_enabled: limits.enabled, cleanup_interval_minutes: limits.intervalMs / 60_000 },
            ...{ ttl_hours: limits.ttlMs / 3_600_000, max_idle_hours: limits.idleMs / 3_600_000 },
            ...{ max_size_mb: limits.bytes / 1_048_576, grace_period_minutes: limits.graceMs / 60_000 },
          },
        };
      },
    );
  };
