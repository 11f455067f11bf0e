import { z } from 'zod';

/** The form of an alert rule, the same in ragwarden.yaml and over the API. What its fields mean stands in docs/alerts.md. */
const aggregations = [
  'sum',
  'average',
  'min',
  'max',
  'last',
  'count',
  'rate',
  'increase',
  'p50',
  'p90',
  'p95',
  'p99',
] as const;
const metricName = z
  .string()
  .max(200)
  .regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/, 'has letters, digits, _ and : and does not begin with a digit');
const labelName = z
  .string()
  .max(200)
  .regex(/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/, 'has letters, digits and _, not beginning with a digit or __');
const labelValue = z.string().max(1_024);
const values = z.union([labelValue, z.array(labelValue).min(1).max(100)]);
const labels = z
  .record(labelName, z.union([values, z.strictObject({ not: values })]))
  .describe(
    'Value of a label, several of which one must be met, or `{not: …}` for those that must not be; a missing label is empty.',
  );
const number = z.number().min(-1e290).max(1e290);
const day = 86_400;
const seconds = (least: number, most: number) => z.number().min(least).max(most);

const alertRuleName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}$/, 'has letters, digits, _ and -, at most 100');

const targetId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'is no id of a target');
const actionFields = {
  mode: z.enum(['dry', 'run']).optional().describe('`dry`, the default, says what would be done and does nothing.'),
  at_most_every_seconds: seconds(60, 365 * day)
    .optional()
    .describe('3600 unless told.'),
};
const action = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('run-cleanup-task'), task_id: z.string().min(1).max(200), ...actionFields }),
    z.strictObject({ kind: z.literal('take-recovery-point'), target_id: targetId, ...actionFields }),
    z.strictObject({
      ...{ kind: z.literal('pause-inserts'), target_id: targetId, for_seconds: seconds(1, 900) },
      ...actionFields,
    }),
    z.strictObject({
      kind: z.literal('throttle-workspace'),
      ...{ target_id: targetId, workspace: z.string().max(200) },
      requests_per_minute: z.int().min(0).max(1_000_000),
      for_seconds: seconds(1, 7 * day),
      ...actionFields,
    }),
  ])
  .describe('What is done when it fires.');

const fields = {
  description: z.string().max(1_000).optional(),
  metric_name: metricName,
  labels: labels.optional(),
  aggregation: z.enum(aggregations).optional().describe('`last` unless told.'),
  window_seconds: seconds(1, 30 * day)
    .optional()
    .describe('How far back samples count; 300 unless told.'),
  group_by: z
    .array(labelName)
    .max(20)
    .optional()
    .describe('One alert per combination of these; unless told, one per series.'),
  divide_by: z
    .strictObject({ metric_name: metricName, labels: labels.optional() })
    .optional()
    .describe('Divides by the value of the same labels there: a ratio of two metrics.'),
  measure: z
    .enum(['value', 'change_per_second', 'forecast', 'anomaly'])
    .optional()
    .describe(
      'Compare the value, its slope over the window, where a straight line through the window will be, or how unusual it is: how many robust standard deviations it lies from the median of its own past.',
    ),
  forecast_seconds: seconds(1, 365 * day).optional(),
  baseline_seconds: seconds(1, 365 * day)
    .optional()
    .describe('Of an anomaly: how far back its own past goes; 7 days unless told. 20 to 3,000 windows.'),
  season_seconds: seconds(1, 30 * day)
    .optional()
    .describe('Of an anomaly: only the same time of earlier seasons counts, such as 86400 for the time of day.'),
  direction: z.enum(['both', 'above', 'below']).optional().describe('Of an anomaly: which differences count.'),
  least_difference: z
    .number()
    .min(0)
    .max(1e290)
    .optional()
    .describe('Of an anomaly: differences up to this are none, in the unit of the metric; 0 unless told.'),
  condition: z.enum(['gt', 'gte', 'lt', 'lte', 'eq', 'absent']),
  threshold: number.optional(),
  duration_seconds: seconds(0, 30 * day)
    .optional()
    .describe('How long it must hold before it fires; 300 unless told.'),
  resolve_threshold: number.optional().describe('Once it fires, it holds on until the value is beyond this one.'),
  resolve_duration_seconds: seconds(0, 30 * day)
    .optional()
    .describe('How long it must be over before it is resolved; as long as `duration_seconds` unless told.'),
  no_data: z
    .enum(['keep', 'fire', 'resolve'])
    .optional()
    .describe('What it means that there is no value: nothing changes (default), it holds, it is over.'),
  flap_damping: z.boolean().optional().describe('Hold one that comes and goes until it is calm; true unless told.'),
  severity: z.enum(['info', 'warning', 'error', 'critical']).optional().describe('`warning` unless told.'),
  enabled: z.boolean().optional(),
  tags: z.record(labelName, labelValue).optional().describe('Labels of its alerts, beside those of the series.'),
  runbook_url: z
    .string()
    .max(2_000)
    .regex(/^(https?:\/\/\S+|docs\/runbooks\/[a-z0-9-]+\.md)$/, 'is a http(s) URL, or one of docs/runbooks')
    .optional(),
  receivers: z.array(z.string().min(1).max(100)).min(1).max(20).optional(),
  action: action.optional(),
};

const body = z.strictObject({ name: alertRuleName, ...fields });
export type AlertRuleBody = z.infer<typeof body>;
type Complain = (field: string, message: string) => void;

/** What contradicts itself; all of it, each at its field. */
function checkRule(rule: Omit<AlertRuleBody, 'name'>, complain: Complain): void {
  const { condition, threshold, resolve_threshold: resolve, measure = 'value', aggregation = 'last' } = rule;
  if (condition === 'absent') {
    for (const field of ['threshold', 'resolve_threshold', 'divide_by', 'group_by', 'forecast_seconds'] as const)
      if (rule[field] !== undefined) complain(field, 'has no meaning with the condition `absent`');
    if (measure !== 'value') complain('measure', 'must be `value` with the condition `absent`');
    if (rule.no_data !== undefined)
      complain('no_data', 'has no meaning with the condition `absent`, which is about it');
  } else if (threshold === undefined) complain('threshold', `is needed for the condition \`${condition}\``);
  if (resolve !== undefined && threshold !== undefined) {
    if (condition === 'eq') complain('resolve_threshold', 'has no meaning with the condition `eq`');
    if ((condition === 'gt' || condition === 'gte') && resolve > threshold)
      complain('resolve_threshold', 'must not lie above `threshold`, or it would be over before it began');
    if ((condition === 'lt' || condition === 'lte') && resolve < threshold)
      complain('resolve_threshold', 'must not lie below `threshold`, or it would be over before it began');
  }
  if (measure === 'forecast' && condition !== 'absent' && rule.forecast_seconds === undefined)
    complain('forecast_seconds', 'is needed for a forecast');
  if (measure !== 'forecast' && condition !== 'absent' && rule.forecast_seconds !== undefined)
    complain('forecast_seconds', 'has no meaning without `measure: forecast`');
  if (measure === 'change_per_second' || measure === 'forecast') {
    if (aggregation !== 'last' && aggregation !== 'average')
      complain('aggregation', `has no meaning with \`measure: ${measure}\`, which looks at the samples themselves`);
    if (rule.window_seconds !== undefined && rule.window_seconds < 60)
      complain('window_seconds', 'must be at least 60 to see a slope');
    if (rule.divide_by !== undefined) complain('divide_by', `has no meaning with \`measure: ${measure}\``);
  }
  checkAnomaly(rule, complain);
  for (const name of ['alertname', 'severity', 'alertstate'])
    if (rule.tags?.[name] !== undefined) complain('tags', `"${name}" is set by ragwarden`);
}

function checkAnomaly(rule: Omit<AlertRuleBody, 'name'>, complain: Complain): void {
  const { baseline_seconds: baseline = 7 * day, window_seconds: window = 300, season_seconds: season } = rule;
  if (rule.measure !== 'anomaly') {
    for (const field of ['baseline_seconds', 'season_seconds', 'direction', 'least_difference'] as const)
      if (rule[field] !== undefined) complain(field, 'has no meaning without `measure: anomaly`');
    return;
  }
  if (rule.condition !== 'gt' && rule.condition !== 'gte')
    complain('condition', 'must be `gt` or `gte` with `measure: anomaly`; `direction` says which differences count');
  if (rule.threshold !== undefined && rule.threshold <= 0)
    complain('threshold', 'must be above 0 with `measure: anomaly`: so many standard deviations');
  if (rule.divide_by !== undefined) complain('divide_by', 'has no meaning with `measure: anomaly`');
  if (rule.no_data === 'fire')
    complain('no_data', 'cannot be `fire` with `measure: anomaly`, which has no value while there is too little past');
  if (baseline < 20 * window || baseline > 3_000 * window)
    complain('baseline_seconds', 'must be 20 to 3,000 times `window_seconds`');
  if (season !== undefined && (baseline < 3 * season || season < 10 * window))
    complain('season_seconds', 'must fit into `baseline_seconds` three times and hold ten times `window_seconds`');
}

const checked = <S extends z.ZodType<Omit<AlertRuleBody, 'name'>>>(schema: S): S =>
  schema.superRefine((rule, context) =>
    checkRule(rule, (field, message) => context.addIssue({ code: 'custom', path: [field], message })),
  );

export const alertRuleBody = checked(body).meta({ id: 'AlertRule' });
/** Of a change, where the path names it. */
export const alertRuleChange = checked(z.strictObject({ name: alertRuleName.optional(), ...fields })).meta({
  id: 'AlertRuleChange',
});

export const alertsStructure = z.strictObject({
  rules: z
    .array(checked(body))
    .max(1_000)
    .superRefine((rules, context) => {
      const names = rules.map(({ name }) => name);
      for (const name of new Set(names.filter((one, at) => names.indexOf(one) !== at)))
        context.addIssue({ code: 'custom', message: `the name ${name} is there twice` });
    })
    .optional(),
});
export type AlertsStructure = z.infer<typeof alertsStructure>;
