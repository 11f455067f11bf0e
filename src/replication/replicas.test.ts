import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseRepositoryLocation } from '../backup/index.ts';
import type { ReplicaConfig } from '../config/index.ts';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { AppError } from '../platform/errors.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { systemRandom } from '../platform/ids.ts';
import { createLeases } from '../platform/leases.ts';
import { createSeal } from '../platform/seal.ts';
import { leaseOf, replicaLeaseMs } from './held-work.ts';
import { createReplicas, type NewReplica, type Replicas } from './replicas.ts';
import { createReplicationStore } from './replication-store.ts';

let state: TestState;
let replicas: Replicas;
let events: EventLog;
const key = systemRandom(32).toString('base64');
const unspooled: string[] = [];
const leases = () => createLeases({ db: state.db, clock: createFakeClock(), instance: 'test', ttlMs: replicaLeaseMs });
const build = (location = '/mnt/one', credentials: ReplicaConfig['credentials'] = {}): Replicas =>
  createReplicas({
    ...{ store: createReplicationStore(state.db), db: state.db, clock: createFakeClock(), maxTargets: 3, events },
    seal: createSeal({ given: key, file: '', random: systemRandom }),
    configured: [
      {
        ...{ id: 'file', name: 'file', place: { location }, zone: 'a', offline: false, enabled: true },
        ...{
          apiKey: undefined,
          credentials,
          passwordFile: undefined,
          caFile: undefined,
          limitKiB: undefined,
          maxConcurrent: undefined,
        },
      },
    ],
    leases: leases(),
    async forgetSpool({ id }) {
      unspooled.push(id);
    },
    living: () => ['/srv/rag', '/var/lib/ragwarden'],
    parseLocation: parseRepositoryLocation,
    readSecret: async (secret, name) => ('value' in secret ? secret.value : `${name} of ${secret.file}`),
    async admit(host) {
      if (host.startsWith('169.254.')) throw new AppError('outgoing/refused-address', 'a metadata address');
    },
  });
beforeEach(async () => {
  state = await openTestState();
  events = createEventLog({ db: state.db, clock: createFakeClock(), instance: 'test' });
  replicas = build();
});
afterEach(() => state.remove());

const wanted = (more: Partial<NewReplica>): NewReplica => ({
  ...{ id: undefined, name: 'Far Away', location: undefined, baseUrl: undefined, credentials: {}, zone: null },
  ...{ offline: false, enabled: true, limitKiB: null, maxConcurrent: null, metadata: {} },
  ...more,
});
const cloud = wanted({
  location: 's3:https://s3.example.org/bucket/rw',
  credentials: { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'the-secret-of-this-test' },
});

test('a key is taken once, kept sealed, never shown, and opens after a restart', async () => {
  const made = await replicas.register(cloud, 'local:admin');
  expect(made).toMatchObject({ id: 'far-away', kind: 's3', origin: 'api' });
  expect(JSON.stringify(await replicas.list())).not.toContain('the-secret');
  expect(await state.everything()).not.toContain('the-secret-of-this-test');
  const after = build();
  expect(await after.credentials(await after.require('far-away'))).toEqual(cloud.credentials);
  expect((await events.listAudit({ limit: 1 }))[0]).toMatchObject({
    ...{ actor: 'local:admin', action: 'replication.target-registered', object: 'far-away' },
  });
  await replicas.change('far-away', { credentials: { AWS_ACCESS_KEY_ID: 'new' }, enabled: false }, 'local:admin');
  expect(await replicas.credentials(await replicas.require('far-away'))).toEqual({ AWS_ACCESS_KEY_ID: 'new' });
  await replicas.remove('far-away', 'local:admin');
  expect((await replicas.list()).map(({ id }) => id)).toEqual(['file']);
});

test.each([
  ['an option', { location: '--password-command=id' }, 'repository/invalid-location'],
  ['a program', { location: 'rclone:remote:path' }, 'repository/invalid-location'],
  ['an option of ssh', { location: 'sftp://-oProxyCommand=id@host/path' }, 'repository/invalid-location'],
  ['a password in the place', { location: 'rest:https://me:secret@host/path' }, 'repository/invalid-location'],
  ['a metadata service', { location: 's3:http://169.254.169.254/bucket/x' }, 'outgoing/refused-address'],
  [
    'a metadata service as a ragwarden',
    { baseUrl: 'http://169.254.169.254/', credentials: { API_KEY: 'k' } },
    'outgoing/refused-address',
  ],
  ['credentials in a URL', { baseUrl: 'http://me:secret@host/' }, 'request/invalid'],
  ['another scheme', { baseUrl: 'file:///etc/passwd' }, 'request/invalid'],
  ['the data that is protected', { location: '/srv/rag/copies' }, 'target/foreign-path'],
  ['a folder around our own', { location: '/var/lib' }, 'target/foreign-path'],
  [
    'a variable that names a program',
    { location: '/mnt/two', credentials: { RESTIC_PASSWORD_COMMAND: 'id' } },
    'request/invalid',
  ],
  ['the place of another target', { location: '/mnt/one' }, 'conflict/state'],
  ['an id with other characters', { location: '/mnt/two', id: '../x' }, 'request/invalid'],
])('%s is refused, and nothing is kept of it', async (_, more, code) => {
  await expect(replicas.register(wanted(more), 'local:admin')).rejects.toMatchObject({ code });
  expect((await replicas.list()).map(({ id }) => id)).toEqual(['file']);
});

test('those of the file are changed in the file, and there are no more than may be', async () => {
  await expect(replicas.remove('file', 'a')).rejects.toMatchObject({ code: 'conflict/state' });
  const changed = replicas.change('file', { enabled: false }, 'a');
  await expect(changed).rejects.toMatchObject({ code: 'conflict/state' });
  await replicas.register(wanted({ location: '/mnt/two' }), 'a');
  expect(await replicas.register(wanted({ location: '/mnt/three' }), 'a')).toMatchObject({ id: 'far-away-2' });
  await expect(replicas.register(wanted({ location: '/mnt/four' }), 'a')).rejects.toMatchObject({
    code: 'conflict/state',
  });
  await expect(replicas.require('nobody')).rejects.toMatchObject({ code: 'replication/unknown-target' });
});

test.each(['rest:http://host:8000', 'rest:https://Host.example:443/Path', 'rest:https://me@host/path'])(
  '%s has no password, and is taken from the file and over the API',
  async (location) => {
    expect(await build(location).require('file')).toMatchObject({ kind: 'rest', place: location });
    expect(await replicas.register(wanted({ location }), 'a')).toMatchObject({ place: location });
  },
);

test('a location of the file that cannot be is told with the target that it stands at', () => {
  expect(() => build('rest:https://me:secret@host/')).toThrow(/replication\.targets file: A password has no place/);
  expect(() => build('nowhere')).toThrow(/replication\.targets file: /);
});

test('a place where somebody works is not removed, and what waited for one that is removed goes', async () => {
  await replicas.register(wanted({ location: '/mnt/two' }), 'a');
  const lease = await leases().acquire(leaseOf('far-away'));
  await expect(replicas.remove('far-away', 'a')).rejects.toMatchObject({ code: 'operation/busy' });
  if (lease) await leases().release(lease);
  unspooled.length = 0;
  await replicas.remove('far-away', 'a');
  expect(unspooled).toEqual(['far-away']);
});

test('what names a file or a host is taken from the file only, each secret is read by its name, and of the API it is refused', async () => {
  const named = { GOOGLE_APPLICATION_CREDENTIALS: { file: '/etc/key.json' } };
  const google = build('gs:points:/here', named);
  expect(await google.credentials(await google.require('file'))).toEqual({
    GOOGLE_APPLICATION_CREDENTIALS: 'GOOGLE_APPLICATION_CREDENTIALS of /etc/key.json',
  });
  const azure = build('azure:points:/here', { AZURE_ENDPOINT_SUFFIX: { value: 'core.chinacloudapi.cn' } });
  expect(await azure.credentials(await azure.require('file'))).toEqual({
    AZURE_ENDPOINT_SUFFIX: 'core.chinacloudapi.cn',
  });
  for (const [location, name] of [
    ['gs:others:/here', 'GOOGLE_APPLICATION_CREDENTIALS'],
    ['azure:others:/here', 'AZURE_ENDPOINT_SUFFIX'],
  ] as const)
    await expect(replicas.register(wanted({ location, credentials: { [name]: 'x' } }), 'a')).rejects.toMatchObject({
      code: 'request/invalid',
    });
});
