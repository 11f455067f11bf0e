import { expect, test } from 'vitest';
import type { RequestHead } from '../index.ts';
import { lensOf, lensOfProvider } from './lenses.ts';

const head = (method: string): RequestHead => ({ method, path: '/unknown', query: '', headers: {} });

test('a method that no lens knows counts as an insert, whatever it is called', () => {
  for (const lens of [lensOf({ lens: 'plain' }), lensOfProvider({ id: 'one', api: 'openai' })]) {
    for (const method of ['PUT', 'PATCH', 'DELETE', 'PURGE']) expect(lens.classify(head(method)).writes).toBe(true);
    for (const method of ['GET', 'HEAD']) expect(lens.classify(head(method)).writes).toBe(false);
  }
});
