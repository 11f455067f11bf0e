import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { secretHash } from './access.ts';
import { createGatewayKeys, type GatewayKeys, type StoredGatewayKey } from './gateway-keys.ts';

let state: TestState;
let clock: FakeClock;
let events: EventLog;
let keys: GatewayKeys;
let told: (readonly StoredGatewayKey[])[];

const make = (): GatewayKeys =>
  createGatewayKeys({
    ...{ db: state.db, clock, random: systemRandom, log: silentLogger, events },
    onChange: (now) => void told.push(now),
  });
const alice = { name: 'alice', targetId: 'main', workspace: 'legal', label: 'laptop', expiresMs: null };

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock(Date.UTC(2026, 4, 1));
  events = createEventLog({ db: state.db, clock, instance: 'warden-1' });
  told = [];
  keys = make();
});
afterEach(() => state.remove());

test('a key is told once and kept as a digest; it opens at once, and nothing any more once it is revoked', async () => {
  const { key, stored } = await keys.create('local:admin', alice);
  expect(key).toMatch(/^rw_gw_[\w-]{43}$/);
  expect(stored.digest).toBe(secretHash(key));
  expect(await state.everything()).not.toContain(key);
  expect(told).toEqual([[stored]]);
  await keys.revoke('local:admin', stored.id);
  await keys.revoke('local:admin', stored.id);
  expect(told).toEqual([[stored], []]);
  expect(await keys.list({ limit: 5 })).toEqual([{ ...stored, revokedMs: clock.now() }]);
  const trail = (await events.listAudit({ limit: 5 })).map(({ actor, action, object }) => [actor, action, object]);
  expect(trail).toEqual([
    ['local:admin', 'gateway.revoke-key', stored.id],
    ['local:admin', 'gateway.create-key', stored.id],
  ]);
  await expect(keys.revoke('local:admin', 'key_none')).rejects.toMatchObject({ code: 'request/not-found' });
});

test('one that has expired is handed over no more, and changes of another instance are seen', async () => {
  const { stored } = await keys.create('local:admin', { ...alice, expiresMs: clock.now() + 1_000 });
  const elsewhere = make();
  told = [];
  await elsewhere.job.runOnce();
  expect(told).toEqual([[stored]]);
  await clock.advance(1_000);
  await elsewhere.job.runOnce();
  await elsewhere.job.runOnce();
  expect(told).toEqual([[stored], []]);
});

test('a use is written down in minutes, and never moves back', async () => {
  const { stored } = await keys.create('local:admin', alice);
  const minute = Math.floor(clock.now() / 60_000) * 60_000;
  keys.noteUse(stored.id, clock.now() + 12_345);
  await keys.job.runOnce();
  keys.noteUse(stored.id, clock.now() - 600_000);
  await keys.job.runOnce();
  expect(await keys.list({ limit: 1 })).toMatchObject([{ lastUsedMs: minute }]);
});
