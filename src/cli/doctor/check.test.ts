import { expect, test } from 'vitest';
import { type Check, makeChecks, ok, warn, worstVerdict } from './check.ts';
import { hideSecrets } from './hide-secrets.ts';
import { reachOf } from './listeners.ts';
import { judgeSkew } from './machine.ts';
import { subjectOf } from './test-subject.ts';

const check = (id: string, look: Check['look']): Check => ({ id, what: `what ${id}`, look });
const make = (checks: readonly Check[], signal = new AbortController().signal) =>
  makeChecks(checks, subjectOf({}), { limitMs: 50, signal });

test('checks are made together, told in their order, and one that hangs or breaks spoils no other', async () => {
  const hangs = check('hangs', () => new Promise(() => undefined));
  const breaks = check('breaks', async () => {
    throw new Error('this broke');
  });
  const several = check('several', async () => [ok('a', 'first'), warn('b', 'do it', 'second')]);
  const findings = await make([hangs, breaks, several]);
  expect(findings.map(({ id, what, verdict }) => [id, what, verdict])).toEqual([
    ['hangs', 'what hangs', 'warn'],
    ['breaks', 'what breaks', 'fail'],
    ['several', 'first', 'ok'],
    ['several', 'second', 'warn'],
  ]);
  expect(findings[0]?.detail).toContain('no answer within');
  expect(findings[1]?.detail).toContain('this broke');
  expect(worstVerdict(findings)).toBe('fail');
  expect(worstVerdict(findings.slice(2))).toBe('warn');
  expect(worstVerdict([])).toBe('ok');
});

test('a check is told when its time is up, so that it can let go', async () => {
  let told = false;
  await make([
    check('slow', (_, signal) => {
      signal.addEventListener('abort', () => {
        told = true;
      });
      return new Promise(() => undefined);
    }),
  ]);
  expect(told).toBe(true);
});

test('an interrupt ends all of it with its reason', async () => {
  const stop = new AbortController();
  const making = make([check('hangs', () => new Promise(() => undefined))], stop.signal);
  stop.abort(new Error('Ctrl-C'));
  await expect(making).rejects.toThrow('Ctrl-C');
});

test.each([
  ['127.0.0.1', '0100007F:2596', 'this machine'],
  ['127.1.2.3', '0302017F:2596', 'this machine'],
  ['0.0.0.0', '00000000:2596', 'elsewhere'],
  ['a LAN address', '0501A8C0:2596', 'elsewhere'],
  ['::1', '00000000000000000000000001000000:2596', 'this machine'],
  ['::', '00000000000000000000000000000000:2596', 'elsewhere'],
  ['::ffff:127.0.0.1', '0000000000000000FFFF00000100007F:2596', 'this machine'],
  ['another port', '00000000:2597', 'nobody'],
])('a listener on %s can be reached from where it can be', (_, address, reach) => {
  const table = `  sl  local_address rem_address   st\n   0: ${address} 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1\n`;
  expect(reachOf(table, 9622)).toBe(reach);
  expect(reachOf(table.replace(' 0A ', ' 01 '), 9622)).toBe('nobody');
});

test.each([
  [0, 'ok', 'both agree'],
  [-1_500, 'ok', 'both agree'],
  [1_000, 'ok', 'ahead'],
  [-4_000, 'ok', 'behind'],
  [7_000, 'warn', 'ahead'],
  [-9_000, 'warn', 'behind'],
  [400_000, 'fail', 'ahead'],
  [-400_000, 'fail', 'behind'],
])('a clock that says %d ms more is %s', (offset, verdict, words) => {
  const judged = judgeSkew(1_000_000 + offset, [999_800, 1_000_000]);
  expect(judged.verdict).toBe(verdict);
  expect(judged.detail).toContain(words);
});

test('secrets that somebody else repeats are not shown', () => {
  const shown = hideSecrets(
    [{ id: 'x', what: 'x', verdict: 'fail', detail: 'bad key s3cret-key at host', mend: 'not s3cret-key' }],
    { targetApiKey: 's3cret-key' },
  );
  expect(shown[0]).toMatchObject({ detail: 'bad key *** at host', mend: 'not ***' });
});
