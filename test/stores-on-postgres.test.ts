import { afterAll, describe } from 'vitest';
import { openTestStatesOn } from '../src/migrations/test-state.ts';
import { hasPart } from './setup/parts.ts';

/**
 * The tests of the stores, once more, word for word, with state on a real PostgreSQL server. No store may know which of the two
 * databases it runs on.
 */
openTestStatesOn('postgres');
afterAll(() => openTestStatesOn('sqlite'));

describe.skipIf(!hasPart('postgresql'))('on PostgreSQL', () => {
  describe('events', () => import('../src/events/event-log.test.ts').then(() => undefined));
  describe('operations', () => import('../src/operations/operations.test.ts').then(() => undefined));
  describe('access', () => import('../src/access/access-routes.test.ts').then(() => undefined));
  describe('tokens', () => import('../src/access/tokens.test.ts').then(() => undefined));
  describe('growth', () => import('../src/app/own-growth.test.ts').then(() => undefined));
  describe('settings', () => import('../src/system/settings-routes.test.ts').then(() => undefined));
  describe('leases', () => import('../src/platform/leases.test.ts').then(() => undefined));
  describe('samples', () => import('../src/metrics/history.test.ts').then(() => undefined));
  describe('agents', () => import('../src/metrics/agents.test.ts').then(() => undefined));
  describe('quotas', () => import('../src/quotas/ledger.test.ts').then(() => undefined));
  describe('drills', () => import('../src/recovery/drill-store.test.ts').then(() => undefined));
  describe('documents', () => import('../src/targets/documents/document-store.test.ts').then(() => undefined));
  describe('alerts', () => import('../src/alerts/alert-evaluation.test.ts').then(() => undefined));
  describe('notifications', () => import('../src/notify/notify.test.ts').then(() => undefined));
  describe('recovery points', () => import('../src/backup/point-store.test.ts').then(() => undefined));
});
