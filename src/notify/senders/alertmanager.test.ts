import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RealAlertmanager, startAlertmanager } from '../../../test/setup/alertmanager.ts';
import { hasPart } from '../../../test/setup/parts.ts';
import type { ReceiverConfig } from '../../config/index.ts';
import {
  createTestNotify,
  createTestReceiver,
  firing,
  resolved,
  type TestNotify,
  type TestReceiver,
} from '../test-notify.ts';
import { shapeAlert } from './alertmanager.ts';

const receiver = (url: string): ReceiverConfig => ({
  id: 'central',
  sendResolved: true,
  timeoutMs: 5_000,
  kind: 'alertmanager',
  url,
  auth: { kind: 'none' },
});

describe.skipIf(!hasPart('alertmanager'))('a real Alertmanager', () => {
  let pager: TestReceiver;
  let real: RealAlertmanager;
  let notify: TestNotify;

  beforeEach(async () => {
    pager = await createTestReceiver();
    real = await startAlertmanager(pager.url);
    notify = await createTestNotify({ receivers: [receiver(real.url)] });
    // It compares with its own clock.
    await notify.clock.advance(Date.now() - notify.clock.now());
  });
  afterEach(async () => {
    await notify.remove();
    await real.stop();
    await pager.close();
  });

  type Passed = { status: string; alerts: { status: string; labels: Record<string, string> }[] };
  const passedOn = (): string[] =>
    pager.received.map(({ body }) => {
      const { alerts } = JSON.parse(body) as Passed;
      return alerts.map(({ status, labels }) => `${labels.alertname} ${status}`).join(', ');
    });

  test('hears of the beginning and of the end at once, and passes both on', async () => {
    const startsAtMs = notify.clock.now() - 60_000;
    await notify.tell(firing('cpu', { startsAtMs, annotations: { value: '93' } }));
    await notify.turn();
    expect(await real.alerts()).toMatchObject([
      {
        labels: { alertname: 'cpu', severity: 'warning' },
        annotations: { value: '93', title: 'cpu is too high', runbook_url: 'https://docs.example.org/runbook' },
        startsAt: new Date(startsAtMs).toISOString(),
      },
    ]);
    await expect.poll(passedOn).toEqual(['cpu firing']);
    await notify.tell(resolved('cpu', { startsAtMs, endsAtMs: notify.clock.now(), labels: {} }));
    await notify.turn();
    await expect.poll(passedOn).toEqual(['cpu firing', 'cpu resolved']);
    expect(await real.alerts()).toEqual([]);
    expect((await notify.outbox.list({}, 5)).map(({ state }) => state)).toEqual(['sent', 'sent']);
  });

  test('hears again each minute of what goes on, so that one that forgot everything knows it again', async () => {
    await notify.tell(firing('cpu', { startsAtMs: notify.clock.now() }));
    await notify.turn();
    const before = Date.parse((await real.alerts())[0]?.endsAt ?? '');
    await notify.pass(60_000);
    const after = Date.parse((await real.alerts())[0]?.endsAt ?? '');
    expect([before, after].map((atMs) => atMs - notify.clock.now())).toEqual([180_000, 240_000]);
    const { port } = new URL(real.url);
    await real.stop();
    real = await startAlertmanager(pager.url, Number(port));
    expect(await real.alerts()).toEqual([]);
    await notify.pass(60_000);
    expect((await real.alerts()).map(({ labels }) => labels.alertname)).toEqual(['cpu']);
    // The pushes are no news, so they are no deliveries.
    expect(await notify.outbox.list({}, 5)).toHaveLength(1);
  });
});

test('labels get names that are allowed there, and an end never lies before its beginning', () => {
  const alert = {
    ...firing('k', { labels: { alertname: 'a', 'my-label': 'x', '9th': 'y', empty: '' } }),
    acknowledgedBy: null,
  };
  expect(shapeAlert(alert, 0).labels).toEqual({ alertname: 'a', my_label: 'x', _9th: 'y', severity: 'warning' });
  const ended = shapeAlert({ ...alert, status: 'resolved', startsAtMs: 5_000, endsAtMs: 1_000 }, 9_000);
  expect([ended.startsAt, ended.endsAt]).toEqual(['1970-01-01T00:00:05.000Z', '1970-01-01T00:00:05.000Z']);
});
