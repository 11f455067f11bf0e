import type { LlmReading } from '../gateway/index.ts';

/** What a model takes, in US dollars per million tokens. */
export type Price = {
  /** Name of the model, or a beginning of it followed by `*`. */
  readonly model: string;
  /** Only for calls of this provider. */
  readonly provider?: string | undefined;
  readonly inputUsd: number;
  readonly outputUsd: number;
  /** Of input tokens that the provider had in its cache; those cost as much as others unless told. */
  readonly cachedInputUsd?: number | undefined;
};

export type PriceTable = {
  /** Undefined when nobody said what it takes. The most particular entry counts: a whole name, else the longest beginning. */
  find(provider: string, model: string): Price | undefined;
};

/** `gpt-4o*` fits `gpt-4o-mini`; upper and lower case are the same, and so is a vendor before a slash that the price does not name. */
export function createPriceTable(prices: readonly Price[]): PriceTable {
  const entries = prices.map((price) => {
    const name = price.model.toLowerCase();
    return name.endsWith('*')
      ? { price, beginning: name.slice(0, -1), whole: false }
      : { price, beginning: name, whole: true };
  });
  const rankOf = ({ price, beginning, whole }: (typeof entries)[number]): number =>
    (whole ? 1_000_000 : 0) + beginning.length * 2 + (price.provider === undefined ? 0 : 1);
  entries.sort((a, b) => rankOf(b) - rankOf(a));
  const fits = ({ beginning, whole }: (typeof entries)[number], name: string): boolean =>
    whole ? name === beginning : name.startsWith(beginning);
  return {
    find(provider, model) {
      const name = model.toLowerCase();
      const bare = name.slice(name.lastIndexOf('/') + 1);
      for (const entry of entries) {
        if (entry.price.provider !== undefined && entry.price.provider !== provider) continue;
        if (fits(entry, name) || fits(entry, bare)) return entry.price;
      }
      return undefined;
    },
  };
}

type Tokens = Pick<LlmReading, 'promptTokens' | 'completionTokens' | 'cachedTokens'>;

/**
 * What a call took by its own counts, in US dollars; null when it told no tokens at all. Cached tokens are part of the input ones,
 * as the providers count them.
 */
export function costOf(price: Price, { promptTokens, completionTokens, cachedTokens }: Tokens): number | null {
  if (promptTokens === null && completionTokens === null) return null;
  const input = promptTokens ?? 0;
  const cached = Math.min(cachedTokens ?? 0, input);
  const perMillion =
    (input - cached) * price.inputUsd +
    cached * (price.cachedInputUsd ?? price.inputUsd) +
    (completionTokens ?? 0) * price.outputUsd;
  return perMillion / 1e6;
}
