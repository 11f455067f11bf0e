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
