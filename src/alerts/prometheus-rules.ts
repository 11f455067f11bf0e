import { stringify } from 'yaml';
import { expressPromql, findStoreName, type MetricRegistry, type StoreName } from '../metrics/index.ts';
import { type AlertRule, describeCondition, type SeriesChoice } from './alert-rule.ts';

export type PrometheusRules = {
  /** A rule file, as `promtool check rules` takes it. */
  readonly text: string;
  readonly exported: number;
  /** What a rule file cannot say. */
  readonly leftOut: readonly { readonly rule: string; readonly reason: string }[];
};

type Expression = { readonly expression: string } | { readonly unsupported: string };

/** Prometheus scrapes every 15 s unless told otherwise: growth is seen between two scrapes only. */
const resolutionMs = 15_000;
const operators = { gt: '>', gte: '>=', lt: '<', lte: '<=', eq: '==' } as const;

/** Rules as a rule file for Prometheus: names and units as on `/metrics`. What cannot be said there is told, in the file too. */
export function exportRules(rules: readonly AlertRule[], registry: Pick<MetricRegistry, 'families'>): PrometheusRules {
  const leftOut: { rule: string; reason: string }[] = [];
  const exported = rules.flatMap((rule) => {
    const found = rule.enabled ? expressRule(rule, registry) : { unsupported: 'it is switched off' };
    if ('unsupported' in found) {
      leftOut.push({ rule: rule.name, reason: found.unsupported });
      return [];
    }
    return [entryOf(rule, found.expression)];
  });
  const comments = [
    'Alert rules of ragwarden for Prometheus 2.42 or newer. Made by `ragwarden alerts rules export`.',
    'Where a value is gone Prometheus resolves; ragwarden itself keeps the alert unless its rule says otherwise.',
    ...leftOut.map(({ rule, reason }) => `Not in this file: ${rule}: ${reason}.`),
  ];
  const document = { groups: [{ name: 'ragwarden', rules: exported }] };
  return {
    text: `${comments.map((line) => `# ${line}\n`).join('')}${stringify(document, { lineWidth: 0 })}`,
    exported: exported.length,
    leftOut,
  };
}

const entryOf = (rule: AlertRule, expr: string) => ({
  alert: rule.name,
  expr,
  ...(rule.durationMs === 0 ? {} : { for: duration(rule.durationMs) }),
  ...(rule.resolveDurationMs === 0 ? {} : { keep_firing_for: duration(rule.resolveDurationMs) }),
  labels: { ...rule.tags, severity: rule.severity },
  annotations: {
    summary: plain(describeCondition(rule)),
    ...(rule.description === '' ? {} : { description: plain(rule.description) }),
    ...(rule.runbookUrl === undefined ? {} : { runbook_url: rule.runbookUrl }),
  },
});

/** Annotations are templates. */
const plain = (text: string): string => text.replaceAll('{{', '{{ "{{" }}');

/** Prometheus knows whole milliseconds in units; the longest that fits reads best. */
function duration(ms: number): string {
  for (const [unit, of] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const)
    if (ms % of === 0) return `${ms / of}${unit}`;
  return `${Math.round(ms)}ms`;
}

function expressRule(rule: AlertRule, registry: Pick<MetricRegistry, 'families'>): Expression {
  const of = findStoreName(registry, rule.metricName);
  if (rule.condition === 'absent') {
    const name = of.kind === 'distribution' ? `${of.exposed}_count` : of.exposed;
    return { expression: `absent_over_time(${name}${selectorOf(rule)}[${duration(rule.windowMs)}])` };
  }
  const value = expressValue(rule, rule, of);
  if ('unsupported' in value) return value;
  let { expression } = value;
  let scale = scaleOf(rule, of);
  if (rule.divideBy !== undefined) {
    const other = findStoreName(registry, rule.divideBy.metricName);
    const by = expressValue(rule, rule.divideBy, other);
    if ('unsupported' in by) return by;
    expression = `(${expression}) / (${by.expression})`;
    scale /= scaleOf(rule, other);
  }
  const operator = operators[rule.condition];
  const compared = (threshold: number): string =>
    `${wrapped(expression)} ${operator} ${Number((threshold * scale).toPrecision(12))}`;
  let expr = compared(rule.threshold);
  if (rule.resolveThreshold !== undefined) {
    // Once it fires, the other threshold counts: what fires is itself a series.
    const ignored = ['alertname', 'alertstate', 'severity', ...Object.keys(rule.tags)].join(', ');
    const firing = `ALERTS{alertname=${JSON.stringify(rule.name)}, alertstate="firing"}`;
    expr = `${expr} or (${compared(rule.resolveThreshold)} and ignoring(${ignored}) ${firing})`;
  }
  if (rule.noData === 'fire') {
    const name = of.kind === 'distribution' ? `${of.exposed}_count` : of.exposed;
    expr = `${expr} or absent_over_time(${name}${selectorOf(rule)}[${duration(rule.windowMs)}])`;
  }
  return { expression: expr };
}

const wrapped = (expression: string): string =>
  /^[a-z_:0-9]+(\{[^{}]*\})?$/i.test(expression) ? expression : `(${expression})`;

/** What a value of ours is multiplied by on `/metrics`; numbers of things have no unit. */
function scaleOf(rule: AlertRule, of: StoreName): number {
  const { aggregation } = rule;
  const counts = of.kind === 'distribution' && ['count', 'increase', 'rate'].includes(aggregation);
  return counts || aggregation === 'count' ? 1 : of.scale;
}

function expressValue(rule: AlertRule, choice: SeriesChoice, of: StoreName): Expression {
  const selector = selectorOf(choice);
  if (rule.measure === 'anomaly')
    return {
      unsupported:
        'PromQL has no median distance from a past of its own (`mad_over_time` is an experiment of Prometheus 3)',
    };
  if (rule.measure !== 'value') {
    if (of.kind !== 'gauge') return { unsupported: `a line through a ${of.kind} cannot be asked for` };
    if (rule.groupBy !== undefined)
      return { unsupported: 'a line through several series together cannot be asked for' };
    const range = `${of.exposed}${selector}[${duration(rule.windowMs)}]`;
    return {
      expression:
        rule.measure === 'forecast' ? `predict_linear(${range}, ${rule.forecastMs / 1_000})` : `deriv(${range})`,
    };
  }
  if (rule.aggregation === 'last' && rule.groupBy === undefined && of.kind !== 'distribution')
    return { expression: `${of.exposed}${selector}` };
  const found = expressPromql(of, {
    ...{ aggregation: rule.aggregation, match: {}, selectors: selectorsOf(choice), groupBy: rule.groupBy },
    ...{ stepMs: rule.windowMs, resolutionMs },
  });
  return 'promql' in found ? { expression: found.promql } : found;
}

const selectorOf = (choice: SeriesChoice): string => {
  const all = selectorsOf(choice);
  return all.length === 0 ? '' : `{${all.join(', ')}}`;
};

const selectorsOf = (choice: SeriesChoice): readonly string[] =>
  Object.entries(choice.labels).map(([name, { anyOf, noneOf }]) => {
    const values = anyOf ?? noneOf;
    const not = anyOf === undefined;
    const [only = ''] = values;
    if (values.length === 1) return `${name}${not ? '!=' : '='}${JSON.stringify(only)}`;
    return `${name}${not ? '!~' : '=~'}${JSON.stringify(values.map(literal).join('|'))}`;
  });

/** As a part of an RE2 expression. */
const literal = (text: string): string => text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
