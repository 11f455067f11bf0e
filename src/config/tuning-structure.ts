import { resolve } from 'node:path';
import { z } from 'zod';
import type { EndpointReading } from './store-endpoint.ts';

const line = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'holds control characters');
const url = z.url({ protocol: /^https?$/ }).regex(/^[hH][tT][tT][pP][sS]?:\/\//);

/** One half of a provider: who is asked, as the backend's own settings name it. The key is named, never written. */
const half = {
  binding: line(60),
  model: line(200),
  host: url,
  key_env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable')
    .optional(),
  key_file: z.string().min(1).optional(),
  /** `list` asks which models there are and costs nothing; `call` has one token, or one vector, made. */
  check: z.enum(['list', 'call', 'none']).optional(),
  /** Where it is asked, when that is not `host`. */
  check_url: url.optional(),
  /** How it is asked: as Ollama is, or as OpenAI is. */
  check_api: z.enum(['openai', 'ollama']).optional(),
};

export const tuningStructure = z.strictObject({
  providers: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be lower-case letters, digits, dashes, underscores'),
        llm: z.strictObject(half).optional(),
        embedding: z.strictObject({ ...half, dimension: z.int().min(1).max(100_000).optional() }).optional(),
      }),
    )
    .max(50)
    .optional(),
});
export type TuningStructure = z.infer<typeof tuningStructure>;

export type ModelProviderHalf = {
  readonly binding: string;
  readonly model: string;
  readonly host: string;
  /** A file is read when it is needed, so that it may be renewed. Undefined: it takes none. */
  readonly key: { readonly value: string } | { readonly file: string } | undefined;
  /** Undefined: it is not asked. */
  readonly check:
    | { readonly look: 'list' | 'call'; readonly url: string; readonly api: 'openai' | 'ollama' }
    | undefined;
};

/** A provider of models that the backend can be switched to. Holds secrets. */
export type ModelProvider = {
  readonly id: string;
  readonly llm: ModelProviderHalf | undefined;
  readonly embedding: (ModelProviderHalf & { readonly dimension: number | undefined }) | undefined;
};

type GivenHalf = z.infer<z.ZodObject<typeof half>>;

export function buildProviders(
  { providers = [] }: TuningStructure,
  { env, cwd, problems }: EndpointReading,
): readonly ModelProvider[] {
  const complain = (place: string, message: string, mend: string): void => {
    problems.push({ place, message, mend });
  };
  const keyOf = ({ key_env: name, key_file: file }: GivenHalf, place: string): ModelProviderHalf['key'] => {
    if (name !== undefined && file !== undefined)
      complain(place, 'the key is named twice, as a variable and as a file', 'Name it once.');
    if (file !== undefined) return { file: resolve(cwd, file) };
    if (name === undefined) return undefined;
    const value = env[name] ?? '';
    if (value === '') complain(place, `names the variable ${name}, which is not set`, `Set ${name}.`);
    return { value };
  };
  const halfOf = (given: GivenHalf, place: string, look: 'list' | 'call'): ModelProviderHalf => {
    const { binding, model, host, check = look, check_url: checkUrl, check_api: api } = given;
    // The API of Gemini itself is another one; beside it stands one as OpenAI has it.
    const usual = binding === 'gemini' ? `${host.replace(/\/$/, '')}/v1beta/openai` : host;
    return {
      ...{ binding, model, host, key: keyOf(given, place) },
      check:
        check === 'none'
          ? undefined
          : { look: check, url: checkUrl ?? usual, api: api ?? (binding === 'ollama' ? 'ollama' : 'openai') },
    };
  };
  const seen = new Set<string>();
  return providers.map(({ id, llm, embedding }) => {
    const place = `tuning.providers ${id}`;
    if (seen.has(id)) complain(place, 'stands there twice', 'Give each an id of its own.');
    seen.add(id);
    if (llm === undefined && embedding === undefined) complain(place, 'names no model', 'Give it llm or embedding.');
    return {
      id,
      llm: llm && halfOf(llm, place, 'list'),
      embedding: embedding && { ...halfOf(embedding, place, 'call'), dimension: embedding.dimension },
    };
  });
}
