import type { ModelProvider, ModelProviderHalf } from '../../config/index.ts';
import { lookAtModel } from '../../health/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import type { Looked } from './provider.ts';

const timeoutMs = 30_000;

/**
 * Whether a provider has what the backend is going to ask of it. An embedding is held against the dimension that the index will have.
 */
export async function lookAtProvider(
  deps: {
    readonly http: HttpRequester;
    readonly clock: Clock;
    readKey(of: NonNullable<ModelProviderHalf['key']>): Promise<string>;
  },
  { llm, embedding }: ModelProvider,
  indexDimension: number | undefined,
  signal: AbortSignal,
): Promise<readonly Looked[]> {
  const look = async (
    of: 'llm' | 'embedding',
    half: ModelProviderHalf,
    dimension: number | undefined,
  ): Promise<Looked> => {
    const { check, model, key } = half;
    if (check === undefined) return { of, status: 'skipped', message: 'The settings say not to ask it.' };
    const seen = await lookAtModel(
      deps,
      {
        url: check.url,
        timeoutMs,
        headers: async (): Promise<Record<string, string>> =>
          key === undefined ? {} : { authorization: `Bearer ${await deps.readKey(key)}` },
      },
      { role: of, api: check.api, model, look: check.look, dimension: () => dimension },
      signal,
    );
    const well = seen.status === 'healthy' || seen.status === 'degraded';
    return { of, status: well ? 'passed' : 'failed', message: seen.message ?? 'It does not answer.' };
  };
  const looked: Looked[] = [];
  if (llm) looked.push(await look('llm', llm, undefined));
  if (embedding) looked.push(await look('embedding', embedding, embedding.dimension ?? indexDimension));
  return looked;
}
