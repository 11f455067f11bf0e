import { expect, test } from 'vitest';
import { judgeEnvironment } from '../targets/index.ts';
import { findParameter } from './catalogue/index.ts';
import { findContradictions } from './rules.ts';

/** What is judged twice: as values that somebody sets, and as the backend's environment file. */
const both = [
  ['error', { chunk_overlap_size: 500, chunk_size: 500 }],
  ['none', { chunk_overlap_size: 99, chunk_size: 500 }],
  ['error', { max_entity_tokens: 10_000, max_relation_tokens: 20_000, max_total_tokens: 30_000 }],
  ['none', { max_entity_tokens: 9_999, max_relation_tokens: 20_000, max_total_tokens: 30_000 }],
  ['error', { summary_length_recommended: 1_201, summary_max_tokens: 1_200 }],
  ['none', { summary_length_recommended: 1_200, summary_max_tokens: 1_200 }],
  ['warning', { summary_context_size: 30_001, max_total_tokens: 30_000 }],
  ['none', { summary_context_size: 30_000, max_total_tokens: 30_000 }],
  ['warning', { max_parallel_insert: 5, max_async_llm: 4 }],
  ['none', { max_parallel_insert: 4, max_async_llm: 4 }],
  ['error', { ollama_llm_num_ctx: 32_000, max_total_tokens: 30_000 }],
  ['none', { ollama_llm_num_ctx: 32_001, max_total_tokens: 30_000 }],
] as const;

test.each(both)('%s: %j is judged the same as values and as an environment file', (severity, values) => {
  const wrong = (of: readonly { severity: string }[]) =>
    of.map((one) => one.severity).filter((one) => one !== 'suggestion');
  const file = new Map(
    Object.entries(values).map(([name, value]) => [findParameter(name)?.backendName ?? name, String(value)]),
  );
  const expected = severity === 'none' ? [] : [severity];
  expect(wrong(findContradictions(values))).toEqual(expected);
  // What only the file has, such as a server that is open to everybody, is not a matter of values.
  expect(wrong(judgeEnvironment(file.set('HOST', '127.0.0.1')))).toEqual(expected);
});
