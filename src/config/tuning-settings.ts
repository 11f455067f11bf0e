import type { Origins } from './read-config.ts';
import { env, setting } from './setting.ts';
import type { SettingValues } from './settings.ts';
import { flag, wholeNumber } from './value-parsers.ts';

/** What the parameters of the backend are as long as nobody set them over the API, the page or the command line. */
export const tuningSettings = {
  chunkSize: setting({
    key: 'tuning.chunk_size',
    env: env('CHUNK_SIZE'),
    parser: wholeNumber(100, 5000),
    fallback: 1000,
    about: 'Default size of a chunk; larger ones cost context, smaller ones more calls.',
  }),
  graphTraversalDepth: setting({
    key: 'tuning.graph_traversal_depth',
    env: env('GRAPH_TRAVERSAL_DEPTH'),
    parser: wholeNumber(1, 5),
    fallback: 3,
    about: 'Default depth of a walk through the graph; each step multiplies the work.',
  }),
  cacheEnabled: setting({
    key: 'tuning.cache_enabled',
    env: env('CACHE_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Default of whether answers of the model are cached.',
  }),
  cacheSize: setting({
    key: 'tuning.cache_size',
    env: env('CACHE_SIZE'),
    parser: wholeNumber(10, 10_000),
    fallback: 1000,
    about: 'Default number of cached answers.',
  }),
  vectorDimension: setting({
    key: 'tuning.vector_dimension',
    env: env('VECTOR_DIMENSION'),
    parser: wholeNumber(768, 4096),
    fallback: 1536,
    about: 'Default dimension of the embeddings; another one makes every stored vector worthless.',
  }),
  maxTokenSize: setting({
    key: 'tuning.max_token_size',
    env: env('MAX_TOKEN_SIZE'),
    parser: wholeNumber(1024, 32_768),
    fallback: 8192,
    about: 'Default of the most tokens that are embedded at once.',
  }),
} as const;

/** Those that somebody wrote down, under the names of the parameters. A default of ours is nobody's wish. */
export function firstTuningValues(values: SettingValues, origins: Origins): Readonly<Record<string, number | boolean>> {
  const names = Object.keys(tuningSettings) as (keyof typeof tuningSettings)[];
  return Object.fromEntries(
    names
      .filter((name) => origins[name].kind !== 'default' && origins[name].kind !== 'profile')
      .map((name) => [tuningSettings[name].key.replace('tuning.', ''), values[name]]),
  );
}
