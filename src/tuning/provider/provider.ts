import type { ModelProvider, ModelProviderHalf } from '../../config/index.ts';
import type { TuningValue } from '../parameter.ts';

/** Names that a caller may use for the same provider: the documents call it otherwise than LightRAG does. */
const sameAs: Readonly<Record<string, string>> = { gemini: 'google_gemini', google_gemini: 'gemini' };

export const findProvider = (providers: readonly ModelProvider[], name: string): ModelProvider | undefined =>
  providers.find(({ id }) => id === name) ?? providers.find(({ id }) => id === sameAs[name]);

/** What has to be set for the backend to ask this provider, under our own names. Without the keys, which are no parameters. */
export function parametersOf({ llm, embedding }: ModelProvider): Readonly<Record<string, TuningValue>> {
  return {
    ...(llm && { llm_binding: llm.binding, llm_model: llm.model, llm_binding_host: llm.host }),
    ...(embedding && {
      embedding_binding: embedding.binding,
      embedding_model: embedding.model,
      embedding_binding_host: embedding.host,
      ...(embedding.dimension === undefined ? {} : { vector_dimension: embedding.dimension }),
    }),
  };
}

/** What was changed with another key beside it, or names whose it is: such a change is judged and not taken back by itself, since nobody keeps the key of before. */
export const namesProvider = (changed: string): boolean =>
  /^(llm|embedding)_binding(_host)?$|_BINDING_API_KEY$/.test(changed);

/** Variables that hold the keys; null takes a key away that belongs to somebody else. */
export async function keysOf(
  { llm, embedding }: ModelProvider,
  read: (key: NonNullable<ModelProviderHalf['key']>) => Promise<string>,
): Promise<Readonly<Record<string, string | null>>> {
  const of = async (half: ModelProviderHalf | undefined, variable: string): Promise<Record<string, string | null>> =>
    half === undefined ? {} : { [variable]: half.key === undefined ? null : await read(half.key) };
  return {
    ...(await of(llm, 'LLM_BINDING_API_KEY')),
    ...(await of(embedding, 'EMBEDDING_BINDING_API_KEY')),
  };
}

/** Who is asked now, by the id that the settings have for it, else in the backend's own word. */
export function nameOfRunning(
  providers: readonly ModelProvider[],
  { binding, model }: { readonly binding: string | undefined; readonly model: string | undefined },
): string | null {
  if (binding === undefined) return null;
  const fits = providers.filter(({ llm }) => llm?.binding === binding);
  return fits.find(({ llm }) => llm?.model === model)?.id ?? (binding === 'gemini' ? 'google_gemini' : binding);
}

export type Looked = {
  readonly of: 'llm' | 'embedding';
  /** `skipped`: the settings say not to ask it. */
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly message: string;
};

export type SwitchOutcome = {
  readonly success: boolean;
  readonly previousProvider: string | null;
  readonly currentProvider: string | null;
  readonly message: string;
  /** What was looked at before anything was touched; then, where it came so far, once more behind it. */
  readonly looked: readonly Looked[];
  readonly revision: number | null;
};
