import { expect, test } from 'vitest';
import { parseRepositoryLocation } from './location.ts';
import { endAtRefusal } from './refusing-store.ts';

const line = (why: string): string => `Save(<data/46771f947b>) returned error, retrying after 552.330144ms: ${why}`;

test.each([
  ['client.PutObject: Error response code QuotaExceeded.', 'storage/full'],
  ['client.PutObject: Access Denied.', 'repository/refused'],
])('restic is ended when it is told a second time: %s', (why, code) => {
  const location = parseRepositoryLocation('s3:https://host/bucket/path', 'file');
  const lines: string[] = [];
  const watched = endAtRefusal({
    ...{ doing: 'storing files', location, signal: undefined, onStderrLine: (one) => void lines.push(one) },
  });
  for (const passing of ['dial tcp: connection refused', 'unexpected EOF', '503 Slow Down', why])
    watched.onStderrLine(line(passing));
  // What restic does not try again ends by itself.
  watched.onStderrLine(`Fatal: ${why}`);
  expect(watched.signal.aborted).toBe(false);
  watched.onStderrLine(line(why));
  expect(watched.signal.reason).toMatchObject({ code, detail: expect.stringContaining('s3:https://host/bucket/path') });
  expect(lines).toHaveLength(6);
});

test('a container that is not there is told the second time, whatever comes between', () => {
  const location = parseRepositoryLocation('azure:points:/path', 'file');
  const watched = endAtRefusal({ doing: 'opening the repository', location, signal: undefined });
  // As 0.19.1 said it of Azurite.
  const told = [
    'Stat(<config/>) returned error, retrying after 588.632639ms: blob.GetProperties: HEAD https://points.blob.core.windows.net/points/path%2Fconfig',
    '-'.repeat(80),
    'RESPONSE 404: 404 Not Found',
    'ERROR CODE: ContainerNotFound',
    '-'.repeat(80),
  ];
  for (const one of told) watched.onStderrLine(one);
  expect(watched.signal.aborted).toBe(false);
  for (const one of told) watched.onStderrLine(one);
  expect(watched.signal.reason).toMatchObject({ code: 'repository/missing' });
});
