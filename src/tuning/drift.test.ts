import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findDrift, type Running } from './drift.ts';
import { layerValues } from './effective.ts';
import type { TuningValue } from './parameter.ts';
import type { Values } from './rules.ts';

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../test/fixtures/lightrag-1.5.7/http/health-with-key.json'), 'utf8'),
) as { response: { body: { configuration: Record<string, TuningValue> } } };
const wanted = (values: Values) => layerValues(new Map([['default', values]]), {}, {});
const nothing: Running = { configuration: undefined, environment: undefined, index: undefined };

test('what nobody set is no drift, whatever the backend runs with', () => {
  const running = {
    ...nothing,
    configuration: recorded.response.body.configuration,
    environment: new Map([['TOP_K', '7']]),
  };
  expect(findDrift(wanted({}), running)).toEqual({ drift: [], compared: 0, unseen: [] });
});

test('a real LightRAG tells what it runs with: the same is none, another is told with both', () => {
  const { configuration } = recorded.response.body;
  const running = { ...nothing, configuration };
  const same = { max_async_llm: configuration.max_async, cosine_threshold: configuration.cosine_threshold } as Values;
  expect(findDrift(wanted(same), running)).toEqual({ drift: [], compared: 2, unseen: [] });
  const other = findDrift(wanted({ max_parallel_insert: 9, chunk_size: 900 }), running);
  expect(other).toMatchObject({ compared: 1, unseen: ['chunk_size'] });
  expect(other.drift).toEqual([
    {
      parameter: 'max_parallel_insert',
      backendName: 'MAX_PARALLEL_INSERT',
      wanted: 9,
      found: configuration.max_parallel_insert,
      where: 'backend',
      message: `max_parallel_insert shall be 9, and the backend runs with ${configuration.max_parallel_insert}.`,
    },
  ]);
});

test('that there is no reranker is not that nobody wants to rerank', () => {
  const { configuration } = recorded.response.body;
  expect(configuration.enable_rerank).toBe(false);
  const running = { ...nothing, configuration };
  expect(findDrift(wanted({ enable_rerank: true }), running)).toEqual({
    ...{ drift: [], compared: 0, unseen: ['enable_rerank'] },
  });
});

test('the environment file is read by both names of LightRAG, the newer first, and what is no value is told as it stands', () => {
  const environment = new Map([
    ['MAX_ASYNC', '4'],
    ['MAX_ASYNC_LLM', '8'],
    ['CHUNK_SIZE', 'big'],
    ['ENABLE_LLM_CACHE', 'Yes'],
  ]);
  const { drift } = findDrift(wanted({ max_async_llm: 4, chunk_size: 900, cache_enabled: true }), {
    ...nothing,
    environment,
  });
  expect(drift.map(({ parameter, found, where }) => [parameter, found, where])).toEqual([
    ['chunk_size', 'big', 'environment-file'],
    ['max_async_llm', 8, 'environment-file'],
  ]);
  expect(
    findDrift(wanted({ max_async_llm: 4 }), { ...nothing, environment: new Map([['MAX_ASYNC', '4']]) }).drift,
  ).toEqual([]);
});

test('an environment that will not fit the index is told although nobody set anything here', () => {
  const index = {
    graphId: 'main',
    ...{ documents: 1, chunks: 1, entities: 1, relations: 1, dimension: 1_024, embeddingModel: undefined },
  };
  const running = { ...nothing, environment: new Map([['EMBEDDING_DIM', '1536']]), index };
  expect(findDrift(wanted({}), running).drift).toMatchObject([
    { parameter: 'vector_dimension', wanted: null, found: 1_536, message: expect.stringContaining('have 1024') },
  ]);
  expect(findDrift(wanted({}), { ...running, environment: new Map([['EMBEDDING_DIM', '1024']]) }).drift).toEqual([]);
  const set = findDrift(wanted({ vector_dimension: 1_536 }), { ...nothing, index });
  expect(set.drift).toMatchObject([{ where: 'index', wanted: 1_536, found: 1_024 }]);
});
