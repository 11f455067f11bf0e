import { z } from 'zod';
import { aggregations, type Labels, metricCategories, recordedTypes } from './metric-definition.ts';

export const labelsSchema = z.record(z.string(), z.string());

export const definitionSchema = z
  .object({
    name: z.string(),
    category: z.enum(metricCategories),
    type: z.enum(recordedTypes),
    unit: z.string(),
    description: z.string(),
    aggregations: z.array(z.enum(aggregations)).describe('Those that make sense to begin with.'),
    tags: z.array(z.string()).describe('Labels that its series are expected to have.'),
    enabled: z.boolean(),
    defined_by: z.enum(['definition', 'use']).describe('`use`: nobody defined it, it was recorded.'),
  })
  .meta({ id: 'MetricDefinition' });

export const instant = z.iso.datetime({ offset: true }).optional();
export const msOf = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Date.parse(text);

const matcher = z
  .string()
  .max(2_000)
  .regex(/^[a-zA-Z_][a-zA-Z0-9_]*=/, 'is written label=value');

/** Which series are asked for. */
export const seriesQuery = {
  name: z.string().max(200).describe('As it was recorded.'),
  match: z
    .union([matcher, z.array(matcher).max(32)])
    .optional()
    .describe('`label=value` that a series must have; once per label. `instance` is a label too.'),
};

export function matchOf(match: string | readonly string[] | undefined): Labels | undefined {
  if (match === undefined) return undefined;
  const given = typeof match === 'string' ? [match] : match;
  const labels: Record<string, string> = {};
  for (const one of given) {
    const at = one.indexOf('=');
    labels[one.slice(0, at)] = one.slice(at + 1);
  }
  return labels;
}

export const groupQuery = z
  .string()
  .max(1_000)
  .regex(/^([a-zA-Z_][a-zA-Z0-9_]*(,[a-zA-Z_][a-zA-Z0-9_]*)*)?$/)
  .optional()
  .describe(
    'Labels, separated by commas: one answer per combination. Empty: one answer for all. Left out: every series.',
  );

export const groupOf = (text: string | undefined): readonly string[] | undefined =>
  text === undefined ? undefined : text === '' ? [] : text.split(',');

export const sourcesSchema = z
  .array(
    z.object({
      tier: z.enum(['raw', '5m', '1h', 'store']).describe('`store`: another store, named by metrics.read_back.'),
      resolution_seconds: z
        .number()
        .describe('Width of the windows of that tier; of `raw` the usual time between samples.'),
      from: z.iso.datetime(),
      to: z.iso.datetime(),
    }),
  )
  .describe('Which stretch of the range came from where, in the order of time.');
