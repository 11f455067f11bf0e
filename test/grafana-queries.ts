import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const datasource = z.strictObject({ type: z.literal('prometheus'), uid: z.literal(`\${datasource}`) });
const target = z.object({ refId: z.string().regex(/^[A-Z]$/), datasource, expr: z.string(), legendFormat: z.string() });
const place = z.object({ x: z.int(), y: z.int(), w: z.int().min(1).max(24), h: z.int().min(1) });
const panel = z.discriminatedUnion('type', [
  z.object({ type: z.literal('row'), id: z.int(), title: z.string(), gridPos: place, panels: z.array(z.never()) }),
  z.object({
    type: z.enum(['timeseries', 'stat', 'bargauge', 'state-timeline']),
    id: z.int(),
    title: z.string().min(3),
    datasource,
    gridPos: place,
    fieldConfig: z.object({ defaults: z.object({ unit: z.string() }), overrides: z.array(z.unknown()) }),
    options: z.record(z.string(), z.unknown()),
    targets: z.array(target).min(1),
  }),
]);
const variable = z.discriminatedUnion('type', [
  z.object({ type: z.literal('datasource'), name: z.literal('datasource'), query: z.literal('prometheus') }),
  z.object({
    type: z.literal('query'),
    name: z.string(),
    datasource,
    definition: z.string(),
    allValue: z.literal('.*'),
  }),
]);

/** What Grafana reads of a dashboard, as far as ours go. */
const dashboard = z.object({
  uid: z.string().regex(/^ragwarden-[a-z-]{1,30}$/),
  title: z.string().startsWith('ragwarden: '),
  tags: z.array(z.string()).min(1),
  schemaVersion: z.int().min(36),
  time: z.object({ from: z.string(), to: z.string() }),
  templating: z.object({ list: z.array(variable) }),
  panels: z.array(panel).min(5),
});
export type Dashboard = z.infer<typeof dashboard>;

/** Every dashboard of deploy/, by the name of its file. @throws ZodError where one is not as Grafana wants it */
export const readDashboards = (): readonly (readonly [file: string, dashboard: Dashboard])[] => {
  const folder = join(import.meta.dirname, '../deploy/grafana/dashboards');
  return readdirSync(folder).map((file) => [
    file,
    dashboard.parse(JSON.parse(readFileSync(join(folder, file), 'utf8'))),
  ]);
};

export type DashboardQuery = { readonly where: string; readonly expr: string; readonly legend: string };

export const queriesOf = ({ panels, title }: Dashboard): readonly DashboardQuery[] =>
  panels.flatMap((one) =>
    one.type === 'row'
      ? []
      : one.targets.map(({ expr, legendFormat }) => ({ where: `${title}, ${one.title}`, expr, legend: legendFormat })),
  );

/** What Grafana puts in before it asks. */
export const filledIn = (expr: string): string =>
  expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '1h')
    .replaceAll(/\$(instance|target)\b/g, '.*');

const words = new Set('sum min max count by or time vector rate increase histogram_quantile'.split(' '));

/** Metrics of a query, each with the labels it is chosen by, and the labels that are asked for of all of them together. */
export function namesIn(expr: string): {
  readonly selected: readonly { readonly name: string; readonly labels: readonly string[] }[];
  readonly grouped: readonly string[];
  /** Words that are neither metric nor function: a metric without a choice of instance, or a slip. */
  readonly others: readonly string[];
} {
  const selected = Array.from(expr.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g), ([, name = '', matchers = '']) => ({
    name,
    labels: Array.from(matchers.matchAll(/([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*"[^"]*"/g), ([, label = '']) => label),
  }));
  const grouped = Array.from(expr.matchAll(/\bby \(([^)]*)\)/g), ([, list = '']) => list.split(',')).flat();
  const rest = expr
    .replaceAll(/[a-zA-Z_:][\w:]*\{[^}]*\}/g, '')
    .replaceAll(/\bby \([^)]*\)/g, '')
    .replaceAll(/\[[^\]]*\]/g, '');
  return { selected, grouped, others: (rest.match(/[a-zA-Z_:][\w:]*/g) ?? []).filter((word) => !words.has(word)) };
}
