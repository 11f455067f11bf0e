import { z } from 'zod';
import { isoInstantOrNull } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { replicaStatuses } from '../replica.ts';
import { bodyOfReplica, newReplicaBody, replicaBody, replicaChangeBody } from './replication-bodies.ts';
import { admin, below, targetParams as params, type ReplicationRoutesDeps, unknownTarget, who } from './route-deps.ts';

const registers = [
  'request/invalid',
  'repository/invalid-location',
  'conflict/state',
  'outgoing/refused-address',
  'outgoing/failed',
  'target/foreign-path',
] as const;

/** Places that points are copied to: registered, shown, changed, looked at, removed. */
export const targetRoutes =
  (deps: ReplicationRoutesDeps): RoutePlugin =>
  async (app) => {
    const { replication } = deps;
    const { replicas, store } = replication;
    const tags = ['replication'];

    const requireBody = async (id: string): Promise<z.infer<typeof replicaBody>> => {
      await replicas.require(id);
      const { replicas: all, enabled } = await replication.overview();
      const found = all.find(({ replica }) => replica.id === id);
      // It was just there: somebody removed it in between.
      if (!found) throw new AppError(unknownTarget, `The replication target ${id} is gone.`);
      return bodyOfReplica(found, enabled);
    };

    app.get(
      `${below}/targets`,
      {
        config: admin('list replication targets'),
        schema: {
          tags,
          summary: 'Places that recovery points are copied to, and how they are',
          querystring: z.object({ enabled_only: z.enum(['true', 'false']).optional() }),
          response: { 200: z.object({ items: z.array(replicaBody), next_cursor: z.null() }) },
        },
      },
      async (request) => {
        const { replicas: all, enabled } = await replication.overview();
        const only = request.query.enabled_only === 'true';
        const items = all.filter(({ replica }) => !only || replica.enabled).map((one) => bodyOfReplica(one, enabled));
        return { items, next_cursor: null };
      },
    );

    app.post(
      `${below}/targets`,
      {
        config: { ...admin('register replication target'), problems: registers },
        schema: {
          tags,
          summary: 'Register a place that recovery points are copied to',
          body: newReplicaBody,
          response: { 201: replicaBody },
        },
      },
      async (request, reply) => {
        const { body } = request;
        const replica = await replicas.register(
          {
            id: body.target_id,
            name: body.name,
            location: body.location,
            baseUrl: body.base_url,
            credentials: body.api_key === undefined ? body.credentials : { ...body.credentials, API_KEY: body.api_key },
            ...{ zone: body.zone, offline: body.offline, enabled: body.enabled, metadata: body.metadata },
            limitKiB: body.limit_kib_per_second,
            maxConcurrent: body.max_concurrent,
          },
          who(request),
        );
        deps.wake();
        reply.code(201);
        return requireBody(replica.id);
      },
    );

    app.get(
      `${below}/targets/:target_id`,
      {
        config: { ...admin('read replication target'), problems: [unknownTarget] },
        schema: { tags, summary: 'One replication target', params, response: { 200: replicaBody } },
      },
      async (request) => requireBody(request.params.target_id),
    );

    app.patch(
      `${below}/targets/:target_id`,
      {
        config: {
          ...admin('change replication target'),
          problems: [unknownTarget, 'request/invalid', 'conflict/state'],
        },
        schema: {
          tags,
          summary: 'Change a replication target, or hand in new credentials; where it lies stays',
          params,
          body: replicaChangeBody,
          response: { 200: replicaBody },
        },
      },
      async (request) => {
        const { api_key, credentials, limit_kib_per_second, max_concurrent, ...change } = request.body;
        const secrets = api_key === undefined ? credentials : { ...credentials, API_KEY: api_key };
        await replicas.change(
          request.params.target_id,
          { ...change, limitKiB: limit_kib_per_second, maxConcurrent: max_concurrent, credentials: secrets },
          who(request),
        );
        deps.wake();
        return requireBody(request.params.target_id);
      },
    );

    app.delete(
      `${below}/targets/:target_id`,
      {
        config: {
          ...admin('remove replication target'),
          problems: [unknownTarget, 'conflict/state', 'operation/busy'],
        },
        schema: {
          tags,
          summary: 'Copy there no more. What lies there stays',
          params,
          response: { 200: z.object({ status: z.literal('success'), message: z.string() }) },
        },
      },
      async (request) => {
        const { target_id } = request.params;
        await replicas.remove(target_id, who(request));
        deps.wake();
        return {
          status: 'success' as const,
          message: `Nothing more is copied to ${target_id}. What lies there stays.`,
        };
      },
    );

    app.get(
      `${below}/targets/:target_id/health`,
      {
        config: { ...admin('read replication target'), problems: [unknownTarget] },
        schema: {
          tags,
          summary: 'Whether a replication target can be used',
          params,
          querystring: z.object({
            fresh: z.enum(['true', 'false']).optional().describe('`true`: look now, unless somebody works there.'),
          }),
          response: {
            200: z.object({
              target_id: z.string(),
              status: z.enum(replicaStatuses),
              error: z.string().nullable(),
              last_health_check: z.string().nullable(),
            }),
          },
        },
      },
      async (request) => {
        const { target_id } = request.params;
        await replicas.require(target_id);
        const gone = new AbortController();
        request.raw.once('close', () => gone.abort());
        const state =
          request.query.fresh === 'true'
            ? await replication.look(target_id, gone.signal)
            : (await store.states()).get(target_id);
        return {
          target_id,
          status: state?.status ?? 'unknown',
          error: state?.error ?? null,
          last_health_check: isoInstantOrNull(state?.checkedMs),
        };
      },
    );
  };
