import { CounterHandle, DistributionHandle } from '../handles.ts';
import type { Growth, PointSeries, PointTime } from '../intake/intake.ts';
import type { Recorder } from '../recorder.ts';

/** US dollars per million tokens. */
export type TokenPrice = { readonly inputUsd: number; readonly outputUsd: number };
export type PriceOf = (provider: string, model: string) => TokenPrice | undefined;

/**
 * The semantic conventions for generative AI, still in development: names as they were translated, and what stands in their place
 * among the metrics of traffic. What is not listed stays what it is under its own name.
 */
const tokenMetrics = new Set(['gen_ai_client_token_usage', 'gen_ai_client_token_usage_total']);
const callMetrics: Readonly<Record<string, 'llm_call_duration_ms' | 'llm_first_token_ms'>> = {
  gen_ai_client_operation_duration_seconds: 'llm_call_duration_ms',
  gen_ai_server_time_to_first_token_seconds: 'llm_first_token_ms',
  gen_ai_client_operation_time_to_first_chunk_seconds: 'llm_first_token_ms',
};
const kinds: Readonly<Record<string, string>> = {
  input: 'prompt',
  prompt: 'prompt',
  output: 'completion',
  completion: 'completion',
};
const calls: Readonly<Record<string, string>> = {
  chat: 'chat',
  text_completion: 'completion',
  generate_content: 'chat',
  embeddings: 'embeddings',
};

/** Counts tokens, cost and calls from what instrumented programs tell about their calls of models. */
export function createGenAi(options: { recorder: Recorder; priceOf?: PriceOf | undefined }) {
  const { recorder, priceOf } = options;

  const count = (name: string, labels: Record<string, string>, unit: string, by: number): void => {
    const handle = recorder.series({ name, type: 'counter', labels, unit });
    if (handle instanceof CounterHandle) handle.inc(by);
  };

  return (series: PointSeries, time: PointTime, growth: Growth): void => {
    const { name, labels } = series;
    if (!name.startsWith('gen_ai_')) return;
    const model = {
      provider: labels.gen_ai_provider_name ?? labels.gen_ai_system ?? '',
      model: labels.gen_ai_request_model ?? labels.gen_ai_response_model ?? '',
      job: labels.job ?? '',
    };
    if (tokenMetrics.has(name)) {
      const type = labels.gen_ai_token_type ?? '';
      const kind = kinds[type] ?? type;
      if (growth.sum <= 0) return;
      count('llm_tokens', { ...model, kind }, 'tokens', growth.sum);
      const price = priceOf?.(model.provider, model.model);
      if (price === undefined || (kind !== 'prompt' && kind !== 'completion')) return;
      const perMillion = kind === 'prompt' ? price.inputUsd : price.outputUsd;
      count('llm_cost_usd', model, 'usd', (growth.sum * perMillion) / 1e6);
      return;
    }
    const timer = callMetrics[name];
    if (timer === undefined || !('values' in growth)) return;
    const operation = labels.gen_ai_operation_name ?? '';
    const call = calls[operation] ?? operation;
    const handle = recorder.series({
      ...{ name: timer, type: 'histogram', unit: 'ms' },
      labels: timer === 'llm_call_duration_ms' ? { ...model, call } : model,
    });
    // The conventions count in seconds.
    const ms = (seconds: number): number => seconds * 1_000;
    if (handle instanceof DistributionHandle)
      recorder.take(handle, time.atMs, {
        ...growth,
        ...{ sum: ms(growth.sum), min: ms(growth.min), max: ms(growth.max), values: growth.values.map(ms) },
      });
    if (timer === 'llm_call_duration_ms')
      count(
        'llm_calls',
        { ...model, call, outcome: labels.error_type ? 'upstream_error' : 'ok' },
        'calls',
        growth.count,
      );
  };
}
