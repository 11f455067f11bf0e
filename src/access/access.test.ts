import { expect, test } from 'vitest';
import { credentialOf, csrfToken, decideCsrf, isOwnOrigin, secretHash, tokenState } from './access.ts';

test.each([
  [{ authorization: 'Bearer abc' }, 'abc'],
  [{ authorization: 'bearer  abc' }, 'abc'],
  [{ 'x-api-key': 'key' }, 'key'],
  [{ authorization: 'Bearer abc', 'x-api-key': 'abc' }, 'abc'],
  [{ authorization: 'Bearer abc', 'x-api-key': '' }, 'abc'],
  [{ 'x-api-key': '' }, undefined],
  [{}, undefined],
])('%j carries %s', (headers, secret) => {
  const credential = credentialOf(headers);
  expect(credential.kind === 'token' ? credential.secret : undefined).toBe(secret);
});

test.each(['Basic YTpi', 'Bearer', 'Bearer ', 'Bearer a b', '', `Bearer ${'x'.repeat(8_193)}`])(
  'Authorization %s is refused with a hint',
  (authorization) => {
    expect(() => credentialOf({ authorization })).toThrow(/access\/unauthenticated/);
  },
);

test('two headers with different tokens are refused, whichever of them is right', () => {
  expect(() => credentialOf({ authorization: 'Bearer abc', 'x-api-key': 'abd' })).toThrow(/access\/ambiguous/);
  expect(() => credentialOf({ 'x-api-key': 'x'.repeat(8_193) })).toThrow(/access\/unauthenticated/);
});

test.each([
  ['http://localhost:8710', 'localhost:8710', true],
  ['http://localhost', 'localhost:80', true],
  ['https://ops.example.com', 'ops.example.com', true],
  ['https://ops.example.com', 'ops.example.com:443', true],
  ['http://localhost:8710', 'localhost:8711', false],
  ['https://evil.example', 'localhost:8710', false],
  ['http://localhost:8710.evil.example', 'localhost:8710', false],
  ['null', 'localhost:8710', false],
  ['file://', 'localhost:8710', false],
  [undefined, 'localhost:8710', false],
])('Origin %s at Host %s is own: %s', (origin, host, own) => {
  expect(isOwnOrigin(origin, host, false)).toBe(own);
  expect(isOwnOrigin(origin, host, true)).toBe(own && origin?.startsWith('https:') === true);
});

test('only unsafe methods need the token, and then the right one from the right place', () => {
  const token = csrfToken('session secret');
  const hash = secretHash(token);
  const good = { method: 'POST', origin: 'http://localhost:1', host: 'localhost:1', secure: false, csrfHeader: token };
  expect(decideCsrf(good, hash)).toBe('fine');
  expect(decideCsrf({ ...good, method: 'GET', origin: undefined, csrfHeader: undefined }, hash)).toBe('fine');
  expect(decideCsrf({ ...good, origin: undefined }, hash)).toBe('foreign-origin');
  expect(decideCsrf({ ...good, origin: 'http://localhost:2' }, hash)).toBe('foreign-origin');
  expect(decideCsrf({ ...good, csrfHeader: undefined }, hash)).toBe('wrong-token');
  expect(decideCsrf({ ...good, csrfHeader: csrfToken('another') }, hash)).toBe('wrong-token');
  expect(decideCsrf({ ...good, method: 'DELETE', csrfHeader: '' }, hash)).toBe('wrong-token');
});

test('a token is active until it expires or is revoked', () => {
  expect(tokenState({ expiresMs: null, revokedMs: null }, 5)).toBe('active');
  expect(tokenState({ expiresMs: 6, revokedMs: null }, 5)).toBe('active');
  expect(tokenState({ expiresMs: 5, revokedMs: null }, 5)).toBe('expired');
  expect(tokenState({ expiresMs: 5, revokedMs: 1 }, 5)).toBe('revoked');
});
