import { expect, test } from 'vitest';
import { passwordOfKit } from './recovery-kit.ts';

/** As `ragwarden backup kit` prints it. */
const kit = `ragwarden recovery kit
======================

Written 2026-11-22T04:00:00.000Z. Keep this page away from the machine it protects: on paper, or in a password safe.

Repositories
  /srv/backup   (id 0123abcd)

Password        correct horse  battery
Seal key        none
Format version  1
`;

test('the password is read from a kit as the product prints it, and from nothing else', () => {
  expect(passwordOfKit(kit)).toBe('correct horse  battery');
  expect(passwordOfKit(kit.replaceAll('\n', '\r\n'))).toBe('correct horse  battery');
  expect(passwordOfKit('Password        correct horse  battery\n')).toBeUndefined();
  expect(passwordOfKit('')).toBeUndefined();
});
