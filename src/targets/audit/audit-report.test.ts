import { expect, test } from 'vitest';
import { decideVerdict } from './audit-relations.ts';
import { type AuditReport, auditReportSchema, compareAudits } from './audit-report.ts';

const report = (changes: Partial<AuditReport> = {}): AuditReport => ({
  verdict: 'clean',
  counts: { doc_status: 3, full_docs: 3, graph_nodes: 7 },
  documents: { processed: 3 },
  dangling: { documents_without_text: { count: 0, examples: [] } },
  unchecked: [],
  ...changes,
});

test('equal audits do not differ, and what is named may', () => {
  expect(compareAudits(report(), report())).toEqual([]);
  const named = report({ dangling: { documents_without_text: { count: 0, examples: ['a'] } } });
  expect(compareAudits(report(), named)).toEqual([]);
});

test.each<[string, Partial<AuditReport>, object]>([
  [
    'a count',
    { counts: { doc_status: 3, full_docs: 2, graph_nodes: 7 } },
    { what: 'count', name: 'full_docs', expected: 3, found: 2 },
  ],
  [
    'a store that was not read',
    { counts: { doc_status: 3, graph_nodes: 7 } },
    { what: 'count', name: 'full_docs', expected: 3, found: null },
  ],
  [
    'what dangles',
    { dangling: { documents_without_text: { count: 2, examples: [] } } },
    { what: 'dangling', name: 'documents_without_text', expected: 0, found: 2 },
  ],
  ['what was not checked', { dangling: {} }, { what: 'dangling', expected: 0, found: null }],
])('they differ in %s', (_, changes, expected) => {
  expect(compareAudits(report(), report(changes))).toEqual([expect.objectContaining(expected)]);
});

test('a status that only one of them knows counts none in the other', () => {
  const found = report({ documents: { processed: 2, failed: 1 } });
  expect(compareAudits(report(), found)).toEqual([
    { what: 'documents', name: 'processed', expected: 3, found: 2 },
    { what: 'documents', name: 'failed', expected: 0, found: 1 },
  ]);
});

test('what the expected one did not know cannot differ', () => {
  const older = report({ counts: { full_docs: 3 }, documents: {}, dangling: {} });
  expect(compareAudits(older, report())).toEqual([]);
});

test('what is missing weighs more than what could not be checked, and that more than what is left over', () => {
  const missing = { documents_without_text: { count: 1, examples: [] } };
  const leftOver = { chunks_without_document: { count: 1, examples: [] } };
  expect(decideVerdict({ dangling: { ...missing, ...leftOver }, unchecked: ['x'] })).toBe('damaged');
  expect(decideVerdict({ dangling: leftOver, unchecked: ['x'] })).toBe('incomplete');
  expect(decideVerdict({ dangling: leftOver, unchecked: [] })).toBe('leftovers');
  expect(decideVerdict({ dangling: {}, unchecked: [] })).toBe('clean');
});

test('a report goes through JSON and its schema as it is', () => {
  expect(auditReportSchema.parse(JSON.parse(JSON.stringify(report())))).toEqual(report());
});
