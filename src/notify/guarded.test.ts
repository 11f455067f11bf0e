import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  createTestNotify,
  createTestReceiver,
  firing,
  route,
  type TestNotify,
  type TestReceiver,
} from './test-notify.ts';

let hook: TestReceiver;
let notify: TestNotify;
let names: Record<string, string[]>;
let asked: string[];

beforeEach(async () => {
  hook = await createTestReceiver();
  names = {};
  asked = [];
  notify = await createTestNotify(
    { fallback: route({ groupWaitMs: 0, groupIntervalMs: 0 }), allowPrivate: true },
    {
      http: {
        ownPorts: () => [8_710],
        async resolve(name) {
          asked.push(name);
          // Each time another one, as long as there is one: the last stays.
          const addresses = names[name] ?? [];
          return addresses.length > 1 ? addresses.splice(0, 1) : addresses;
        },
      },
    },
  );
});
afterEach(async () => {
  await notify.remove();
  await hook.close();
});

const settings = { kind: 'webhook', send_resolved: true, timeout_seconds: 5 } as const;
const create = (url: string) => notify.receivers.create('local:ann', { id: 'api', settings, secrets: { url } });
const said = async (): Promise<string | null | undefined> =>
  (await notify.outbox.list({}, 1))[0]?.attempts.at(-1)?.error;

test('one made over the API is dialled at the address that was looked at, even when its name means something else by then', async () => {
  names['hooks.example.org'] = ['127.0.0.1', '169.254.169.254'];
  await create(`http://hooks.example.org:${hook.port}/`);
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect([hook.received.length, asked]).toEqual([1, ['hooks.example.org']]);
  await notify.clock.advance(1);
  await notify.tell(firing('disk'));
  await notify.turn();
  expect([hook.received.length, await said()]).toEqual([
    1,
    'hooks.example.org is a link-local, metadata or reserved address',
  ]);
});

test.each([
  ['http://hooks.example.org:8710/', 'hooks.example.org:8710 is a listener of ragwarden itself'],
  ['http://169.254.169.254/latest/meta-data/', '169.254.169.254 is a link-local, metadata or reserved address'],
  ['http://0.0.0.0/', '0.0.0.0 is a link-local, metadata or reserved address'],
])('%s is not called', async (url, why) => {
  names['hooks.example.org'] = ['127.0.0.1'];
  await create(url);
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(await said()).toBe(why);
});

test('private ranges are for those of the file, unless a setting allows them', async () => {
  notify.config = { ...notify.config, allowPrivate: false };
  await create(`${hook.url}/`);
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect([hook.received.length, await said()]).toEqual([
    0,
    '127.0.0.1 lies in a private range, which is not allowed here',
  ]);
});

test('a mail server that was named over the API is held to the same', async () => {
  const place = { host: 'metadata.example.org', port: 25, tls: 'starttls', username: null } as const;
  const mail = { ...place, from: 'a@example.org', to: ['b@example.org'] };
  names['metadata.example.org'] = ['169.254.169.254'];
  await notify.receivers.create('local:ann', {
    id: 'api',
    settings: { ...settings, ...mail, kind: 'email' },
    secrets: {},
  });
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(await said()).toBe('metadata.example.org is a link-local, metadata or reserved address');
});

test('secrets are kept sealed, and one that cannot be opened is told and does not keep the others from working', async () => {
  const url = `${hook.url}/a-secret-place`;
  await create(url);
  expect(await notify.state.everything()).not.toContain('a-secret-place');
  expect((await notify.receivers.find('api'))?.receiver).toMatchObject({ origin: 'api', url: { value: url } });
  await notify.state.db.unit(async (tx) => {
    type Tables = { notify_receiver: { id: string; secrets: string } };
    await tx.as<Tables>().updateTable('notify_receiver').set({ secrets: '{"url":"v1:AAAA"}' }).execute();
  });
  const known = await notify.receivers.find('api');
  expect(known?.broken).toContain('cannot be opened');
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(hook.received).toEqual([]);
});

test('what stands in the file wins over one of the same id, which stays aside', async () => {
  await create(`${hook.url}/`);
  notify.config = {
    ...notify.config,
    receivers: [
      { id: 'api', sendResolved: true, timeoutMs: 1_000, kind: 'slack', url: { value: hook.url }, channel: undefined },
    ],
  };
  expect((await notify.receivers.list()).map(({ receiver }) => [receiver.id, receiver.origin, receiver.kind])).toEqual([
    ['api', 'file', 'slack'],
  ]);
  await expect(notify.receivers.remove('local:ann', 'api')).rejects.toMatchObject({ code: 'conflict/state' });
  await expect(create(`${hook.url}/`)).rejects.toMatchObject({ code: 'conflict/state' });
});
