import { expect, test } from 'vitest';
import { findOwner, hasPrefix, inWorkspace, isOwnKey } from './lightrag-keys.ts';

const ownerOf = (key: string) => findOwner(Buffer.from(key));

test.each([
  ['full_docs:doc-1', '', 'full_docs', false],
  ['acme_full_docs:doc-1', 'acme', 'full_docs', false],
  ['a_b_c_text_chunks:chunk-1:2', 'a_b_c', 'text_chunks', false],
  // A workspace may be named like a part of a namespace.
  ['text_text_chunks:chunk-1', 'text', 'text_chunks', false],
  ['full_docs_full_docs:doc-1', 'full_docs', 'full_docs', false],
  ['acme_doc_status__sched:status:processed', 'acme', 'doc_status', true],
  ['doc_status__sched:basename:a:b.txt', '', 'doc_status', true],
  ['acme_llm_response_cache:default:extract:0a', 'acme', 'llm_response_cache', false],
])('%s belongs to the workspace "%s"', (key, workspace, namespace, index) => {
  expect(ownerOf(key)).toEqual({ workspace, namespace, index });
});

test.each([
  'full_docs',
  ':full_docs',
  'x:full_docs:doc-1',
  'acme-full_docs:doc-1',
  'acmefull_docs:doc-1',
  'session:acme_full_docs:1',
  'full_docs__sched__sched:x',
  '__proto___full_docs:doc-1',
  'ragwarden:before:op_1:acme_full_docs:doc-1',
  `${'w'.repeat(300)}_full_docs:doc-1`,
])('%s is somebody else’s', (key) => {
  expect(ownerOf(key)).toBeUndefined();
});

test('a key moves to another workspace byte by byte, side indexes with it', () => {
  const moved = (key: Buffer, workspace: string) => {
    const owner = findOwner(key);
    return owner && inWorkspace(key, owner, workspace);
  };
  const odd = Buffer.concat([Buffer.from('acme_full_docs:'), Buffer.from([0, 255, 0x3a, 10])]);
  expect(moved(odd, 'b')).toEqual(Buffer.concat([Buffer.from('b_full_docs:'), Buffer.from([0, 255, 0x3a, 10])]));
  expect(moved(Buffer.from('acme_doc_status__sched:status:acme_full_docs:'), '')?.toString()).toBe(
    'doc_status__sched:status:acme_full_docs:',
  );
});

test('what is ours or named by a prefix is known by its first bytes', () => {
  expect(isOwnKey(Buffer.from('ragwarden:staged:op:x'))).toBe(true);
  expect(isOwnKey(Buffer.from('ragwarde'))).toBe(false);
  expect(hasPrefix(Buffer.from('é:1'), ['a', 'é'])).toBe(true);
  expect(hasPrefix(Buffer.from([0xc3]), ['é'])).toBe(false);
});
