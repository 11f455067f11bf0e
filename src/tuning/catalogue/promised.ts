import type { Parameter } from '../parameter.ts';

const whole = (least: number, most: number) => ({ type: 'integer', least, most }) as const;
const own = { backend: 'lightrag', perUser: true } as const;

/** The six that every caller may have of its own. Those without a counterpart are kept and told, and change no backend. */
export const promisedParameters = [
  {
    ...own,
    name: 'chunk_size',
    backendName: 'CHUNK_SIZE',
    kind: whole(100, 5_000),
    fallback: 1_000,
    unit: 'tokens',
    meaning: 'Size of a chunk; larger ones cost context, smaller ones more calls. LightRAG advises 500 to 1500.',
    class: 'new-documents',
  },
  {
    ...own,
    name: 'graph_traversal_depth',
    backendName: null,
    kind: whole(1, 5),
    fallback: 3,
    unit: null,
    meaning:
      'How far a walk through the graph goes. LightRAG retrieves one step around what matches: a hint to viewers.',
    class: 'hint',
  },
  {
    ...own,
    name: 'cache_enabled',
    backendName: 'ENABLE_LLM_CACHE',
    kind: { type: 'boolean' },
    fallback: true,
    unit: null,
    meaning: 'Whether answers of the model are kept and given again; kept answers can be stale.',
    class: 'safe',
  },
  {
    ...own,
    name: 'cache_size',
    backendName: null,
    kind: whole(10, 10_000),
    fallback: 1_000,
    unit: null,
    meaning: 'How many answers to keep. LightRAG keeps all of them: a hint to whoever cleans up.',
    class: 'hint',
  },
  {
    ...own,
    name: 'vector_dimension',
    backendName: 'EMBEDDING_DIM',
    kind: whole(768, 4_096),
    fallback: 1_536,
    unit: 'dimensions',
    meaning: 'Dimension of the embeddings; another one makes every stored vector worthless.',
    class: 're-embed',
  },
  {
    ...own,
    name: 'max_token_size',
    backendName: 'EMBEDDING_TOKEN_LIMIT',
    kind: whole(1_024, 32_768),
    fallback: 8_192,
    unit: 'tokens',
    meaning: 'The most that is embedded at once; a chunk must fit into it.',
    class: 'new-documents',
  },
] as const satisfies readonly Parameter[];
