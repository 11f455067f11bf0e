/** What is wrong with a backend's settings, or probably not meant. */
export type SettingFinding = {
  /** Short and stable, such as `overlap-below-size`. */
  readonly rule: string;
  readonly severity: 'error' | 'warning' | 'suggestion';
  /** The names it is about; the first is where it shows. */
  readonly names: readonly string[];
  readonly message: string;
  readonly mend: string;
};

type Values = ReadonlyMap<string, string>;
type Rule = (values: Values) => SettingFinding | readonly SettingFinding[] | undefined;

/** Whole numbers the backend reads, with what it takes. Of its version 1.5. */
const numbers: Readonly<
  Record<string, { readonly least: number; readonly most?: number; readonly fallback?: number }>
> = {
  TOP_K: { least: 1, fallback: 40 },
  CHUNK_TOP_K: { least: 1, fallback: 20 },
  MAX_ENTITY_TOKENS: { least: 1, fallback: 6_000 },
  MAX_RELATION_TOKENS: { least: 1, fallback: 8_000 },
  MAX_TOTAL_TOKENS: { least: 1, fallback: 30_000 },
  RELATED_CHUNK_NUMBER: { least: 1, fallback: 5 },
  MAX_GRAPH_NODES: { least: 1, fallback: 1_000 },
  CHUNK_SIZE: { least: 1, fallback: 1_200 },
  CHUNK_OVERLAP_SIZE: { least: 0, fallback: 100 },
  EMBEDDING_DIM: { least: 1 },
  EMBEDDING_BATCH_NUM: { least: 1, fallback: 10 },
  EMBEDDING_FUNC_MAX_ASYNC: { least: 1, fallback: 8 },
  MAX_ASYNC_LLM: { least: 1 },
  MAX_ASYNC: { least: 1 },
  MAX_PARALLEL_INSERT: { least: 1, fallback: 3 },
  MAX_GLEANING: { least: 0, fallback: 1 },
  SUMMARY_MAX_TOKENS: { least: 1, fallback: 1_200 },
  SUMMARY_LENGTH_RECOMMENDED: { least: 1, fallback: 600 },
  SUMMARY_CONTEXT_SIZE: { least: 1, fallback: 12_000 },
  FORCE_LLM_SUMMARY_ON_MERGE: { least: 3, fallback: 8 },
  SCAN_ENQUEUE_BATCH_SIZE: { least: 1, fallback: 100 },
  LLM_TIMEOUT: { least: 1, fallback: 240 },
  EMBEDDING_TIMEOUT: { least: 1, fallback: 30 },
  PORT: { least: 1, most: 65_535, fallback: 9_621 },
  WORKERS: { least: 1, fallback: 2 },
  LOG_MAX_BYTES: { least: 1, fallback: 10_485_760 },
  LOG_BACKUP_COUNT: { least: 0, fallback: 5 },
  POSTGRES_PORT: { least: 1, most: 65_535, fallback: 5_432 },
};

const words: Readonly<Record<string, readonly string[]>> = {
  LLM_BINDING: ['ollama', 'openai', 'azure_openai', 'bedrock', 'gemini', 'lollms', 'openai-ollama', 'aws_bedrock'],
  EMBEDDING_BINDING: [
    'ollama',
    'openai',
    'azure_openai',
    'jina',
    'lollms',
    'bedrock',
    'aws_bedrock',
    'gemini',
    'voyageai',
  ],
  RERANK_BINDING: ['null', 'cohere', 'jina', 'aliyun'],
  KG_CHUNK_PICK_METHOD: ['VECTOR', 'WEIGHT'],
  SOURCE_IDS_LIMIT_METHOD: ['KEEP', 'FIFO'],
};

/** Dimensions of models people use; another one with such a name is a mistake. */
const dimensions: Readonly<Record<string, readonly number[]>> = {
  'bge-m3': [1_024],
  'bge-m3:latest': [1_024],
  'BAAI/bge-m3': [1_024],
  'nomic-embed-text': [768],
  'mxbai-embed-large': [1_024],
  'text-embedding-ada-002': [1_536],
};
/** Of models that can be asked for fewer dimensions than they have. */
const shortened: Readonly<Record<string, number>> = {
  'text-embedding-3-large': 3_072,
  'text-embedding-3-small': 1_536,
};

const numberOf = (values: Values, name: string): number | undefined => {
  const text = values.get(name);
  if (text === undefined || text === '') return numbers[name]?.fallback;
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
};
const isOn = (values: Values, name: string): boolean => /^(true|1|yes|on|t)$/i.test(values.get(name) ?? '');
const isSet = (values: Values, ...names: string[]): boolean =>
  names.some((name) => (values.get(name) ?? '') !== '' && !/^(none|null)$/i.test(values.get(name) ?? ''));

const wellFormed: Rule = (values) =>
  [...values].flatMap(([name, value]): SettingFinding[] => {
    const shape = numbers[name];
    // A reference to another variable is decided when the backend reads it.
    if (value === '' || value.includes('${')) return [];
    if (shape) {
      const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
      const range = shape.most === undefined ? `from ${shape.least} on` : `from ${shape.least} to ${shape.most}`;
      if (!(number >= shape.least) || number > (shape.most ?? Number.POSITIVE_INFINITY))
        return [
          {
            rule: 'whole-number',
            severity: 'error',
            names: [name],
            message: `${name} is no whole number ${range}`,
            mend: `Give a whole number ${range}.`,
          },
        ];
    }
    const choice = words[name];
    if (choice && !choice.includes(value))
      return [
        {
          rule: 'known-word',
          severity: 'error',
          names: [name],
          message: `${name} is none of ${choice.join(', ')}`,
          mend: `Choose one of ${choice.join(', ')}.`,
        },
      ];
    return [];
  });

/** Both are numbers, and they are the wrong way round. */
const compare =
  (
    rule: string,
    [low, high]: readonly [string, string],
    isWrong: (low: number, high: number) => boolean,
    severity: SettingFinding['severity'],
    message: string,
    mend: string,
  ): Rule =>
  (values) => {
    const [a, b] = [numberOf(values, low), numberOf(values, high)];
    if (!isSet(values, low, high)) return undefined;
    if (a === undefined || b === undefined || !isWrong(a, b)) return undefined;
    return { rule, severity, names: [low, high], message: `${message} (${low} ${a}, ${high} ${b})`, mend };
  };

const rules: readonly Rule[] = [
  wellFormed,
  compare(
    'overlap-below-size',
    ['CHUNK_OVERLAP_SIZE', 'CHUNK_SIZE'],
    (a, b) => a >= b,
    'error',
    'chunks overlap by as much as they are long',
    'Make CHUNK_OVERLAP_SIZE smaller than CHUNK_SIZE.',
  ),
  (values) => {
    const size = numberOf(values, 'CHUNK_SIZE');
    if (!isSet(values, 'CHUNK_SIZE') || size === undefined || (size >= 500 && size <= 1_500)) return undefined;
    return {
      rule: 'advised-chunk-size',
      severity: 'suggestion',
      names: ['CHUNK_SIZE'],
      message: `chunks of ${size} tokens are outside of what is advised`,
      mend: 'From 500 to 1,500 is advised; documents that are there keep theirs.',
    };
  },
  (values) => {
    const names = ['MAX_ENTITY_TOKENS', 'MAX_RELATION_TOKENS', 'MAX_TOTAL_TOKENS'];
    const [entity, relation, total] = names.map((name) => numberOf(values, name));
    if (!isSet(values, ...names) || entity === undefined || relation === undefined || total === undefined)
      return undefined;
    if (entity + relation < total) return undefined;
    return {
      rule: 'budgets-fit',
      severity: 'error',
      names,
      message: `entities (${entity}) and relations (${relation}) leave no room for chunks in ${total} tokens`,
      mend: 'Make MAX_ENTITY_TOKENS and MAX_RELATION_TOKENS together smaller than MAX_TOTAL_TOKENS.',
    };
  },
  compare(
    'summary-length',
    ['SUMMARY_LENGTH_RECOMMENDED', 'SUMMARY_MAX_TOKENS'],
    (a, b) => a > b,
    'error',
    'summaries are wished longer than they may be',
    'Make SUMMARY_LENGTH_RECOMMENDED at most SUMMARY_MAX_TOKENS.',
  ),
  compare(
    'summary-context',
    ['SUMMARY_CONTEXT_SIZE', 'MAX_TOTAL_TOKENS'],
    (a, b) => a > b,
    'warning',
    'a summary reads more than a query may hold',
    'Make SUMMARY_CONTEXT_SIZE at most MAX_TOTAL_TOKENS.',
  ),
  (values) => {
    const gleaning = numberOf(values, 'MAX_GLEANING');
    if (gleaning === undefined || gleaning <= 1) return undefined;
    return {
      rule: 'gleaning',
      severity: 'warning',
      names: ['MAX_GLEANING'],
      message: `${gleaning} rounds of gleaning cost as many calls of the model for each chunk`,
      mend: '0 or 1 is what it is made for.',
    };
  },
  (values) => {
    const [inserts, calls] = [
      numberOf(values, 'MAX_PARALLEL_INSERT'),
      numberOf(values, 'MAX_ASYNC_LLM') ?? numberOf(values, 'MAX_ASYNC') ?? 4,
    ];
    if (
      inserts === undefined ||
      !isSet(values, 'MAX_PARALLEL_INSERT', 'MAX_ASYNC_LLM', 'MAX_ASYNC') ||
      inserts <= calls
    )
      return undefined;
    return {
      rule: 'parallel-inserts',
      severity: 'warning',
      names: ['MAX_PARALLEL_INSERT', 'MAX_ASYNC_LLM'],
      message: `${inserts} documents at once share ${calls} calls of the model`,
      mend: 'Make MAX_PARALLEL_INSERT about a third of MAX_ASYNC_LLM.',
    };
  },
  (values) => {
    const model = values.get('EMBEDDING_MODEL') ?? '';
    const dimension = numberOf(values, 'EMBEDDING_DIM');
    const known = dimensions[model];
    const greatest = shortened[model];
    if (dimension === undefined) return undefined;
    if ((known === undefined || known.includes(dimension)) && (greatest === undefined || dimension <= greatest))
      return undefined;
    return {
      rule: 'embedding-dimension',
      severity: 'error',
      names: ['EMBEDDING_DIM', 'EMBEDDING_MODEL'],
      message: `${model} has no ${dimension} dimensions`,
      mend: `Set EMBEDDING_DIM to ${known?.join(' or ') ?? `at most ${greatest}`}; an index of another dimension has to be built anew.`,
    };
  },
  (values) => {
    if (/^[A-Za-z0-9_]*$/.test(values.get('WORKSPACE') ?? '')) return undefined;
    return {
      rule: 'workspace-name',
      severity: 'error',
      names: ['WORKSPACE'],
      message: 'the name of the workspace holds more than letters, digits and underscores',
      mend: 'The backend replaces other signs, so that two names can become one. Use letters, digits and underscores.',
    };
  },
  (values) =>
    isSet(values, 'AUTH_ACCOUNTS') && !isSet(values, 'TOKEN_SECRET')
      ? {
          rule: 'token-secret',
          severity: 'error',
          names: ['TOKEN_SECRET', 'AUTH_ACCOUNTS'],
          message: 'there are accounts and no secret to sign their tokens with',
          mend: 'Set TOKEN_SECRET to a long random text.',
        }
      : undefined,
  (values) => {
    const prefixes = ['EMBEDDING_QUERY_PREFIX', 'EMBEDDING_DOCUMENT_PREFIX'].filter((name) => isSet(values, name));
    if (prefixes.length === 0 || isOn(values, 'EMBEDDING_ASYMMETRIC')) return undefined;
    return {
      rule: 'prefixes-need-asymmetric',
      severity: 'warning',
      names: [...prefixes, 'EMBEDDING_ASYMMETRIC'],
      message: 'prefixes of embeddings have no effect',
      mend: 'Set EMBEDDING_ASYMMETRIC=true (vectors that are there then no longer fit), or take the prefixes out.',
    };
  },
  (values) => {
    const host = values.get('HOST') ?? '0.0.0.0';
    if (!['0.0.0.0', '::', ''].includes(host) || isSet(values, 'LIGHTRAG_API_KEY', 'AUTH_ACCOUNTS')) return undefined;
    return {
      rule: 'open-server',
      severity: 'warning',
      names: ['HOST', 'LIGHTRAG_API_KEY'],
      message: 'everybody who reaches the machine may read and delete everything',
      mend: 'Set LIGHTRAG_API_KEY or AUTH_ACCOUNTS, or HOST=127.0.0.1.',
    };
  },
  (values) => {
    const open = (values.get('WHITELIST_PATHS') ?? '/health,/api/*').split(',').map((path) => path.trim());
    if (!isSet(values, 'LIGHTRAG_API_KEY', 'AUTH_ACCOUNTS') || !open.some((path) => /^\/(api\/)?\*$/.test(path)))
      return undefined;
    return {
      rule: 'whitelist',
      severity: 'warning',
      names: ['WHITELIST_PATHS'],
      message: '/api/* is open to everybody although a key is set',
      mend: 'Set WHITELIST_PATHS=/health.',
    };
  },
  (values) =>
    /^(false|0|no|off|f)$/i.test(values.get('ENABLE_LLM_CACHE_FOR_EXTRACT') ?? '')
      ? {
          rule: 'extract-cache',
          severity: 'warning',
          names: ['ENABLE_LLM_CACHE_FOR_EXTRACT'],
          message: 'deleting a document later needs the cache of extractions, which is off',
          mend: 'Leave ENABLE_LLM_CACHE_FOR_EXTRACT at true.',
        }
      : undefined,
  (values) => {
    const context = /^\d+$/.test(values.get('OLLAMA_LLM_NUM_CTX') ?? '')
      ? Number(values.get('OLLAMA_LLM_NUM_CTX'))
      : undefined;
    const total = numberOf(values, 'MAX_TOTAL_TOKENS');
    if (context === undefined || total === undefined || context > total + 2_000) return undefined;
    return {
      rule: 'model-context',
      severity: 'error',
      names: ['OLLAMA_LLM_NUM_CTX', 'MAX_TOTAL_TOKENS'],
      message: `the model reads ${context} tokens, and a query holds up to ${total} besides its prompt`,
      mend: 'Make OLLAMA_LLM_NUM_CTX greater than MAX_TOTAL_TOKENS and 2,000.',
    };
  },
  (values) => {
    const dimension = numberOf(values, 'EMBEDDING_DIM');
    const index = values.get('POSTGRES_VECTOR_INDEX_TYPE') ?? 'HNSW';
    const onPostgres = values.get('LIGHTRAG_VECTOR_STORAGE') === 'PGVectorStorage';
    if (!onPostgres || index !== 'HNSW' || dimension === undefined || dimension <= 2_000) return undefined;
    return {
      rule: 'hnsw-dimension',
      severity: 'error',
      names: ['EMBEDDING_DIM', 'POSTGRES_VECTOR_INDEX_TYPE'],
      message: `HNSW of pgvector indexes 2,000 dimensions at most, not ${dimension}`,
      mend: 'Set POSTGRES_VECTOR_INDEX_TYPE=HNSW_HALFVEC.',
    };
  },
];

/** What LightRAG would refuse, misread or suffer from; an empty map is its defaults. Reads nothing but the values. */
export const judgeEnvironment = (values: Values): readonly SettingFinding[] =>
  rules.flatMap((rule) => rule(values) ?? []);
