import { createClient } from './client.ts';
import type { ClientOptions } from './transport.ts';
import type { TuningScope } from './tuning-calls.ts';

const wireNames = {
  chunkSize: 'chunk_size',
  graphTraversalDepth: 'graph_traversal_depth',
  cacheEnabled: 'cache_enabled',
  cacheSize: 'cache_size',
  vectorDimension: 'vector_dimension',
  maxTokenSize: 'max_token_size',
} as const;
type Name = keyof typeof wireNames;
const names = Object.keys(wireNames) as Name[];
/** Here or as the document writes it (`chunk_size`): `chunkSize`. */
const nameOf = (written: string): Name | undefined =>
  names.find((name) => name === written || wireNames[name] === written);

export type LightRAGConfigValues = {
  /** Tokens, 100 to 5000. */
  readonly chunkSize: number;
  /** 1 to 5; a hint, no LightRAG knows it. */
  readonly graphTraversalDepth: number;
  readonly cacheEnabled: boolean;
  /** 10 to 10000; a hint, no LightRAG knows it. */
  readonly cacheSize: number;
  /** 768 to 4096; another one makes every stored vector worthless. */
  readonly vectorDimension: number;
  /** Tokens, 1024 to 32768. */
  readonly maxTokenSize: number;
};

/** The same under the names of the document. */
type AsInDocument = { readonly [Known in Name as (typeof wireNames)[Known]]: LightRAGConfigValues[Known] };
type Given = Partial<LightRAGConfigValues> | Partial<AsInDocument>;

/** The six parameters of LightRAG; what is not given is as it is where nobody set anything. */
export class LightRAGConfig implements LightRAGConfigValues {
  readonly chunkSize: number = 1_000;
  readonly graphTraversalDepth: number = 3;
  readonly cacheEnabled: boolean = true;
  readonly cacheSize: number = 1_000;
  readonly vectorDimension: number = 1_536;
  readonly maxTokenSize: number = 8_192;

  /** @throws TypeError for a name that is none of them */
  constructor(values: Given = {}) {
    for (const [written, value] of Object.entries(values)) {
      const name = nameOf(written);
      if (name === undefined) throw new TypeError(`${written} is none of ${names.join(', ')}.`);
      if (value !== undefined) Object.assign(this, { [name]: value });
    }
  }
}

const scopeOf = (userId: string | undefined): TuningScope => (userId === undefined ? {} : { user: userId });

/** What counts for a user; without one, for everybody who set nothing. Needs an administrator's token. */
export async function getLightragConfig(
  options: ClientOptions,
  userId: string | undefined = undefined,
): Promise<LightRAGConfig> {
  const { items } = await createClient(options).tuning.effective(scopeOf(userId));
  const found = new Map(items.map(({ parameter, value }) => [parameter, value]));
  return new LightRAGConfig(
    Object.fromEntries(
      names.map((name) => [name, found.get(wireNames[name]) ?? undefined]),
    ) as Partial<LightRAGConfigValues>,
  );
}

/**
 * Sets some of the parameters and leaves the others.
 * @returns what counts now
 * @throws RagwardenError `request/invalid` with every violation
 */
export async function setLightragConfig(
  options: ClientOptions,
  values: Given,
  userId: string | undefined = undefined,
): Promise<LightRAGConfig> {
  // A name that nobody knows goes along as it is, so that it is refused and not passed over.
  const given = Object.entries(values).flatMap(([written, value]) => {
    const name = nameOf(written);
    return value === undefined ? [] : [[name ? wireNames[name] : written, value] as const];
  });
  await createClient(options).tuning.set(Object.fromEntries(given), scopeOf(userId));
  return getLightragConfig(options, userId);
}

/** A user's values go; without a user the default is restored and every user's and workspace's values go. */
export async function resetLightragConfig(
  options: ClientOptions,
  userId: string | undefined = undefined,
): Promise<void> {
  await createClient(options).tuning.reset(scopeOf(userId));
}
