import { expect, test } from 'vitest';
import { inOrder } from './table.tsx';

const rows = [
  { id: 'b10', lag: 5 },
  { id: 'b9', lag: null },
  { id: 'a', lag: 40 },
  { id: 'c', lag: 5 },
];
const columns = [
  { order: (row: (typeof rows)[number]) => row.id },
  { order: (row: (typeof rows)[number]) => row.lag },
  {},
];
const ids = (column: number, falling: boolean) => inOrder(rows, columns, { column, falling }).map(({ id }) => id);

test('rows stand as they came until somebody asks for an order, and where a column has none', () => {
  expect(inOrder(rows, columns, undefined)).toBe(rows);
  expect(inOrder(rows, columns, { column: 2, falling: true })).toBe(rows);
});

test('names are ordered as people count, figures by their size, and what is not known is last either way', () => {
  expect(ids(0, false)).toEqual(['a', 'b9', 'b10', 'c']);
  expect(ids(0, true)).toEqual(['c', 'b10', 'b9', 'a']);
  expect(ids(1, false)).toEqual(['b10', 'c', 'a', 'b9']);
  expect(ids(1, true)).toEqual(['a', 'b10', 'c', 'b9']);
});
