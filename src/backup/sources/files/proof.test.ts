import { expect, test } from 'vitest';
import { decideProof, type ProofFacts } from './proof.ts';

const still: ProofFacts = {
  moved: [],
  writer: 'atomic',
  idleBefore: true,
  idleAfter: true,
  orderKept: true,
  torn: [],
  belied: [],
};

test.each<[string, Partial<ProofFacts>, string]>([
  ['nothing moved and the pipeline rested', {}, 'consistent'],
  ['nothing moved and nobody knows of the pipeline', { idleBefore: undefined, idleAfter: undefined }, 'consistent'],
  ['nothing moved while the pipeline worked', { idleAfter: false }, 'crash-consistent'],
  ['nothing moved while a run wrote one table after the other', { idleBefore: false, whileBusy: 'mixed' }, 'fuzzy'],
  ['nothing moved, and no run was under way', { whileBusy: 'mixed' }, 'consistent'],
  ['files were replaced by rename, status first', { moved: ['vdb_chunks.json'] }, 'crash-consistent'],
  ['files were written in place', { moved: ['vdb_chunks.json'], writer: 'in-place' }, 'fuzzy'],
  ['the status came late', { moved: ['kv_store_doc_status.json'], orderKept: false }, 'fuzzy'],
  ['a file never held still', { moved: ['x'], torn: ['x'] }, 'fuzzy'],
  ['a writer said to be atomic was seen to write in place', { belied: ['x'] }, 'fuzzy'],
])('%s', (_name, facts, grade) => {
  const proof = decideProof({ ...still, ...facts });
  expect(proof.grade).toBe(grade);
  expect(proof.reasons.length).toBeGreaterThan(0);
});

test('names what moved, and no more than twenty of them', () => {
  const moved = Array.from({ length: 25 }, (_, i) => `file-${i}`);
  const { reasons } = decideProof({ ...still, moved });
  expect(reasons[0]).toContain('file-19 and 5 more');
});
