import type { Reading } from '../lens.ts';
import type { LlmReading } from '../observation.ts';
import type { Framing } from './answer-reader.ts';
import { type Picked, planPicks } from './json-picker.ts';

type Tokens = 'prompt' | 'completion' | 'cached' | 'all';

/** What OpenAI writes, its newer API, Ollama, and what others write in their place. */
const tokenPaths: Readonly<Record<Tokens, readonly string[]>> = {
  prompt: [
    ...['usage.prompt_tokens', 'usage.input_tokens', 'response.usage.input_tokens', 'message.usage.input_tokens'],
    ...['prompt_eval_count', 'meta.tokens.input_tokens', 'meta.billed_units.input_tokens'],
  ],
  completion: [
    ...['usage.completion_tokens', 'usage.output_tokens', 'response.usage.output_tokens', 'eval_count'],
    ...['meta.tokens.output_tokens', 'meta.billed_units.output_tokens'],
  ],
  cached: [
    ...['usage.prompt_tokens_details.cached_tokens', 'usage.input_tokens_details.cached_tokens'],
    ...['response.usage.input_tokens_details.cached_tokens', 'usage.prompt_cache_hit_tokens'],
    ...['usage.cache_read_input_tokens'],
  ],
  all: ['usage.total_tokens'],
};
const pieces = [
  ...['choices.0.delta.content', 'choices.0.delta.reasoning_content', 'choices.0.delta.reasoning', 'choices.0.text'],
  ...['message.content', 'message.thinking', 'response', 'delta', 'delta.text'],
  ...['choices.0.delta.tool_calls', 'message.tool_calls'],
];
const ends = ['choices.0.finish_reason', 'done_reason', 'response.status', 'delta.stop_reason'];
const vectors = ['data.0.embedding', 'embeddings.0', 'embedding'];

type Meaning = Tokens | 'piece' | 'end' | 'vector' | 'error' | 'done' | 'talk';
const meanings = new Map<string, Meaning>([
  ...Object.entries(tokenPaths).flatMap(([what, paths]) => paths.map((path) => [path, what as Tokens] as const)),
  ...pieces.map((path) => [path, 'piece'] as const),
  ...ends.map((path) => [path, 'end'] as const),
  ...vectors.map((path) => [path, 'vector'] as const),
  ...([
    ['error', 'error'],
    ['done', 'done'],
    ['choices', 'talk'],
    ['type', 'talk'],
  ] as const),
]);

// Of a piece of an answer only counts whether it is empty.
export const llmAnswerPlan = planPicks([...meanings].map(([path, what]) => (what === 'piece' ? [path, 1] : path)));

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
  const tokens: Record<Tokens, number | null> = { prompt: null, completion: null, cached: null, all: null };

  const hear = (meaning: Meaning | undefined, one: Picked, sinceMs: number): void => {
    switch (meaning) {
      case 'piece':
        if ((one.kind === 'string' || one.kind === 'array') && one.size > 0) firstTokenMs ??= sinceMs;
        break;
      case 'talk':
        talked = true;
        break;
      case 'done':
        talked = true;
        if (one.kind === 'true') ended = true;
        break;
      case 'end':
        if (one.kind === 'string' && one.text !== 'in_progress' && one.text !== 'queued') finish = one.text;
        break;
      case 'error':
        if (one.kind !== 'null' && one.kind !== 'false') failed = true;
        break;
      case 'vector':
        dimension ??= dimensionOf(one);
        break;
      case undefined:
        break;
      default:
        // The last word counts: some providers send what was used so far with every piece.
        tokens[meaning] = countOf(one) ?? tokens[meaning];
    }
  };

  return {
    piece(picked: ReadonlyMap<string, Picked>, sinceMs: number): void {
      for (const [path, one] of picked) hear(meanings.get(path), one, sinceMs);
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

function countOf(one: Picked): number | null {
  const count = one.kind === 'number' ? Number(one.text) : -1;
  return Number.isSafeInteger(count) && count >= 0 ? count : null;
}

/** Numbers of an array; of base64 four bytes each. */
function dimensionOf(vector: Picked | undefined): number | null {
  if (vector?.kind === 'array') return vector.size > 0 ? vector.size : null;
  if (vector?.kind !== 'string' || vector.size === 0) return null;
  const padding = /=*$/.exec(vector.tail)?.[0].length ?? 0;
  const numbers = Math.floor((vector.size - padding) * 0.75) / 4;
  return Number.isInteger(numbers) ? numbers : null;
}
