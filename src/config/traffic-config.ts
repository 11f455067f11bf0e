import { z } from 'zod';
import { env, setting } from './setting.ts';
import { wholeNumber } from './value-parsers.ts';

const usd = z.number().min(0).max(1_000_000);

/** What a model takes, in US dollars per million tokens. */
export const modelPrice = z.strictObject({
  /** Name, or its beginning followed by `*`. */
  model: z
    .string()
    .max(200)
    .regex(/^[^*\s]*\*?$/, 'must be a name, or a beginning of names followed by *')
    .min(1),
  /** Only for calls of this provider of `gateway.providers`. */
  provider: z.string().min(1).max(100).optional(),
  input_usd: usd,
  /** Embeddings have none. */
  output_usd: usd.optional(),
  cached_input_usd: usd.optional(),
});

export const trafficStructure = z.strictObject({ prices: z.array(modelPrice).max(1_000).optional() });
export type TrafficStructure = z.infer<typeof trafficStructure>;

export type ModelPrice = {
  readonly model: string;
  readonly provider: string | undefined;
  readonly inputUsd: number;
  readonly outputUsd: number;
  readonly cachedInputUsd: number | undefined;
};

export const buildPrices = ({ prices = [] }: TrafficStructure): readonly ModelPrice[] =>
  prices.map(({ model, provider, input_usd, output_usd, cached_input_usd }) => ({
    ...{ model, provider, inputUsd: input_usd, outputUsd: output_usd ?? 0, cachedInputUsd: cached_input_usd },
  }));

export const trafficSettings = {
  trafficMaxExchanges: setting({
    key: 'traffic.max_exchanges',
    env: env('RAGWARDEN_TRAFFIC_MAX_EXCHANGES'),
    parser: wholeNumber(100, 10_000_000),
    fallback: 32_768,
    about:
      'Latest requests and calls of models that are kept in memory, about 500 bytes each: what summaries and percentiles over a window are made of.',
  }),
} as const;
