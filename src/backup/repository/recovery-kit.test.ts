import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRepositoryLocation } from './location.ts';
import { parseRecoveryKit, recoveryKit } from './recovery-kit.ts';

const kit = (change: Partial<Parameters<typeof recoveryKit>[0]> = {}): string =>
  recoveryKit({
    repositories: [{ location: parseRepositoryLocation('/srv/with a blank/repository', 'file'), id: 'abc' }],
    password: 'p',
    formatVersion: 1,
    createdAtMs: 0,
    ...change,
  });

test('a kit is read back whatever its password', () => {
  const password = fc.stringMatching(/^[!-~]([ -~]*[!-~])?$/);
  fc.assert(
    fc.property(password, fc.option(fc.stringMatching(/^[0-9a-f]{8,64}$/)), (given, sealKey) => {
      const read = parseRecoveryKit(kit({ password: given, ...(sealKey ? { sealKey } : {}) }));
      expect(read).toEqual({
        location: '/srv/with a blank/repository',
        password: given,
        sealKey: sealKey || undefined,
      });
    }),
  );
});

test('a page that went through a mail program is read too', () => {
  expect(parseRecoveryKit(`\r\n${kit().replaceAll('\n', '\r\n')}`).password).toBe('p');
});

test.each([
  ['another text', 'hello'],
  ['without its password', kit().replace(/^Password.*$/m, '')],
  ['without a repository', kit().replace('Repositories', '')],
  ['of a newer format', kit({ formatVersion: 2 })],
])('%s is refused', (_, text) => {
  expect(() => parseRecoveryKit(text)).toThrow('config/invalid');
});
