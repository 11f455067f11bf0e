import type { AlertHistoryQuery, AlertRule } from './alert-calls.ts';
import { AlertManager } from './alert-manager.ts';
import { type BatchSender, createBatchSender } from './batch-sender.ts';
import { createClient, type RagwardenClient } from './client.ts';
import { type CollectedMetric, collectedFamilies, readSamples } from './collected-metrics.ts';
import type { MetricDefine } from './metric-calls.ts';
import type { CallOptions, ClientOptions } from './transport.ts';
import type {
  AgentRecording,
  AlertBody,
  KnownAlertRule,
  MetricAggregation,
  MetricDefinitionBody,
  MetricGlobalBody,
  MetricLabels,
  MetricPerformanceBody,
  MetricRecordedBody,
  MetricRecording,
  MetricType,
  MetricValueBody,
} from './wire.ts';

/** What a metric is, under the name it is recorded by. */
export type MetricDefinition = MetricDefine & { readonly name: string };

type Metadata = Readonly<Record<string, unknown>>;

/** Stretch of time and labels that are asked for. */
export type MetricRange = {
  /** An hour before `end` unless told. */
  readonly start?: Date;
  /** Now, unless told. */
  readonly end?: Date;
  readonly tags?: MetricLabels;
};

/** One run of an agent. */
export type AgentExecution = {
  readonly agentId: string;
  readonly workspaceId?: string;
  /** `success`, or what went wrong. */
  readonly status: string;
  readonly durationMs: number;
  readonly metadata?: Metadata;
};

/** `tokens`, or what went in and came out. */
export type LlmUsage = {
  readonly agentId: string;
  readonly workspaceId?: string;
  readonly tokens?: number;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  readonly cachedTokens?: number;
  readonly costUsd?: number;
  readonly provider?: string;
  readonly model?: string;
  readonly tier?: string;
  readonly latencyMs?: number;
};

const mostWaiting = 10_000;
const sentAtOnce = 1_000;
const sendAfterMs = 1_000;
const nothing: MetricRecordedBody = { accepted: 0, rejected: 0, errors: [] };

/**
 * Records metrics of a program, and asks for what was recorded. Recording returns at once and never throws: values wait a second
 * at most, at most 10,000 of them, and are sent together. What ragwarden itself watches it collects in the background.
 */
export class MetricsCollector {
  readonly #client: Promise<RagwardenClient>;
  readonly #alerts: AlertManager;
  readonly #agents: BatchSender<AgentRecording>;
  #waiting: MetricRecording[] = [];
  #sending: Promise<MetricRecordedBody> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #debug = false;
  #dropped = 0;

  /** A service token is enough to record, a scrape token to read. */
  constructor(options: ClientOptions | Promise<ClientOptions>) {
    // Options that are wrong are told now; those that come later fail where they are used.
    this.#client =
      options instanceof Promise
        ? options.then((known) => createClient(known))
        : Promise.resolve(createClient(options));
    this.#client.catch(() => undefined);
    this.#alerts = new AlertManager(options);
    this.#agents = createBatchSender(async (items) => {
      const { rejected, errors } = await (await this.#client).metrics.recordAgents(items);
      if (this.#debug)
        for (const { detail } of errors) console.warn(`ragwarden: what an agent did was not taken: ${detail}`);
      return rejected;
    });
  }

  /** One value; what it is follows from the definition, or from the name: `…_ms` and `…_duration` are times, others levels. */
  recordMetric(name: string, value: number, tags?: MetricLabels, metadata?: Metadata): void {
    this.#add(name, value, undefined, tags, metadata);
  }

  incrementCounter(name: string, value = 1, tags?: MetricLabels, metadata?: Metadata): void {
    this.#add(name, value, 'counter', tags, metadata);
  }

  setGauge(name: string, value: number, tags?: MetricLabels, metadata?: Metadata): void {
    this.#add(name, value, 'gauge', tags, metadata);
  }

  recordTimer(name: string, milliseconds: number, tags?: MetricLabels, metadata?: Metadata): void {
    this.#add(name, milliseconds, 'timer', tags, metadata);
  }

  /** A run of an agent, which counts in its totals and in the summary of performance. */
  recordExecution({ agentId, workspaceId, status, durationMs, metadata }: AgentExecution): void {
    const tags = agentTags(agentId, workspaceId);
    this.incrementCounter('agent_executions', 1, { ...tags, status }, metadata);
    this.recordTimer('agent_execution_duration_ms', durationMs, tags);
  }

  /** What a call of a model took of tokens and money. Without `costUsd` ragwarden finds it by `model` and its price table. */
  recordLlmUsage(usage: LlmUsage): void {
    const { agentId, workspaceId, tokens, promptTokens, completionTokens, cachedTokens, costUsd } = usage;
    this.#agents.add({
      ...{ kind: 'llm_usage', agent_id: agentId, timestamp: new Date().toISOString() },
      ...given({
        ...{ workspace_id: workspaceId, tokens, prompt_tokens: promptTokens, completion_tokens: completionTokens },
        ...{ cached_tokens: cachedTokens, cost_usd: costUsd, provider: usage.provider, model: usage.model },
        ...{ tier: usage.tier, latency_ms: usage.latencyMs },
      }),
    });
  }

  recordToolUsage(usage: { agentId: string; workspaceId?: string; tool: string; durationMs: number }): void {
    const tags = { ...agentTags(usage.agentId, usage.workspaceId), tool: usage.tool };
    this.recordTimer('agent_tool_duration_ms', usage.durationMs, tags);
  }

  recordError(error: { agentId: string; workspaceId?: string; type: string; metadata?: Metadata }): void {
    const tags = { ...agentTags(error.agentId, error.workspaceId), type: error.type };
    this.incrementCounter('agent_errors', 1, tags, error.metadata);
  }

  /** Defines a metric, or says more about one. @throws RagwardenError `conflict/state` when it is another type already */
  async defineMetric({ name, ...definition }: MetricDefinition): Promise<MetricDefinitionBody> {
    return (await this.#client).metrics.define(name, definition);
  }

  /** With it on, every value that was not taken is told on the console, with the reason. */
  setDebugMode(on: boolean): void {
    this.#debug = on;
  }

  /** Recorded values, newest first. For admins, since metadata may say who did what. */
  async getMetricValues(name: string, range: MetricRange & { limit?: number } = {}): Promise<MetricValueBody[]> {
    await this.flush();
    const { start, end, tags, limit } = range;
    const query = { name, ...given({ from: start, to: end, match: tags, limit }) };
    return (await (await this.#client).metrics.history(query)).items;
  }

  /** One number over a stretch of time, for all its series together; null when nothing was recorded. */
  async getMetricAggregations(
    name: string,
    method: MetricAggregation,
    { start, end, tags }: MetricRange = {},
  ): Promise<number | null> {
    await this.flush();
    const query = { aggregation: method, groupBy: [], ...given({ from: start, to: end, match: tags }) };
    return (await (await this.#client).metrics.top(name, query)).items[0]?.value ?? null;
  }

  /** How many metrics and values there are, by category and type. */
  async getMetricsSummary(): Promise<MetricGlobalBody['enhanced_metrics']> {
    await this.flush();
    return (await (await this.#client).metrics.global()).enhanced_metrics;
  }

  /** How agents performed. @param timeWindowMinutes 1 to 1,440 */
  async getPerformanceSummary(timeWindowMinutes = 60): Promise<MetricPerformanceBody> {
    await this.flush();
    return (await this.#client).metrics.performance({ timeWindowMinutes });
  }

  /** What is known of recovery points, runs that failed and restores, collected now; what is not known is not there. */
  collectBackupMetrics(call: CallOptions = {}): Promise<CollectedMetric[]> {
    return this.#collect('backup', call);
  }

  /** Of replicas: how far they are behind, transfers, errors. Empty while nothing is replicated. */
  collectReplicationMetrics(call: CallOptions = {}): Promise<CollectedMetric[]> {
    return this.#collect('replication', call);
  }

  /** Of points that are kept, objectives, drills and failovers. */
  collectRecoveryMetrics(call: CallOptions = {}): Promise<CollectedMetric[]> {
    return this.#collect('recovery', call);
  }

  /** Of health checks and what they found, and of the graphs. */
  collectHealthMetrics(call: CallOptions = {}): Promise<CollectedMetric[]> {
    return this.#collect('health', call);
  }

  /** Tells people when a metric is beyond a threshold for a while; for admins. @throws RagwardenError `request/invalid` */
  addAlertRule(rule: AlertRule): Promise<KnownAlertRule> {
    return this.#alerts.addAlertRule(rule);
  }

  removeAlertRule(name: string): Promise<void> {
    return this.#alerts.removeAlertRule(name);
  }

  /** What fires now. */
  getActiveAlerts(): Promise<readonly AlertBody[]> {
    return this.#alerts.getActiveAlerts();
  }

  getAlertHistory(query: AlertHistoryQuery = {}): Promise<readonly AlertBody[]> {
    return this.#alerts.getAlertHistory(query);
  }

  /** Every metric in Prometheus' text format. */
  async exportToPrometheus(call: CallOptions = {}): Promise<string> {
    return (await this.#client).metrics.text(call);
  }

  /** Sends what waits. @returns what became of it. @throws RagwardenError when ragwarden cannot be reached; the values wait on */
  async flush(): Promise<MetricRecordedBody> {
    await this.#sending?.catch(() => undefined);
    this.#sending = this.#send();
    const sent = await this.#sending;
    await this.#agents.flush();
    return sent;
  }

  /** Values that came while too many waited already. */
  get dropped(): number {
    return this.#dropped + this.#agents.dropped;
  }

  async #collect(part: keyof typeof collectedFamilies, call: CallOptions): Promise<CollectedMetric[]> {
    return readSamples(await this.exportToPrometheus(call), collectedFamilies[part]);
  }

  #add(
    name: string,
    value: number,
    type: MetricType | undefined,
    labels: MetricLabels | undefined,
    metadata: Metadata | undefined,
  ): void {
    if (this.#waiting.length >= mostWaiting) {
      this.#dropped += 1;
      return;
    }
    // The moment it was recorded, not the one at which it is sent.
    const timestamp = new Date().toISOString();
    this.#waiting.push({ name, value, timestamp, ...given({ type, labels, metadata }) });
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.flush().catch((err: unknown) => {
        if (this.#debug) console.warn('ragwarden: recorded values wait, since they could not be sent:', err);
      });
    }, sendAfterMs);
    // A program ends when it is done, not when its metrics are sent.
    this.#timer.unref?.();
  }

  async #send(): Promise<MetricRecordedBody> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let sent = nothing;
    while (this.#waiting.length > 0) {
      const items = this.#waiting.slice(0, sentAtOnce);
      const answer = await (await this.#client).metrics.record(items);
      this.#waiting.splice(0, items.length);
      for (const { index, reason, detail } of answer.errors)
        if (this.#debug) console.warn(`ragwarden: ${items[index]?.name} was not taken (${reason}): ${detail}`);
      sent = {
        accepted: sent.accepted + answer.accepted,
        rejected: sent.rejected + answer.rejected,
        errors: [...sent.errors, ...answer.errors],
      };
    }
    return sent;
  }
}

export const getMetricsCollector = (options: ClientOptions): MetricsCollector => new MetricsCollector(options);

const agentTags = (agentId: string, workspaceId: string | undefined): MetricLabels => ({
  agent_id: agentId,
  ...(workspaceId === undefined ? {} : { workspace_id: workspaceId }),
});

type Given<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };
/** Without what was left out. */
const given = <T extends object>(options: T): Given<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>; // exactly those
