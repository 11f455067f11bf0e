import { expect, test } from 'vitest';
import { placeOfRepository } from './recover-command.ts';

test.each([
  ['data/repository', '/srv/data/repository'],
  ['./repository', '/srv/repository'],
  ['/mnt/points', '/mnt/points'],
  ['s3:https://host/bucket/path', 's3:https://host/bucket/path'],
  ['sftp://user@host/path', 'sftp://user@host/path'],
])('the repository to recover from is typed as %s and means %s', (typed, place) => {
  expect(placeOfRepository(typed, '/srv')).toBe(place);
});
