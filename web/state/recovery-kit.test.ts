import { expect, test } from 'vitest';
import { parseRepositoryLocation } from '../../src/backup/repository/location.ts';
import { recoveryKit } from '../../src/backup/repository/recovery-kit.ts';
import { passwordOfKit } from './recovery-kit.ts';

test('the password is read from a kit as the product prints it, and from nothing else', () => {
  const password = 'correct horse  battery';
  const repositories = [{ location: parseRepositoryLocation('/srv/backup', 'file') }];
  const kit = recoveryKit({ repositories, password, formatVersion: 1, createdAtMs: 0 });
  expect(passwordOfKit(kit)).toBe(password);
  expect(passwordOfKit(kit.replaceAll('\n', '\r\n'))).toBe(password);
  expect(passwordOfKit(`Password        ${password}\n`)).toBeUndefined();
  expect(passwordOfKit('')).toBeUndefined();
});
