import { expect, test } from 'vitest';
import { parseRepositoryLocation } from './location.ts';
import { endAtMissingPack } from './missing-pack.ts';

const line = (pack: string, why: string): string =>
  `Load(<data/${pack}>, 3224, 15) returned error, retrying after 552.330144ms: ${why}`;
const gone = 'open /x/data/46/46771f947b: no such file or directory';

test('restic is ended when it looks for one pack a second time, and goes on over anything that may pass', () => {
  const location = parseRepositoryLocation('/x', 'file');
  const lines: string[] = [];
  const outer = new AbortController();
  const watched = endAtMissingPack({
    doing: 'restoring files',
    location,
    signal: outer.signal,
    onStderrLine: (one) => lines.push(one),
  });
  for (const one of [
    line('46771f947b', gone),
    line('00771f947b', gone),
    line('99771f947b', 'dial tcp: connection refused'),
    line('99771f947b', 'dial tcp: connection refused'),
  ])
    watched.onStderrLine(one);
  expect(watched.signal.aborted).toBe(false);
  watched.onStderrLine(line('46771f947b', gone));
  expect(watched.signal.reason).toMatchObject({
    code: 'repository/damaged',
    detail: expect.stringContaining('its pack 46771f947b is missing'),
  });
  expect(lines).toHaveLength(5);
  expect(outer.signal.aborted).toBe(false);
});

test.each([
  ['/x', 'repository/damaged'],
  ['rest:http://store:8000/x', undefined],
])('a pack in %s that ends too early is damage where no network lies between', (place, code) => {
  const watched = endAtMissingPack({
    doing: 'restoring files',
    location: parseRepositoryLocation(place, 'file'),
    signal: undefined,
  });
  for (let looks = 0; looks < 2; looks += 1) {
    expect(watched.signal.aborted).toBe(false);
    watched.onStderrLine(line('46771f947b', 'EOF'));
  }
  expect(watched.signal.reason?.code).toBe(code);
});
