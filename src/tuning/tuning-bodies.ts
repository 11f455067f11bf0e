import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import { parameters, promisedParameters } from './catalogue/index.ts';
import type { Consequence } from './consequence.ts';
import type { Drift } from './drift.ts';
import type { EffectiveValue } from './effective.ts';
import { type Parameter, tuningClasses, type ValueKind } from './parameter.ts';
import type { Change, Revision } from './revision.ts';
import { type Watch, watchStates } from './watch/watch-store.ts';

export const valueSchema = z.union([z.number(), z.boolean(), z.string()]);

/** The schema of one parameter's value, with its bounds, for the description of the API. Bodies are judged by our own rules, which tell all. */
function schemaOf({ kind, meaning }: Parameter): z.ZodType<number | boolean | string> {
  const of = (one: ValueKind): z.ZodType<number | boolean | string> => {
    switch (one.type) {
      case 'integer':
        return z.number().int().min(one.least).max(one.most);
      case 'number':
        return z.number().min(one.least).max(one.most);
      case 'boolean':
        return z.boolean();
      case 'choice':
        return z.enum(one.of as [string, ...string[]]);
      case 'text':
        return z.string().min(1).max(one.most);
    }
  };
  return of(kind).describe(meaning);
}

const entries = (of: readonly Parameter[]): Record<string, z.ZodType<number | boolean | string>> =>
  Object.fromEntries(of.map((one) => [one.name, schemaOf(one)]));
const further = parameters.filter((one) => !promisedParameters.some(({ name }) => name === one.name));

/** The six, always; any other that somebody set. */
export const lightragConfigSchema = z
  .object(entries(promisedParameters))
  .extend(Object.fromEntries(Object.entries(entries(further)).map(([name, schema]) => [name, schema.optional()])))
  .describe('The six parameters that were promised, always; further ones of the backend where somebody set them.');

export type LightragConfigBody = {
  chunk_size: number;
  graph_traversal_depth: number;
  cache_enabled: boolean;
  cache_size: number;
  vector_dimension: number;
  max_token_size: number;
  [further: string]: number | boolean | string;
};

export const valuesBody = z
  .record(z.string().min(1).max(100), z.union([valueSchema, z.null()]))
  .refine((body) => Object.keys(body).length <= 200, 'holds more than 200 parameters')
  .describe('Any of the parameters; what is left out stays as it is, null takes a value away.');

export const parameterSchema = z.object({
  name: z.string(),
  backend: z.enum(['lightrag', 'graphrag', 'both']),
  backend_name: z
    .string()
    .nullable()

    .describe(
      'Variable of the environment, or path in settings.yaml; null: no backend knows it, or only a query carries it.',
    ),
  query_field: z.string().nullable().describe('Under which a query carries it along; null: it does not.'),
  type: z.enum(['integer', 'number', 'boolean', 'choice', 'text']),
  minimum: z.number().nullable(),
  maximum: z.number().nullable().describe('Of a text: characters.'),
  choices: z.array(z.string()).nullable(),
  default: valueSchema.nullable(),
  default_before: z.object({ version: z.string(), value: valueSchema }).nullable(),
  unit: z.string().nullable(),
  meaning: z.string(),
  class: z.enum(tuningClasses),
  per_user: z.boolean(),
});
export type ParameterBody = z.infer<typeof parameterSchema>;

export const shapeParameter = ({ kind, ...one }: Parameter): ParameterBody => ({
  name: one.name,
  backend: one.backend,
  backend_name: one.backendName,
  query_field: one.queryField ?? null,
  type: kind.type,
  minimum: 'least' in kind ? kind.least : null,
  maximum: 'most' in kind ? kind.most : null,
  choices: kind.type === 'choice' ? [...kind.of] : null,
  default: one.fallback,
  default_before: one.fallbackBefore ? { ...one.fallbackBefore } : null,
  unit: one.unit,
  meaning: one.meaning,
  class: one.class,
  per_user: one.perUser,
});

export const effectiveSchema = z.object({
  parameter: z.string(),
  value: valueSchema.nullable(),
  origin: z.enum(['user', 'workspace', 'default', 'setting', 'built-in']),
  class: z.enum(tuningClasses),
  backend_name: z.string().nullable(),
});
export type EffectiveBody = z.infer<typeof effectiveSchema>;

export const shapeEffective = ({ parameter, value, origin }: EffectiveValue): EffectiveBody => ({
  parameter: parameter.name,
  value,
  origin,
  class: parameter.class,
  backend_name: parameter.backendName,
});

export const changeSchema = z.object({
  scope: z.string().describe('`default`, `user:SUBJECT` or `workspace:GRAPH_ID`.'),
  parameter: z.string(),
  before: valueSchema.nullable().describe('Null: it was not set.'),
  after: valueSchema.nullable().describe('Null: it is not set any more.'),
});

export const shapeChange = (change: Change): z.infer<typeof changeSchema> => ({ ...change });

const figuresSchema = z.object({
  requests: z.number().int(),
  failed: z.number().int(),
  answers: z.record(z.string(), z.object({ requests: z.number().int(), p95_ms: z.number() })),
  canary: z.boolean().nullable().describe('Whether the known question was answered; null: it was not asked.'),
});

const watchSchema = z
  .object({
    target_id: z.string(),
    state: z.enum(watchStates),
    from: z.iso.datetime(),
    until: z.iso.datetime(),
    reasons: z.array(z.string()),
    before: figuresSchema,
    after: figuresSchema.nullable(),
    operation_id: z.string().describe('That applied it.'),
  })
  .describe('How it went after the backend was last restarted with this revision, against as long before.');

export const revisionSchema = z.object({
  revision: z.number().int(),
  at: z.string(),
  actor: z.string(),
  what: z.enum(['set', 'reset', 'reset-all', 'rollback']),
  reason: z.string().nullable(),
  changes: z.array(changeSchema),
  rolled_back_to: z.number().int().nullable(),
  watch: watchSchema.nullable().describe('Null: it was not applied by itself, or not here.'),
});
export type RevisionBody = z.infer<typeof revisionSchema>;

const shapeFigures = ({ answers, ...rest }: Watch['before']): z.infer<typeof figuresSchema> => ({
  ...rest,
  answers: Object.fromEntries(
    Object.entries(answers).map(([name, { requests, p95Ms }]) => [name, { requests, p95_ms: p95Ms }]),
  ),
});

const shapeWatch = (watch: Watch): z.infer<typeof watchSchema> => ({
  target_id: watch.targetId,
  state: watch.state,
  from: isoInstant(watch.fromMs),
  until: isoInstant(watch.untilMs),
  reasons: [...watch.reasons],
  before: shapeFigures(watch.before),
  after: watch.after && shapeFigures(watch.after),
  operation_id: watch.operationId,
});

export const shapeRevision = (revision: Revision, watch: Watch | undefined = undefined): RevisionBody => ({
  revision: revision.number,
  at: isoInstant(revision.atMs),
  actor: revision.actor,
  what: revision.what,
  reason: revision.reason,
  changes: revision.changes.map(shapeChange),
  rolled_back_to: revision.rolledBackTo,
  watch: watch === undefined ? null : shapeWatch(watch),
});

export const warningSchema = z.object({
  severity: z.enum(['error', 'warning']),
  parameters: z.array(z.string()),
  message: z.string(),
});

export const consequenceSchema = z.object({
  parameter: z.string(),
  class: z.enum(tuningClasses),
  before: valueSchema.nullable(),
  after: valueSchema.nullable(),
  destructive: z
    .boolean()
    .describe('The index would have to be made anew in part, or is not seen any more: needs `confirm`.'),
  embeddings: z
    .number()
    .int()
    .nullable()
    .describe('Vectors to make anew; null where the index could not be looked at.'),
  extractions: z.number().int().nullable().describe('Chunks to read anew.'),
  estimate: z
    .object({ usd: z.number().nullable(), seconds: z.number().nullable(), basis: z.string() })
    .nullable()
    .describe(
      "Of making it anew, at most, by this backend's own past; a null in it: not known. Null: nothing has to be.",
    ),
  message: z.string(),
});
export type ConsequenceBody = z.infer<typeof consequenceSchema>;
export const shapeConsequence = (one: Consequence): ConsequenceBody => ({ ...one });

export const driftSchema = z.object({
  graph_id: z.string(),
  parameter: z.string(),
  backend_name: z.string().nullable(),
  wanted: valueSchema.nullable().describe('Null: nobody set it, and two places contradict each other.'),
  found: valueSchema.nullable(),
  where: z.enum(['backend', 'environment-file', 'settings-file', 'index']),
  message: z.string(),
});
export type DriftBody = z.infer<typeof driftSchema>;
export const shapeDrift = (graphId: string, { backendName, ...one }: Drift): DriftBody => ({
  graph_id: graphId,
  ...one,
  backend_name: backendName,
});
