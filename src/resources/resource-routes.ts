import { z } from 'zod';
import type { EventRecorder } from '../events/index.ts';
import { isoInstantOrNull } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Claims, ResourceQuota } from './claims.ts';
import { leakSeverities } from './leak.ts';
import { type ObservedLeakBody, observedLeakSchema } from './observed/observed-bodies.ts';
import { type Resource, resourceStatuses, resourceTypes } from './resource.ts';
import {
  leakBody,
  leakSchema,
  newResource,
  newResourceSchema,
  releaseSchema,
  resourceBody,
  resourceSchema,
  type Surroundings,
  summaryBody,
  summarySchema,
  touchSchema,
} from './resource-bodies.ts';
import type { ResourceRegistry } from './resource-registry.ts';

export type ResourceRouteDeps = {
  readonly resources: ResourceRegistry;
  /** Registering and growing ask the quotas. */
  readonly claims: Pick<Claims, 'register' | 'touch'>;
  readonly quota: Pick<ResourceQuota, 'violations'>;
  mostTracked(): number;
  surroundings(): Surroundings;
  /** What is seen from outside; undefined while nothing is looked at. */
  observed(): readonly ObservedLeakBody[] | undefined;
  /** Where the audit trail is. */
  readonly db: Pick<Database, 'unit'>;
  readonly events: Pick<EventRecorder, 'audit'>;
};

const base = '/api/v1/metrics/resources';
const mostRegistrars = 1_000;
const rankOf = ({ level, severity }: ObservedLeakBody): number =>
  (level === 'confirmed' ? leakSeverities.length : 0) + leakSeverities.indexOf(severity);
/** Where a list goes on, as `next_cursor` told it. */
const place = z
  .string()
  .regex(/^\d{1,15}$/, 'is the `next_cursor` of a page before')
  .optional();
const ofOne = z.object({ resource_id: z.string().min(1).max(300) });
const milliseconds = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1_000;

/** What programs hold, told by themselves; and which of it nobody seems to hold any more. */
export const resourceRoutes =
  (deps: ResourceRouteDeps): RoutePlugin =>
  async (app) => {
    const { resources } = deps;
    const tags = ['resources'];
    /** Whoever ends or first uses what another registered is told in the trail. */
    const audit = async (action: string, by: string, one: Resource): Promise<void> => {
      if (by === one.registeredBy) return;
      await deps.db.unit((tx) =>
        deps.events.audit(tx, {
          ...{ actor: by, action, object: one.id, outcome: 'done' },
          data: { resource_type: one.type, owner: one.owner, registered_by: one.registeredBy },
        }),
      );
    };
    /** Programs register by the thousand: each subject's registrations of a type are one entry a minute, which counts them. */
    const registered = new Map<string, { count: number; toldMs: number }>();
    const auditRegistration = async (by: string, one: Resource): Promise<void> => {
      const name = `${by}\u0000${one.type}`;
      const { count, toldMs } = registered.get(name) ?? { count: 0, toldMs: Number.NEGATIVE_INFINITY };
      const nowMs = resources.nowMs();
      if (nowMs - toldMs < 60_000) {
        registered.set(name, { count: count + 1, toldMs });
        return;
      }
      if (registered.size >= mostRegistrars) registered.clear();
      registered.set(name, { count: 0, toldMs: nowMs });
      await deps.db.unit((tx) =>
        deps.events.audit(tx, {
          ...{ actor: by, action: 'resources.register', object: one.id, outcome: 'done' },
          data: { resource_type: one.type, owner: one.owner, registered_since_the_last_entry: count + 1 },
        }),
      );
    };
    const subjectOf = (principal: { readonly subject: string } | undefined): string => principal?.subject ?? 'unknown';

    app.post(
      base,
      {
        config: {
          access: 'service',
          activity: 'resources.register',
          problems: ['resource/too-many', 'conflict/state', 'quota/exceeded', 'quota/unavailable'],
        },
        schema: {
          tags,
          summary: 'Register a resource',
          description:
            'Kept in memory: a restart of ragwarden forgets it, and calls about it then answer 404. The same id once more, of the same type and owner, is a sign of life and takes over what is told now. Each quota of its type is asked, the owner as its user: memory counts its `size_bytes`, everything else as one; a quota that never begins anew has it back when the resource is gone.',
          body: newResourceSchema,
          response: { 200: resourceSchema, 201: resourceSchema },
        },
      },
      async ({ body, principal }, reply) => {
        const by = subjectOf(principal);
        const { resource, created } = await deps.claims.register(newResource(body), by);
        if (created) await auditRegistration(by, resource);
        return reply.code(created ? 201 : 200).send(resourceBody(resource));
      },
    );

    app.get(
      base,
      {
        config: { access: 'service', activity: 'resources.list' },
        schema: {
          tags,
          summary: 'Resources in the order of their registration',
          querystring: z.object({
            resource_type: z.enum(resourceTypes).optional(),
            status: z.enum(resourceStatuses).optional().describe('`cleaned_up`: the last thousand that were released.'),
            owner: z.string().max(200).optional(),
            workspace_id: z.string().max(200).optional(),
            cursor: place,
            limit: z.coerce.number().int().min(1).max(1_000).default(100),
          }),
          response: { 200: z.object({ items: z.array(resourceSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async ({ query }) => {
        const { resource_type: type, status, owner, workspace_id: workspaceId, cursor, limit } = query;
        const found = resources.list({
          type,
          status,
          owner,
          workspaceId,
          afterSeq: Number(cursor ?? 0),
          limit: limit + 1,
        });
        const page = found.slice(0, limit);
        const last = page.at(-1);
        return {
          items: page.map(resourceBody),
          next_cursor: found.length > limit && last ? String(last.seq) : null,
        };
      },
    );

    app.get(
      `${base}/summary`,
      {
        config: { access: 'service', activity: 'resources.summary' },
        schema: { tags, summary: 'Resources and leaks in numbers', response: { 200: summarySchema } },
      },
      async () => {
        const seen = deps.observed();
        const of = (level: ObservedLeakBody['level']): number => seen?.filter((one) => one.level === level).length ?? 0;
        const observed = seen === undefined ? null : { suspected: of('suspected'), confirmed: of('confirmed') };
        return summaryBody(resources.totals(), {
          ...{ maxTracked: deps.mostTracked(), around: deps.surroundings(), observed },
          violations: await deps.quota.violations(),
        });
      },
    );

    app.get(
      `${base}/leaks`,
      {
        config: { access: 'service', activity: 'resources.leaks' },
        schema: {
          tags,
          summary: 'Resources without a live owner, the gravest first',
          description:
            '`items` are of what programs told, as of `checked_at`; `observed` are of processes and servers seen from outside.',
          querystring: z.object({
            severity: z.enum(leakSeverities).optional(),
            limit: z.coerce.number().int().min(1).max(100).default(50),
            cursor: place,
          }),
          response: {
            200: z.object({
              items: z.array(leakSchema),
              next_cursor: z.string().nullable(),
              total: z.number().int().describe('Before the limit.'),
              checked_at: z.iso.datetime().nullable(),
              observed: z.array(observedLeakSchema).describe('All of them, confirmed ones first.'),
            }),
          },
        },
      },
      async ({ query: { severity, limit, cursor } }) => {
        const first = Number(cursor ?? 0);
        const found = resources.leaks(severity);
        const nowMs = resources.nowMs();
        return {
          items: found.slice(first, first + limit).map((leak) => leakBody(leak, nowMs)),
          next_cursor: first + limit < found.length ? String(first + limit) : null,
          total: found.length,
          checked_at: isoInstantOrNull(resources.totals().checkedAtMs),
          observed: (deps.observed() ?? [])
            .filter((leak) => severity === undefined || leak.severity === severity)
            .sort((a, b) => rankOf(b) - rankOf(a)),
        };
      },
    );

    app.get(
      `${base}/:resource_id`,
      {
        config: { access: 'service', activity: 'resources.get', problems: ['resource/unknown'] },
        schema: { tags, summary: 'One resource', params: ofOne, response: { 200: resourceSchema } },
      },
      async ({ params }) => resourceBody(resources.require(params.resource_id)),
    );

    app.post(
      `${base}/:resource_id/access`,
      {
        config: { access: 'service', activity: 'resources.access', problems: ['resource/unknown'] },
        schema: { tags, summary: 'Tell that it is used', params: ofOne, response: { 200: resourceSchema } },
      },
      async ({ params, principal }) => {
        const by = subjectOf(principal);
        const { resource, stranger } = resources.access(params.resource_id, by);
        if (stranger) await audit('resources.access', by, resource);
        return resourceBody(resource);
      },
    );

    app.post(
      `${base}/:resource_id/touch`,
      {
        config: {
          access: 'service',
          activity: 'resources.touch',
          problems: ['resource/unknown', 'quota/exceeded', 'quota/unavailable'],
        },
        schema: {
          tags,
          summary: 'Give a sign of life, which is no use of it',
          description: 'Renews its lease. 404 tells to register it again.',
          params: ofOne,
          body: touchSchema,
          response: { 200: resourceSchema },
        },
      },
      async ({ params, body }) => {
        const { size_bytes: sizeBytes, ttl_seconds: ttl, lease_seconds: lease } = body;
        const change = { sizeBytes, ttlMs: milliseconds(ttl), leaseMs: milliseconds(lease) };
        return resourceBody(await deps.claims.touch(params.resource_id, change));
      },
    );

    app.post(
      `${base}/:resource_id/release`,
      {
        config: { access: 'service', activity: 'resources.release', problems: ['resource/unknown'] },
        schema: {
          tags,
          summary: 'Tell that it was freed, or why it could not be',
          params: ofOne,
          body: releaseSchema,
          response: { 200: resourceSchema },
        },
      },
      async ({ params, body, principal }) => {
        const resource = resources.release(params.resource_id, body.error);
        await audit('resources.release', subjectOf(principal), resource);
        return resourceBody(resource);
      },
    );

    app.delete(
      `${base}/:resource_id`,
      {
        config: { access: 'service', activity: 'resources.unregister', problems: ['resource/unknown'] },
        schema: { tags, summary: 'Forget a resource', params: ofOne, response: { 200: resourceSchema } },
      },
      async ({ params, principal }) => {
        const resource = resources.unregister(params.resource_id);
        await audit('resources.unregister', subjectOf(principal), resource);
        return resourceBody(resource);
      },
    );
  };
