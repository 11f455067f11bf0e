import { z } from 'zod';
import { answered, ask, type HttpPlace, type Look, type LookDeps, refusalOf, timed, unreached } from './http-look.ts';

export type ModelWish = {
  readonly role: 'llm' | 'embedding';
  readonly api: 'openai' | 'ollama';
  readonly model: string | undefined;
  readonly look: 'list' | 'call';
  /** Of the vectors that the backend has; undefined where nobody knows. */
  dimension(): number | undefined;
};

const paths = {
  openai: { list: '/models', llm: '/chat/completions', embedding: '/embeddings' },
  ollama: { list: '/api/tags', llm: '/api/generate', embedding: '/api/embed' },
} as const;

const listed = {
  openai: z.object({ data: z.array(z.object({ id: z.string() })) }).transform(({ data }) => data.map(({ id }) => id)),
  ollama: z
    .object({ models: z.array(z.object({ name: z.string() })) })
    .transform(({ models }) => models.flatMap(({ name }) => [name, name.replace(/:latest$/, '')])),
};

const vector = z.array(z.number());
const embedded = {
  openai: z
    .object({ data: z.array(z.object({ embedding: vector })).min(1) })
    .transform(({ data }) => data[0]?.embedding),
  ollama: z.object({ embeddings: z.array(vector).min(1) }).transform(({ embeddings }) => embeddings[0]),
};
const said = {
  openai: z.object({ choices: z.array(z.unknown()).min(1) }),
  ollama: z.object({ response: z.string() }),
};

/** What a call sends; as little as can be had. */
function callOf({ api, role, model }: ModelWish): unknown {
  const text = 'ragwarden';
  if (role === 'embedding') return { model, input: text };
  return api === 'openai'
    ? { model, messages: [{ role: 'user', content: text }], max_tokens: 1 }
    : { model, prompt: text, stream: false, options: { num_predict: 1 } };
}

/**
 * A provider of models: which ones it has, or a call with as little as can be had. An embedding is held against the index: vectors
 * of another length come from another model, and nothing is found with them.
 */
export async function lookAtModel(
  deps: LookDeps,
  place: HttpPlace,
  wish: ModelWish,
  signal: AbortSignal,
): Promise<Look> {
  const { api, look, role, model } = wish;
  try {
    const seen = await ask(
      deps,
      place,
      look === 'list' ? { path: paths[api].list } : { path: paths[api][role], method: 'POST', body: callOf(wish) },
      signal,
    );
    const refusal = refusalOf(seen);
    if (refusal) return refusal;
    const body: unknown = seen.answer.json();
    if (look === 'list') return judgeList(listed[api].parse(body), model, seen.tookMs);
    if (role === 'embedding') return judgeVector(embedded[api].parse(body) ?? [], wish.dimension(), seen.tookMs);
    said[api].parse(body);
    return answered(seen.tookMs, `${model} answers.`);
  } catch (err) {
    if (err instanceof z.ZodError || err instanceof SyntaxError)
      return {
        status: 'unhealthy',
        message: `It answers, but not as ${api === 'openai' ? 'the API of OpenAI' : 'Ollama'} does.`,
      };
    return unreached(err);
  }
}

function judgeList(models: readonly string[], model: string | undefined, tookMs: number): Look {
  if (model !== undefined && !models.includes(model))
    return {
      ...timed(tookMs),
      status: 'unhealthy',
      message: `It answers, but has no model ${model}.`,
      details: { models: models.length },
    };
  return {
    ...answered(
      tookMs,
      model === undefined ? `It answers, with ${models.length} models.` : `It answers, and has ${model}.`,
    ),
    details: { models: models.length },
  };
}

function judgeVector(made: readonly number[], wanted: number | undefined, tookMs: number): Look {
  const details = { dimension: made.length, index_dimension: wanted ?? null };
  if (made.length === 0)
    return { ...timed(tookMs), status: 'unhealthy', message: 'It answers with no vector.', details };
  if (wanted !== undefined && made.length !== wanted)
    return {
      ...timed(tookMs),
      status: 'critical',
      message: `Its vectors have ${made.length} numbers, those of the index ${wanted}: it is another model, and nothing will be found.`,
      blocks: ['answer', 'ingest'],
      details,
    };
  return { ...answered(tookMs, `It makes vectors of ${made.length} numbers.`), details };
}
