import { expect, test } from 'vitest';
import { judgeStore, storesElsewhereCheck } from './stores-elsewhere.ts';
import { look, subjectOf } from './test-subject.ts';

const seen = { id: 'cloud', place: 's3:https://x/y', offline: false, detail: '' };

test.each([
  ['ok', '', 'ok', 'answers and opens'],
  ['missing', '', 'warn', 'holds no repository'],
  ['wrong-password', '', 'fail', 'the password does not open'],
  ['no-password', '/data/repository-password', 'skipped', 'no password yet'],
  ['no-program', 'ssh', 'fail', 'reached by ssh, which is missing'],
  ['old-program', 'restic 0.14.0 passes over it', 'fail', 'restic 0.14.0'],
  ['read-only', 'nothing can be written there', 'fail', 'nothing can be written'],
  ['repository/refused', 'It refuses the key.', 'fail', 'It refuses the key.'],
])('a store that looks %s (%s) is %s', (state, detail, verdict, words) => {
  const judged = judgeStore({ ...seen, state, detail });
  expect(judged).toMatchObject({ verdict, what: 'copies at cloud', detail: expect.stringContaining(words) });
});

test('a place that is usually not attached may be away, and one that refuses is told all the same', async () => {
  const offline = { ...seen, offline: true, detail: 'x' };
  expect(judgeStore({ ...offline, state: 'repository/unreachable' }).verdict).toBe('ok');
  expect(judgeStore({ ...offline, state: 'repository/refused' }).verdict).toBe('fail');
  expect(judgeStore({ ...seen, id: null, state: 'ok' }).what).toBe('repository elsewhere');
  expect(await look(storesElsewhereCheck, subjectOf({}))).toMatchObject([{ verdict: 'skipped' }]);
});
