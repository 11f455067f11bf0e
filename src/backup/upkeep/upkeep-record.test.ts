import { describe, expect, test } from 'vitest';
import {
  dayMs,
  decideUpkeep,
  freshRecord,
  type UpkeepKind,
  type UpkeepRecord,
  upkeepWarnings,
} from './upkeep-record.ts';

const nowMs = 1_000 * dayMs;
const policy = { pruneIntervalMs: 7 * dayMs, checkIntervalMs: 7 * dayMs, checkParts: 10 };
const at = (kind: UpkeepKind, change: Partial<UpkeepRecord>, policyChange = {}) =>
  decideUpkeep(kind, { ...freshRecord(nowMs), ...change }, { ...policy, ...policyChange }, nowMs);

describe('forgetting, pruning and checking', () => {
  test('are due an interval after their own last success, the first forgetting at once', () => {
    expect(at('forget', {}).nextMs).toBe(nowMs);
    expect(at('forget', { lastSuccessMs: nowMs - 1 }).nextMs).toBe(nowMs - 1 + dayMs);
    expect(at('prune', {}).nextMs).toBe(nowMs + 7 * dayMs);
    expect(at('check', { lastSuccessMs: nowMs - 8 * dayMs }).nextMs).toBe(nowMs - dayMs);
    expect(at('check', { lastSuccessMs: nowMs + 900 * dayMs }).nextMs).toBe(nowMs + 7 * dayMs);
  });

  test('are tried again an hour after a failure, and never by themselves when their interval is 0', () => {
    const failed = { lastSuccessMs: nowMs - 9 * dayMs, lastFailureMs: nowMs - 60_000, lastError: 'no space' };
    expect(at('prune', failed).nextMs).toBe(nowMs - 60_000 + 3_600_000);
    expect(at('prune', { ...failed, lastSuccessMs: nowMs - 1 }).nextMs).toBe(nowMs - 1 + 7 * dayMs);
    expect(at('prune', { sinceMs: 0 }, { pruneIntervalMs: 0 })).toMatchObject({ nextMs: null, late: false });
  });

  test('ring when the last success is older than two intervals and a day, whatever the others did', () => {
    const age = (days: number) => ({ lastSuccessMs: nowMs - days * dayMs });
    expect(at('forget', age(3)).late).toBe(false);
    expect(at('forget', age(3.1)).late).toBe(true);
    expect(at('prune', age(15)).late).toBe(false);
    expect(at('prune', age(15.1)).late).toBe(true);
    // Never at all counts from the first look.
    expect(at('check', { sinceMs: nowMs - 16 * dayMs }).late).toBe(true);
    const states = [at('forget', age(1)), at('prune', age(52)), at('check', age(1))];
    expect(upkeepWarnings(states)).toEqual([
      expect.stringContaining('has not freed the space of forgotten points since'),
    ]);
  });

  test('say why they failed the last time, before they are late', () => {
    const failed = at('prune', { lastSuccessMs: 1, lastFailureMs: nowMs, lastError: 'The repository is locked.' });
    expect(upkeepWarnings([{ ...failed, late: false }])).toEqual([
      'Pruning the repository failed: The repository is locked.',
    ]);
    expect(upkeepWarnings([{ ...failed, lastSuccessMs: nowMs, late: false }])).toEqual([]);
  });
});
