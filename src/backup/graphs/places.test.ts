import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Target } from '../../targets/index.ts';
import { graphsOf, readGraphId, requireGraph } from './graph.ts';
import { decidePlace, requireSource } from './places.ts';

const working = '/srv/rag';
// What a place is decided from, and nothing else of a target.
const target = {
  id: 'rag',
  stores: [{ name: 'workspace', kind: 'workspace-folder', path: working, separation: 'folder' }],
} as unknown as Target;
const graph = { id: 'rag:tenant', targetId: 'rag', workspace: 'tenant' };

describe('a graph id', () => {
  test('is the target for its unnamed or only workspace, and has the workspace behind it for any other', () => {
    expect(graphsOf('rag', ['', 'tenant']).map((one) => one.id)).toEqual(['rag', 'rag:tenant']);
    expect(graphsOf('rag', ['only']).map((one) => one.id)).toEqual(['rag']);
    const known = (id: string) => (id === 'rag' ? ['', 'tenant'] : undefined);
    expect(requireGraph('rag', known).workspace).toBe('');
    expect(requireGraph('rag:', known).workspace).toBe('');
    expect(requireGraph('rag:tenant', known).workspace).toBe('tenant');
    expect(requireGraph('rag', () => ['only']).workspace).toBe('only');
    expect(requireGraph('rag:only', () => ['only']).id).toBe('rag');
  });

  test.each([
    '',
    '..',
    '../rag',
    'rag/..',
    'rag:..',
    'rag:a/b',
    'rag:a\0',
    'RAG',
    'rag:tenant:x',
    'x'.repeat(500),
    'rag:-rf',
  ])('%j is none, and the answer does not repeat it', (id) => {
    expect(() => requireGraph(id, () => ['', 'tenant'])).toThrow(/^target\/unknown: There is no such graph\./);
    expect(readGraphId(id)?.workspace).toBeUndefined();
  });
});

describe('a path from outside', () => {
  test('is taken as a source only when it is a registered folder of that graph', () => {
    requireSource(target, graph, join(working, 'tenant'));
    requireSource(target, { ...graph, id: 'rag', workspace: '' }, `${working}/`);
    for (const wrong of [
      working,
      join(working, 'other'),
      '/etc',
      'tenant',
      `${working}/tenant/..`,
      `${working}/tenant\0`,
    ])
      expect(() => requireSource(target, graph, wrong), wrong).toThrow(/^target\/foreign-path/);
  });

  test('is the place it came from when it is registered, and any other has to be allowed', () => {
    expect(decidePlace(target, graph, undefined)).toEqual({ kind: 'in-place' });
    expect(decidePlace(target, graph, `${working}/tenant/`)).toEqual({ kind: 'in-place' });
    for (const other of [working, '/etc', 'tenant', `${working}/tenant/../other`, `${working}/tenant\0`])
      expect(decidePlace(target, graph, other), other).toEqual({ kind: 'aside', folder: other });
  });
});
