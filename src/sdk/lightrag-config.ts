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

/** The six parameters of LightRAG; what is not given is as it is where nobody set anything. */
export class LightRAGConfig implements LightRAGConfigValues {
  readonly chunkSize: number = 1_000;
  readonly graphTraversalDepth: number = 3;
  readonly cacheEnabled: boolean = true;
  readonly cacheSize: number = 1_000;
  readonly vectorDimension: number = 1_536;
  readonly maxTokenSize: number = 8_192;

  constructor(values: Partial<LightRAGConfigValues> = {}) {
    Object.assign(
      this,
      Object.fromEntries(names.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]]))),
    );
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
  values: Partial<LightRAGConfigValues>,
  userId: string | undefined = undefined,
): Promise<LightRAGConfig> {
  const given = names.flatMap((name) => (values[name] === undefined ? [] : [[wireNames[name], values[name]] as const]));
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
