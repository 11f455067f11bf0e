import { type OwnDefinition, type Recorder, statusClass } from '../metrics/index.ts';
import { type Exchange, isTimed } from './exchange.ts';

const ofExchange = ['target', 'workspace', 'operation', 'mode', 'stream'];
const ofPlace = ['target', 'workspace', 'operation'];
const ofModel = ['provider', 'model', 'role'];
const ofCall = [...ofModel, 'workspace'];

const counter = (name: string, unit: string, description: string, tags: readonly string[]): OwnDefinition => ({
  ...{ name, type: 'counter', category: 'performance', unit, description, tags },
  exposedAs: `ragwarden_${name}_total`,
});
const timer = (name: string, description: string, tags: readonly string[]): OwnDefinition => ({
  ...{ name, type: 'timer', category: 'performance', unit: 'ms', description, tags },
  exposedAs: `ragwarden_${name.replace(/_ms$/, '_seconds')}`,
});

/** What is recorded here, by the names in the store. */
export const trafficDefinitions: readonly OwnDefinition[] = [
  counter('traffic_exchanges', 'exchanges', 'Requests to the backend, by how they ended.', [
    ...ofExchange,
    'status',
    'outcome',
  ]),
  timer('traffic_duration_ms', 'Time from a request to the end of its answer.', ofExchange),
  timer('traffic_first_byte_ms', 'Time to the first byte of an answer.', ofExchange),
  timer('traffic_first_content_ms', 'Time to the first piece of the answer itself.', ofExchange),
  counter('traffic_request_bytes', 'bytes', 'Bytes of the bodies of requests.', ofPlace),
  counter('traffic_response_bytes', 'bytes', 'Bytes of the bodies of answers.', ofPlace),
  counter(
    'traffic_added_parameters',
    'parameters',
    'Fields that the gateway put into queries, since their callers left them open.',
    [...['target', 'workspace', 'field']],
  ),
  counter('llm_calls', 'calls', 'Calls of models, by how they ended.', [...ofCall, 'call', 'outcome']),
  timer('llm_call_duration_ms', 'Time from a call of a model to the end of its answer.', [...ofModel, 'call']),
  timer('llm_first_token_ms', 'Time to the first token of a stream.', ofModel),
  counter('llm_retries', 'calls', 'Calls of models that repeat one that had failed.', ofModel),
  counter('llm_tokens', 'tokens', 'Tokens as the provider counted them.', [...ofCall, 'kind']),
  { ...counter('llm_cost_usd', 'usd', 'What calls of models cost by the price table.', ofCall), category: 'business' },
];

export type TrafficMetrics = { count(exchange: Exchange): void };

/**
 * Counts what passed, into what `trafficDefinitions` defines. Labels are of bounded sets, but for workspace and model: the bound per metric
 * holds those.
 */
export function createTrafficMetrics(recorder: Recorder): TrafficMetrics {
  const exchanges = recorder.counter({ name: 'traffic_exchanges' });
  const duration = recorder.timer({ name: 'traffic_duration_ms' });
  const firstByte = recorder.timer({ name: 'traffic_first_byte_ms' });
  const firstContent = recorder.timer({ name: 'traffic_first_content_ms' });
  const requestBytes = recorder.counter({ name: 'traffic_request_bytes' });
  const responseBytes = recorder.counter({ name: 'traffic_response_bytes' });
  const added = recorder.counter({ name: 'traffic_added_parameters' });
  const calls = recorder.counter({ name: 'llm_calls' });
  const callDuration = recorder.timer({ name: 'llm_call_duration_ms' });
  const firstToken = recorder.timer({ name: 'llm_first_token_ms' });
  const retries = recorder.counter({ name: 'llm_retries' });
  const tokens = recorder.counter({ name: 'llm_tokens' });
  const cost = recorder.counter({ name: 'llm_cost_usd' });

  const countRequest = (exchange: Exchange): void => {
    const { outcome, status, operation, targetId, workspace } = exchange;
    const where = { target: targetId ?? '', workspace: workspace ?? '', operation };
    const labels = { ...where, mode: exchange.mode ?? '', stream: String(exchange.stream) };
    exchanges.labels({ ...labels, status: statusClass(status), outcome }).inc();
    for (const field of exchange.added ?? [])
      added.labels({ target: where.target, workspace: where.workspace, field }).inc();
    if (exchange.requestBytes > 0) requestBytes.labels(where).inc(exchange.requestBytes);
    if (exchange.responseBytes > 0) responseBytes.labels(where).inc(exchange.responseBytes);
    if (!isTimed(outcome)) return;
    duration.labels(labels).observe(exchange.totalMs);
    if (exchange.firstByteMs !== null) firstByte.labels(labels).observe(exchange.firstByteMs);
    if (exchange.firstContentMs !== null) firstContent.labels(labels).observe(exchange.firstContentMs);
  };

  const countCall = (exchange: Exchange): void => {
    const { outcome, llm, workspace } = exchange;
    const model = { provider: llm?.provider ?? '', model: llm?.model ?? '', role: llm?.role ?? '' };
    const who = { ...model, workspace: workspace ?? '' };
    const call = llm?.call ?? 'other';
    calls.labels({ ...who, call, outcome }).inc();
    if (isTimed(outcome)) callDuration.labels({ ...model, call }).observe(exchange.totalMs);
    if (exchange.retry) retries.labels(model).inc();
    if (llm === null) return;
    if (llm.firstTokenMs !== null) firstToken.labels(model).observe(llm.firstTokenMs);
    const kinds = { prompt: llm.promptTokens, completion: llm.completionTokens, cached: llm.cachedTokens };
    for (const [kind, count] of Object.entries(kinds)) if (count) tokens.labels({ ...who, kind }).inc(count);
    if (exchange.costUsd !== null) cost.labels(who).inc(exchange.costUsd);
  };

  return { count: (exchange) => (exchange.door === 'backend' ? countRequest(exchange) : countCall(exchange)) };
}
