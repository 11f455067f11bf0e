import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isoInstantOrNull } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { CacheState, Caches } from './caches.ts';
import { requireActor } from './operation-routes.ts';
import { type ConfigType, configTypes, type Validation } from './validate.ts';

const findingSchema = z.object({
  severity: z.enum(['error', 'warning', 'suggestion']),
  of: z.enum(['ragwarden', 'provider', 'graphrag', 'workspace']),
  place: z.string().describe('File and line, variable, or key.'),
  message: z.string(),
  mend: z.string(),
});

const validationSchema = z.object({
  valid: z.boolean(),
  config_type: z.enum(configTypes),
  strict_mode: z.boolean(),
  errors: z.array(z.string()),
  warnings: z.array(z.string()),
  suggestions: z.array(z.string()),
  validated_config: z.record(z.string(), z.string()).nullable().describe('Of the backend; secrets as ***.'),
  validation_details: z.object({
    findings: z.array(findingSchema),
    files: z.array(z.object({ file: z.string(), read: z.boolean() })),
  }),
});

const cacheSchema = z.object({
  id: z.string(),
  about: z.string(),
  consequence: z.string().describe('What clearing it costs.'),
  confirm_needed: z.boolean(),
  size_bytes: z.number().nullable().describe('Null: nobody can tell.'),
  entries: z.number().int().nullable(),
  last_cleared: z.iso.datetime().nullable(),
});

const statsSchema = z.object({
  total_size_bytes: z.number().describe('Of those whose size is known.'),
  total_files: z.number().int(),
  cache_hit_rate: z.null().describe('Nobody counts hits.'),
  last_cleared: z.iso.datetime().nullable(),
  cache_types: z.array(z.string()),
  namespaces: z.record(z.string(), cacheSchema),
});

const clearedSchema = z.object({
  success: z.boolean(),
  message: z.string(),
  files_cleared: z.number().int(),
  bytes_freed: z.number(),
  namespace: z.null(),
  cache_types_cleared: z.array(z.string()),
  results: z.array(
    z.object({
      id: z.string(),
      bytes_freed: z.number().nullable(),
      entries_cleared: z.number().int().nullable(),
      error: z.string().nullable(),
    }),
  ),
});

const clearOptions = z.object({
  cache_types: z
    .string()
    .max(1_000)
    .optional()
    .describe('Ids, separated by commas; unless told, every cache that costs nothing dear.'),
  confirm: z.stringbool().default(false).describe('The consequence was read.'),
});

/** The configuration and the caches, at the paths of document 002. */
export const systemRoutes =
  (deps: {
    caches: Caches;
    /** Audited where it is done. */
    validate(options: { type: ConfigType; strict: boolean }): Promise<Validation>;
  }): RoutePlugin =>
  async (app) => {
    const { caches, validate } = deps;
    const tags = ['system'];

    app.post(
      '/api/system/config/validate',
      {
        config: { access: 'admin', activity: 'system.validate', onlyLooks: true },
        schema: {
          tags,
          summary: 'Look at the settings of ragwarden and of the backend as they are written; changes nothing',
          querystring: z.object({
            config_type: z.enum(configTypes).default('all'),
            strict_mode: z.stringbool().default(false).describe('Warnings count as errors.'),
          }),
          response: { 200: validationSchema },
        },
      },
      async ({ query: { config_type: type, strict_mode: strict } }) =>
        shapeValidation(await validate({ type, strict }), type, strict),
    );

    for (const url of ['/api/system/cache/stats', '/api/system/cache/statistics'] as const)
      app.get(
        url,
        {
          config: { access: 'admin', activity: 'system.caches' },
          schema: {
            tags,
            summary: 'What may be cleared, how much it is, and what that would cost',
            response: { 200: statsSchema },
          },
        },
        async () => shapeStats(await caches.list()),
      );

    const clear = async (request: FastifyRequest, query: z.infer<typeof clearOptions>) => {
      const left = new AbortController();
      request.raw.once('close', () => left.abort());
      const cleared = await caches.clear({
        ids: query.cache_types?.split(',').map((id) => id.trim()),
        confirm: query.confirm,
        actor: requireActor(request.principal),
        signal: left.signal,
      });
      const failed = cleared.filter(({ error }) => error !== null);
      return {
        success: failed.length === 0,
        message:
          failed.length > 0
            ? `Not cleared: ${failed.map(({ id, error }) => `${id} (${error})`).join(', ')}.`
            : `Cleared: ${cleared.map(({ id }) => id).join(', ') || 'nothing'}.`,
        files_cleared: cleared.reduce((sum, one) => sum + (one.entriesCleared ?? 0), 0),
        bytes_freed: cleared.reduce((sum, one) => sum + (one.bytesFreed ?? 0), 0),
        namespace: null,
        cache_types_cleared: cleared.filter(({ error }) => error === null).map(({ id }) => id),
        results: cleared.map(({ id, bytesFreed, entriesCleared, error }) => ({
          id,
          bytes_freed: bytesFreed,
          entries_cleared: entriesCleared,
          error,
        })),
      };
    };
    const clearing = {
      config: {
        access: 'admin',
        activity: 'system.clear-caches',
        problems: ['conflict/confirmation-required'],
      },
      schema: {
        tags,
        summary: 'Clear caches',
        description: 'One that costs something dear is cleared only when it is named and `confirm` is sent.',
        querystring: clearOptions,
        response: { 200: clearedSchema },
      },
    } as const;
    app.post(
      '/api/system/cache/clear',
      { ...clearing, config: { ...clearing.config, problems: [...clearing.config.problems] } },
      async (request) => clear(request, request.query),
    );
    app.delete(
      '/api/system/cache',
      { ...clearing, config: { ...clearing.config, problems: [...clearing.config.problems] } },
      async (request) => clear(request, request.query),
    );
  };

function shapeValidation(found: Validation, type: ConfigType, strict: boolean): z.infer<typeof validationSchema> {
  const of = (severity: string): string[] =>
    found.findings
      .filter((one) => one.severity === severity)
      .map(({ place, message, mend }) => `${place}: ${message}. ${mend}`);
  return {
    valid: found.valid,
    config_type: type,
    strict_mode: strict,
    errors: of('error'),
    warnings: of('warning'),
    suggestions: of('suggestion'),
    validated_config: found.values === null ? null : { ...found.values },
    validation_details: { findings: [...found.findings], files: [...found.files] },
  };
}

function shapeStats(caches: readonly CacheState[]): z.infer<typeof statsSchema> {
  const last = Math.max(0, ...caches.map(({ lastClearedMs }) => lastClearedMs ?? 0));
  return {
    total_size_bytes: caches.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
    total_files: caches.reduce((sum, { entries }) => sum + (entries ?? 0), 0),
    cache_hit_rate: null,
    last_cleared: isoInstantOrNull(last === 0 ? null : last),
    cache_types: caches.map(({ id }) => id),
    namespaces: Object.fromEntries(
      caches.map((one) => [
        one.id,
        {
          id: one.id,
          about: one.about,
          consequence: one.consequence,
          confirm_needed: one.dear,
          size_bytes: one.bytes,
          entries: one.entries,
          last_cleared: isoInstantOrNull(one.lastClearedMs),
        },
      ]),
    ),
  };
}
