import { expect, test } from 'vitest';
import { findOff, listOff, type Switch, targetSwitch, upstreamSwitch } from './switches.ts';

const setting = (key: string, value: unknown, variable?: string): Switch => ({
  ...{ key, value, environment: variable === undefined ? [] : [variable] },
});
const some = [
  setting('alerts.enabled', false, 'RAGWARDEN_ALERTS_ENABLED'),
  setting('metrics.enabled', true, 'LIGHTRAG_METRICS_ENABLED'),
  setting('replication.receive_enabled', false),
  setting('target.canary.question', null),
];

test('names the setting that is off, by what the operator can set, and leaves out the one that is on', () => {
  expect(findOff('api/v1/metrics/alerts/active?state=pending', some)).toBe(
    'Alerting is switched off: set RAGWARDEN_ALERTS_ENABLED (alerts.enabled) to true, and restart ragwarden.',
  );
  expect(findOff('api/v1/backup-replication/backup/snapshots/received', some)).toBe(
    'Taking points of others is switched off: set replication.receive_enabled to true, and restart ragwarden.',
  );
});

test('asks for what goes on without the part, and for all while nothing is known', () => {
  expect(findOff('api/v1/metrics/alerts/silences', some)).toBeUndefined();
  expect(findOff('api/v1/metrics/definitions?limit=1000', some)).toBeUndefined();
  expect(findOff('api/v1/metrics/alerts/active', [])).toBeUndefined();
});

test('a canary that nobody set is told as such, and is no news above every view', () => {
  expect(findOff('api/v1/targets/sample/canary', some)).toMatch(/^There is no canary: set `target.canary.question`/);
  expect(listOff(some)).toEqual([expect.stringMatching(/^Alerting is switched off/)]);
});

test('without a target nothing is asked that only a target has, and what is switched off is said first', () => {
  const none = targetSwitch(0);
  expect(findOff('api/v1/backup/status', [none])).toMatch(/^No target is configured/);
  expect(findOff('api/v1/backup/points?limit=50', [none])).toBeUndefined();
  expect(findOff('api/v1/backup/status', [targetSwitch(1)])).toBeUndefined();
  expect(findOff('api/v1/gateway/status', [none, upstreamSwitch(false)])).toMatch(/^There is nothing that the gateway/);
  expect(findOff('api/v1/gateway/status', [none, upstreamSwitch(true)])).toBeUndefined();
  expect(listOff([none, upstreamSwitch(false)])).toEqual([]);
  expect(findOff('api/v1/backup/status', [none, setting('backup.enabled', false)])).toMatch(/^Backup is switched off/);
});
