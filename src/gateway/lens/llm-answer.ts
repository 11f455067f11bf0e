import type { Reading } from '../lens.ts';
import type { LlmReading } from '../observation.ts';
import type { Framing } from './answer-reader.ts';
import { type Picked, planPicks } from './json-picker.ts';

/** In the order in which they count: what OpenAI writes, its newer API, Ollama, and what others write in their place. */
const promptTokens = [
  ...['usage.prompt_tokens', 'usage.input_tokens', 'response.usage.input_tokens', 'message.usage.input_tokens'],
  ...['prompt_eval_count', 'meta.tokens.input_tokens', 'meta.billed_units.input_tokens'],
];
const completionTokens = [
  ...['usage.completion_tokens', 'usage.output_tokens', 'response.usage.output_tokens', 'eval_count'],
  ...['meta.tokens.output_tokens', 'meta.billed_units.output_tokens'],
];
const cachedTokens = [
  ...['usage.prompt_tokens_details.cached_tokens', 'usage.input_tokens_details.cached_tokens'],
  ...['response.usage.input_tokens_details.cached_tokens', 'usage.prompt_cache_hit_tokens'],
  ...['usage.cache_read_input_tokens'],
];
const allTokens = ['usage.total_tokens'];
const pieces = [
  ...['choices.0.delta.content', 'choices.0.delta.reasoning_content', 'choices.0.delta.reasoning', 'choices.0.text'],
  ...['message.content', 'message.thinking', 'response', 'delta', 'delta.text'],
];
const toolCalls = ['choices.0.delta.tool_calls', 'message.tool_calls'];
const ends = ['choices.0.finish_reason', 'done_reason', 'response.status', 'delta.stop_reason'];
const vectors = ['data.0.embedding', 'embeddings.0', 'embedding'];

export const llmAnswerPlan = planPicks([
  ...[...promptTokens, ...completionTokens, ...cachedTokens, ...allTokens],
  ...[...pieces, ...toolCalls, ...ends, ...vectors, 'error', 'done', 'choices', 'type'],
]);

type Heard = Pick<Reading, 'outcome' | 'reason'> &
  Pick<LlmReading, 'promptTokens' | 'completionTokens' | 'cachedTokens' | 'firstTokenMs' | 'dimension'>;

/** Puts together what the pieces of an answer say. */
export function createLlmJudge() {
  let firstTokenMs: number | null = null;
  let failed = false;
  let finish: string | undefined;
  let ended = false;
  let talked = false;
  let dimension: number | null = null;
  const tokens: Record<'prompt' | 'completion' | 'cached' | 'all', number | null> = {
    ...{ prompt: null, completion: null, cached: null, all: null },
  };

  return {
    piece(picked: ReadonlyMap<string, Picked>, sinceMs: number): void {
      const error = picked.get('error');
      if (error !== undefined && error.kind !== 'null' && error.kind !== 'false') failed = true;
      if (firstTokenMs === null && hasContent(picked)) firstTokenMs = sinceMs;
      if (picked.has('choices') || picked.has('done') || picked.has('type')) talked = true;
      if (picked.get('done')?.kind === 'true') ended = true;
      for (const path of ends) {
        const said = picked.get(path);
        if (said?.kind === 'string' && said.text !== 'in_progress' && said.text !== 'queued') finish = said.text;
      }
      // The last word counts: some providers send what was used so far with every piece.
      tokens.prompt = countOf(picked, promptTokens) ?? tokens.prompt;
      tokens.completion = countOf(picked, completionTokens) ?? tokens.completion;
      tokens.cached = countOf(picked, cachedTokens) ?? tokens.cached;
      tokens.all = countOf(picked, allTokens) ?? tokens.all;
      for (const path of vectors) dimension ??= dimensionOf(picked.get(path));
    },
    done(): void {
      ended = true;
    },
    conclude(framing: Framing | undefined): Heard {
      const streams = framing === 'events' || framing === 'lines';
      const cut = streams && talked && !ended && finish === undefined;
      return {
        outcome: failed ? 'hidden_error' : cut ? 'upstream_broken' : null,
        reason: failed ? 'error-body' : cut ? 'unfinished' : finishWord(finish),
        // Rerankers and embeddings of some providers tell one number for all.
        promptTokens: tokens.prompt ?? (tokens.completion === null ? tokens.all : null),
        completionTokens: tokens.completion,
        cachedTokens: tokens.cached,
        firstTokenMs,
        dimension,
      };
    },
  };
}

/** Why a model stopped before it was done; undefined when it was done. */
const finishWord = (finish: string | undefined): string | null =>
  finish === 'length' || finish === 'max_tokens' || finish === 'incomplete'
    ? 'length'
    : finish === 'content_filter' || finish === 'refusal'
      ? 'content-filter'
      : null;

const hasContent = (picked: ReadonlyMap<string, Picked>): boolean =>
  pieces.some((path) => {
    const one = picked.get(path);
    return one?.kind === 'string' && one.size > 0;
  }) || toolCalls.some((path) => (picked.get(path)?.size ?? 0) > 0);

function countOf(picked: ReadonlyMap<string, Picked>, paths: readonly string[]): number | null {
  for (const path of paths) {
    const one = picked.get(path);
    if (one?.kind !== 'number') continue;
    const count = Number(one.text);
    if (Number.isSafeInteger(count) && count >= 0) return count;
  }
  return null;
}

/** Numbers of an array; of base64 four bytes each. */
function dimensionOf(vector: Picked | undefined): number | null {
  if (vector?.kind === 'array') return vector.size > 0 ? vector.size : null;
  if (vector?.kind !== 'string' || vector.size === 0) return null;
  const padding = /=*$/.exec(vector.tail)?.[0].length ?? 0;
  const numbers = Math.floor((vector.size - padding) * 0.75) / 4;
  return Number.isInteger(numbers) ? numbers : null;
}
