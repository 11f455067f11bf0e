import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readValue, violation } from '../parameter.ts';
import { findContradictions } from '../rules.ts';
import { cataloguePage } from './catalogue-page.ts';
import { findParameter, findVariable, nearestParameter, parameters } from './index.ts';

test('names are unique, and so is each variable of a backend', () => {
  const names = parameters.map(({ name }) => name);
  expect(names.filter((one, index) => names.indexOf(one) !== index)).toEqual([]);
  const variables = parameters.flatMap(({ backendName }) => backendName ?? []);
  expect(variables.filter((one, index) => variables.indexOf(one) !== index)).toEqual([]);
});

test('every default is a value of its parameter, and what nobody set contradicts nothing', () => {
  const wrong = parameters.filter(({ kind, fallback, fallbackBefore }) =>
    [fallback, fallbackBefore?.value].some(
      (value) => value !== null && value !== undefined && violation(kind, value) !== undefined,
    ),
  );
  expect(wrong).toEqual([]);
  const defaults = Object.fromEntries(
    parameters.flatMap(({ name, fallback }) => (fallback === null ? [] : [[name, fallback]])),
  );
  expect(findContradictions(defaults)).toEqual([]);
});

test('what no backend knows is a hint, and what is another index is never safe', () => {
  const unknown = parameters.filter((one) => one.backendName === null && one.queryField === undefined);
  expect(unknown.map((one) => one.class)).toEqual(['hint', 'hint']);
  // What a query carries along is each caller's own, and needs nothing of the index.
  expect(parameters.filter((one) => one.queryField !== undefined && !(one.perUser && one.class === 'safe'))).toEqual(
    [],
  );
  expect(findParameter('working_dir')?.class).toBe('never');
  expect(findParameter('vector_dimension')?.class).toBe('re-embed');
});

test('variables are found by both names of LightRAG, and a slip finds its neighbour', () => {
  expect(findVariable('MAX_ASYNC')?.name).toBe('max_async_llm');
  expect(findVariable('MAX_ASYNC_LLM')?.name).toBe('max_async_llm');
  expect(findVariable('chunking.size')).toBeUndefined();
  expect(nearestParameter('chunk_siz')).toBe('chunk_size');
  expect(nearestParameter('EMBEDDING_DIM')).toBe('vector_dimension');
  expect(nearestParameter('zzzzzzzz')).toBeUndefined();
});

test.each([
  ['chunk_size', ' 1200 ', 1_200],
  ['chunk_size', '12.5', undefined],
  ['chunk_size', '', undefined],
  ['cache_enabled', 'Yes', true],
  ['cache_enabled', 'off', false],
  ['cache_enabled', 'maybe', undefined],
  ['cosine_threshold', '0.25', 0.25],
  ['kg_chunk_pick_method', 'WEIGHT', 'WEIGHT'],
  ['kg_chunk_pick_method', 'weight', undefined],
  ['llm_model', 'a\nb', undefined],
])('%s written as %j is %j', (name, text, value) => {
  const parameter = findParameter(name);
  expect(parameter && readValue(parameter.kind, text)).toBe(value);
});

test('the page of the documentation is this catalogue, each parameter once', () => {
  const page = cataloguePage();
  expect(page.match(/^\| `/gm)).toHaveLength(parameters.length);
  const written = readFileSync(join(import.meta.dirname, '../../../docs/tuning-parameters.md'), 'utf8');
  expect(written, 'Write what `cataloguePage` gives into docs/tuning-parameters.md.').toBe(page);
});
