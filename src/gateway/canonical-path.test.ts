import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalTarget } from './canonical-path.ts';

const pathOf = (target: string): string | undefined => {
  const found = canonicalTarget(target);
  return found.ok ? found.path : undefined;
};

test.each([
  ['/query/stream', '/query/stream'],
  ['/', '/'],
  ['/query/', '/query/'],
  ['/%71uery', '/query'],
  ['/graph/entity/a%20b', '/graph/entity/a%20b'],
  ['/Stra%C3%9Fe', '/Stra%C3%9Fe'],
  ['/a%252e', '/a%252e'],
  ['/.well-known/x', '/.well-known/x'],
  ['/a;b=c/d', '/a;b=c/d'],
  ['/documents/%3Cid%3E', '/documents/%3Cid%3E'],
])('%s is written %s', (target, path) => {
  expect(pathOf(target)).toBe(path);
});

test.each([
  '//query',
  '/a//b',
  '/./query',
  '/a/../query',
  '/a/%2e%2e/query',
  '/a/.%2E/query',
  '/a/..',
  '/..;/query',
  '/a%2fb',
  '/a%2Fb',
  '/a%5cb',
  '/a\\b',
  '/a%00',
  '/a%0d%0ab',
  '/a%7f',
  '/%',
  '/%zz',
  '/%ff',
  '/%c0%af',
  '/a b',
  '/a#b',
  '/ä',
  'http://other.example/query',
  '*',
  '',
  'query',
  '/query?a#b',
])('%s is refused', (target) => {
  expect(canonicalTarget(target).ok).toBe(false);
});

test('the query string stays as it was sent', () => {
  expect(canonicalTarget('/graphs?label=%2e%2e//x&y=%00')).toEqual({
    ok: true,
    path: '/graphs',
    query: 'label=%2e%2e//x&y=%00',
  });
});

test('what came out is what comes out again, and decodes to what was asked for', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1 }), (segments) => {
      const found = canonicalTarget(`/${segments.map(encodeURIComponent).join('/')}`);
      if (!found.ok) return segments.some((segment) => /[/\\\p{Cc}]|^\.{1,2}(;|$)/u.test(segment));
      return (
        pathOf(found.path) === found.path &&
        found.path.split('/').slice(1).map(decodeURIComponent).join('\0') === segments.join('\0')
      );
    }),
  );
});
