import { findParameter, nearestParameter } from './catalogue/index.ts';
import type { TuningValue } from './parameter.ts';
import { violation } from './parameter.ts';

export type Violation = { readonly parameter: string; readonly message: string };
export type Values = Readonly<Record<string, TuningValue>>;

/** What is wrong with each by itself: unknown names with the nearest, wrong types, out of range. */
export function findViolations(values: Readonly<Record<string, unknown>>): Violation[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const parameter = findParameter(name);
    if (!parameter) {
      const nearest = nearestParameter(name);
      return {
        parameter: name,
        message: `is no parameter${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
      };
    }
    // Null takes a value away.
    const wrong = value === null ? undefined : violation(parameter.kind, value);
    return wrong === undefined ? [] : { parameter: name, message: wrong };
  });
}

type Rule = {
  /** Each with a value, or the rule says nothing. */
  readonly of: readonly string[];
  /** `error`: the backend refuses or answers nonsense; `warning`: it starts and does not do what was meant. */
  readonly severity: 'error' | 'warning';
  readonly message: string;
  holds(values: readonly TuningValue[]): boolean;
};

const numbers = (check: (...values: number[]) => boolean) => (values: readonly TuningValue[]) =>
  check(...values.map(Number));

/** Between parameters. Source: the checks of LightRAG 1.5 at its start, and what its documentation demands. */
const rules: readonly Rule[] = [
  {
    of: ['chunk_overlap_size', 'chunk_size'],
    severity: 'error',
    message: 'chunk_overlap_size must be below chunk_size',
    holds: numbers((overlap, size) => overlap < size),
  },
  {
    of: ['graphrag_chunk_overlap', 'graphrag_chunk_size'],
    severity: 'error',
    message: 'graphrag_chunk_overlap must be below graphrag_chunk_size',
    holds: numbers((overlap, size) => overlap < size),
  },
  {
    of: ['graphrag_local_text_unit_prop', 'graphrag_local_community_prop'],
    severity: 'error',
    message: 'graphrag_local_text_unit_prop and graphrag_local_community_prop together may be at most 1',
    holds: numbers((text, community) => text + community <= 1),
  },
  {
    of: ['graphrag_description_max_length', 'graphrag_description_max_input_length'],
    severity: 'warning',
    message: 'graphrag_description_max_length is above graphrag_description_max_input_length',
    holds: numbers((length, input) => length <= input),
  },
  {
    of: ['graphrag_report_max_length', 'graphrag_report_max_input_length'],
    severity: 'warning',
    message: 'graphrag_report_max_length is above graphrag_report_max_input_length',
    holds: numbers((length, input) => length <= input),
  },
  {
    of: ['graphrag_chunk_size', 'graphrag_embed_batch_max_tokens'],
    severity: 'error',
    message:
      'graphrag_chunk_size is above graphrag_embed_batch_max_tokens: a chunk would not fit into one call of the embedding',
    holds: numbers((size, most) => size <= most),
  },
  {
    of: ['max_entity_tokens', 'max_relation_tokens', 'max_total_tokens'],
    severity: 'error',
    message:
      'max_entity_tokens and max_relation_tokens together must be below max_total_tokens, or no chunk fits into the context',
    holds: numbers((entity, relation, total) => entity + relation < total),
  },
  {
    of: ['summary_length_recommended', 'summary_max_tokens'],
    severity: 'error',
    message: 'summary_length_recommended may be at most summary_max_tokens',
    holds: numbers((recommended, most) => recommended <= most),
  },
  {
    of: ['summary_context_size', 'max_total_tokens'],
    severity: 'warning',
    message: 'summary_context_size is above max_total_tokens',
    holds: numbers((context, total) => context <= total),
  },
  {
    of: ['chunk_size', 'max_token_size'],
    severity: 'error',
    message: 'chunk_size is above max_token_size: a chunk would not fit into the embedding',
    holds: numbers((size, limit) => size <= limit),
  },
  {
    of: ['chunk_size', 'max_extract_input_tokens'],
    severity: 'error',
    message: 'chunk_size is above max_extract_input_tokens: a chunk would not be read whole',
    holds: numbers((size, limit) => size <= limit),
  },
  {
    of: ['max_parallel_insert', 'max_async_llm'],
    severity: 'warning',
    message: 'max_parallel_insert is above max_async_llm: documents wait for each other',
    holds: numbers((inserts, calls) => inserts <= calls),
  },
  {
    of: ['ollama_llm_num_ctx', 'max_total_tokens'],
    severity: 'error',
    message: 'ollama_llm_num_ctx must be above max_total_tokens and 2000, or the context is cut',
    holds: numbers((window, total) => window > total + 2_000),
  },
  {
    of: ['enable_llm_cache_for_extract'],
    severity: 'warning',
    message: 'without enable_llm_cache_for_extract a document cannot be deleted cleanly',
    holds: ([on]) => on === true,
  },
  {
    of: ['embedding_query_prefix', 'embedding_asymmetric'],
    severity: 'warning',
    message: 'embedding_query_prefix does nothing without embedding_asymmetric',
    holds: ([, on]) => on === true,
  },
  {
    of: ['embedding_document_prefix', 'embedding_asymmetric'],
    severity: 'warning',
    message: 'embedding_document_prefix does nothing without embedding_asymmetric',
    holds: ([, on]) => on === true,
  },
  {
    of: ['chunk_size'],
    severity: 'warning',
    message: 'LightRAG advises a chunk_size of 500 to 1500',
    holds: numbers((size) => size >= 500 && size <= 1_500),
  },
];

export type Contradiction = {
  readonly severity: 'error' | 'warning';
  readonly of: readonly string[];
  readonly message: string;
};

/**
 * What does not go together, of values that are valid each by itself.
 * @param touched only rules that speak of one of these are asked: what was wrong before does not stop a change of something else
 */
export function findContradictions(values: Values, touched?: ReadonlySet<string>): Contradiction[] {
  return rules
    .filter((rule) => touched === undefined || rule.of.some((name) => touched.has(name)))
    .flatMap(({ of, severity, message, holds }) => {
      const found = of.map((name) => values[name]);
      return found.some((value) => value === undefined) || holds(found as TuningValue[])
        ? []
        : { severity, of, message };
    });
}
