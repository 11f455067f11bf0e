import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  ActiveAlertsBody,
  AlertActionBody,
  AlertBacktestBody,
  AlertBody,
  AlertCondition,
  AlertRuleOrigin,
  AlertRulesExport,
  AlertSeverity,
  KnownAlertRule,
  MetricAggregation,
  Page,
} from './wire.ts';

/** One value of a label, several of which one must be met, or those that must not be. */
export type AlertLabelMatcher = string | readonly string[] | { readonly not: string | readonly string[] };

/** When somebody is to be told: `metricName` compared with `threshold`, for as long as `durationSeconds`. */
export type AlertRule = {
  /** Letters, digits, _ and -; also its id. */
  readonly name: string;
  readonly metricName: string;
  readonly condition: AlertCondition;
  /** For every condition but `absent`. */
  readonly threshold?: number;
  /** 300 unless told. */
  readonly durationSeconds?: number;
  /** `warning` unless told. */
  readonly severity?: AlertSeverity;
  readonly description?: string;
  readonly labels?: Readonly<Record<string, AlertLabelMatcher>>;
  /** `last` unless told. */
  readonly aggregation?: MetricAggregation;
  /** How far back samples count; 300 unless told. */
  readonly windowSeconds?: number;
  /** One alert per combination of these; unless told, one per series. */
  readonly groupBy?: readonly string[];
  readonly divideBy?: { readonly metricName: string; readonly labels?: Readonly<Record<string, AlertLabelMatcher>> };
  readonly measure?: 'value' | 'change_per_second' | 'forecast' | 'anomaly';
  readonly forecastSeconds?: number;
  /** Of an anomaly: how far back its own past goes; 7 days unless told. */
  readonly baselineSeconds?: number;
  /** Of an anomaly: only the same time of earlier seasons counts. */
  readonly seasonSeconds?: number;
  /** Of an anomaly: which differences count; both unless told. */
  readonly direction?: 'both' | 'above' | 'below';
  /** Of an anomaly: differences up to this are none. */
  readonly leastDifference?: number;
  /** Once it fires, it holds on until the value is beyond this one. */
  readonly resolveThreshold?: number;
  readonly resolveDurationSeconds?: number;
  readonly noData?: 'keep' | 'fire' | 'resolve';
  readonly flapDamping?: boolean;
  readonly enabled?: boolean;
  readonly tags?: Readonly<Record<string, string>>;
  readonly runbookUrl?: string;
  readonly receivers?: readonly string[];
  readonly action?: AlertActionBody;
};

export type AlertHistoryQuery = {
  readonly severity?: AlertSeverity;
  readonly rule?: string;
  readonly from?: Date;
  readonly to?: Date;
  readonly state?: 'active' | 'resolved';
  /** 1 to 1,000, 100 unless told. */
  readonly limit?: number;
  readonly offset?: number;
  readonly cursor?: string;
};

export type AlertTest = {
  /** The day before `to` unless told. */
  readonly from?: Date;
  readonly to?: Date;
  /** Tells whether this value meets the condition. */
  readonly value?: number;
};

const base = '/api/v1/metrics/alerts';
const ofRule = (name: string): string => `${base}/rules/${pathPart(name)}`;

const bodyOf = (rule: AlertRule) => ({
  name: rule.name,
  metric_name: rule.metricName,
  condition: rule.condition,
  threshold: rule.threshold,
  duration_seconds: rule.durationSeconds,
  severity: rule.severity,
  description: rule.description,
  labels: rule.labels,
  aggregation: rule.aggregation,
  window_seconds: rule.windowSeconds,
  group_by: rule.groupBy,
  divide_by: rule.divideBy && { metric_name: rule.divideBy.metricName, labels: rule.divideBy.labels },
  measure: rule.measure,
  forecast_seconds: rule.forecastSeconds,
  baseline_seconds: rule.baselineSeconds,
  season_seconds: rule.seasonSeconds,
  direction: rule.direction,
  least_difference: rule.leastDifference,
  resolve_threshold: rule.resolveThreshold,
  resolve_duration_seconds: rule.resolveDurationSeconds,
  no_data: rule.noData,
  flap_damping: rule.flapDamping,
  enabled: rule.enabled,
  tags: rule.tags,
  runbook_url: rule.runbookUrl,
  receivers: rule.receivers,
  action: rule.action,
});

/** Rules and what fires. A service token reads; rules, acknowledging and trying out are for admins. */
export function createAlertCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  return {
    /** What fires and what is pending, the gravest first. */
    active: (
      query: { severity?: AlertSeverity; rule?: string; state?: 'pending' | 'firing' } = {},
      call?: CallOptions,
    ) => send<ActiveAlertsBody>(`${base}/active`, { ...call, query }),
    /** What fired, the newest first. */
    history: ({ from, to, ...query }: AlertHistoryQuery = {}, call?: CallOptions) =>
      send<Page<AlertBody> & { readonly total: number }>(`${base}/history`, {
        ...call,
        query: { ...query, from: from?.toISOString(), to: to?.toISOString() },
      }),
    /** Ends repeats and escalation until it is resolved. @throws `alerts/unknown-alert` */
    acknowledge: async (alertId: string, { note, ...call }: CallOptions & { note?: string } = {}) =>
      send<AlertBody>(`${base}/${pathPart(alertId)}/acknowledge`, { ...call, method: 'POST', body: { note } }),
    rules: ({ origin, ...call }: CallOptions & { origin?: AlertRuleOrigin } = {}) =>
      send<Page<KnownAlertRule>>(`${base}/rules`, { ...call, query: { origin } }),
    /** @throws `alerts/unknown-rule` */
    rule: async (name: string, call?: CallOptions) => send<KnownAlertRule>(ofRule(name), call),
    /** @throws `request/invalid` with all that is wrong with it; `conflict/state` when there is one of this name */
    createRule: (rule: AlertRule, call?: CallOptions) =>
      send<KnownAlertRule>(`${base}/rules`, { ...call, method: 'POST', body: bodyOf(rule) }),
    /** In place of the one of this name; what is left out gets its default. */
    putRule: async (rule: AlertRule, call?: CallOptions & { ifMatch?: string }) =>
      send<KnownAlertRule>(ofRule(rule.name), { ...call, method: 'PUT', body: bodyOf(rule) }),
    /** What fires because of it is resolved. @throws `alerts/unknown-rule`; `conflict/state` for one that is not of the API */
    deleteRule: async (name: string, call?: CallOptions & { ifMatch?: string }) =>
      send<KnownAlertRule>(ofRule(name), { ...call, method: 'DELETE' }),
    /** Runs a rule over what is stored, by its name or as it is given. */
    testRule: (rule: AlertRule | string, { from, to, value, ...call }: AlertTest & CallOptions = {}) =>
      send<AlertBacktestBody>(`${base}/rules/test`, {
        ...call,
        method: 'POST',
        body: {
          ...(typeof rule === 'string' ? { rule_name: rule } : { rule: bodyOf(rule) }),
          ...{ from: from?.toISOString(), to: to?.toISOString(), value },
        },
      }),
    /** As a rule file for Prometheus. */
    exportRules: ({ origin, ...call }: CallOptions & { origin?: AlertRuleOrigin } = {}) =>
      send<AlertRulesExport>(`${base}/rules/export`, { ...call, query: { origin } }),
  };
}
