import { afterEach, expect, test } from 'vitest';
import { systemRandom } from '../platform/ids.ts';
import { openTestQuotas, quota, type TestQuotas } from './test-quotas.ts';
import { createViolations } from './violations.ts';

let found: TestQuotas;
afterEach(() => found.remove());

test('what could not be written down is told with the next flush: violations and warnings, each once', async () => {
  found = await openTestQuotas([]);
  const { state, clock, events } = found;
  let isAway = true;
  const violations = createViolations({
    db: {
      ...state.db,
      unit(work) {
        if (isAway) return Promise.reject(new Error('the database is away'));
        return state.db.unit(work);
      },
    },
    ...{ clock, random: systemRandom, events, alarm: undefined },
  });
  const one = quota({ limit: 10, burstLimit: 20, type: 'soft' });
  violations.noteWarning(one, 'user=a', 12);
  violations.note({ quota: one, bucket: 'user=b', standing: 20, amount: 5, exceededBy: 15, action: 'block' });
  await expect(violations.flush()).rejects.toThrow('away');
  // The same bucket is not warned again so soon, another one is.
  violations.noteWarning(one, 'user=a', 13);
  violations.noteWarning(one, 'user=c', 11);
  isAway = false;
  await violations.flush();
  expect(violations.pending()).toBe(false);
  const told = async (type: string) =>
    (await events.list({ types: [type], limit: 10 })).map(({ data }) => (data as { bucket: string }).bucket).sort();
  expect(await told('quota.warned')).toEqual(['user=a', 'user=c']);
  expect(await told('quota.exceeded')).toEqual(['user=b']);
});
