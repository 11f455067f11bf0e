import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AwsClient } from 'aws4fetch';
import { findProgram } from '../../tools/system-packages.mjs';
import { type Certificate, makeCertificate } from './certificate.ts';
import { freePort } from './free-port.ts';
import { memoryFolder } from './memory-folder.ts';
import { programOf } from './parts.ts';

export type StoreKeys = { readonly AWS_ACCESS_KEY_ID: string; readonly AWS_SECRET_ACCESS_KEY: string };

/** A throw-away S3 server of one test file (Ceph radosgw over one monitor and one store in memory), on ports of its own. */
export type TestStore = {
  readonly port: number;
  /** `s3:http://…` of a bucket and a path in it, as restic takes it; `port` for something in front of it. */
  location(path: string, port?: number): string;
  /** The same over TLS, with a certificate that only `certificate.certFile` vouches for. */
  tlsLocation(path: string): string;
  readonly certificate: Certificate;
  /** A user with keys of its own. @param more as `radosgw-admin user create` takes it */
  user(name: string, ...more: readonly string[]): Promise<StoreKeys>;
  /** No more than this many bytes in all buckets of a user. */
  limit(name: string, bytes: number): Promise<void>;
  /** What anybody with these keys may do with objects, past every tool of ours. */
  objects(keys: StoreKeys): StoreObjects;
  /** Ends the server at once, as a crash would; what it stores stays. */
  kill(): Promise<void>;
  /** After `kill`, on the same ports. */
  again(): Promise<void>;
  remove(): Promise<void>;
};

export type StoreObjects = {
  /** Names below a prefix, the largest first. */
  list(bucket: string, prefix: string): Promise<readonly { readonly key: string; readonly bytes: number }[]>;
  read(bucket: string, key: string): Promise<Buffer>;
  write(bucket: string, key: string, body: Uint8Array | string): Promise<void>;
  remove(bucket: string, key: string): Promise<void>;
  makeBucket(bucket: string): Promise<void>;
  /** A bucket policy, as S3 has it. */
  allow(bucket: string, policy: object): Promise<void>;
};

const run = promisify(execFile);
/** A port that was free is somebody else's by the time it is used, now and then. */
const attempts = 3;
const patienceMs = 120_000;

/** Everything of it lies in one folder: nothing of the system is read or written, `/etc/ceph` in particular. */
export async function startStore(): Promise<TestStore> {
  for (let attempt = 1; ; attempt += 1) {
    const folder = memoryFolder('s3');
    const children: ChildProcess[] = [];
    try {
      return await startIn(folder, children);
    } catch (err) {
      await Promise.all(children.map(end));
      rmSync(folder, { recursive: true, force: true });
      if (attempt === attempts) throw err;
    }
  }
}

async function startIn(folder: string, children: ChildProcess[]): Promise<TestStore> {
  const [monitorPort, port, tlsPort] = [await freePort(), await freePort(), await freePort()];
  const fsid = randomUUID();
  const settings = join(folder, 'ceph.conf');
  for (const name of ['mon', 'osd', 'rgw', 'run']) mkdirSync(join(folder, name));
  const certificate = makeCertificate(folder);
  writeFileSync(settings, settingsOf({ folder, fsid, monitorPort, port, tlsPort }));
  // Nothing is taken from the environment of the test run: CEPH_ARGS would reach every one of these programs.
  const env = { PATH: process.env.PATH ?? '', HOME: folder, LC_ALL: 'C' };
  const tool = (name: string, ...args: readonly string[]) =>
    run(name, args, { env, cwd: folder, timeout: patienceMs, maxBuffer: 16 * 2 ** 20 });
  const asAdmin = ['-c', settings, '-n', 'client.admin'];
  const setpriv = findProgram('setpriv');
  /** Ends with the test run, however that ends. */
  const start = (name: string, ...args: readonly string[]): ChildProcess => {
    const command = [name, '-f', '-c', settings, ...args];
    const [program = '', ...rest] = setpriv ? [setpriv, '--pdeathsig', 'KILL', '--', ...command] : command;
    const child = spawn(program, rest, { env, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-4_000);
    });
    child.once('exit', (code, signal) => {
      if (signal === null) console.warn(`${name} of a test ended (${code}):\n${said}`);
    });
    children.push(child);
    return child;
  };

  await tool('ceph-authtool', '--create-keyring', 'keyring', '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *');
  for (const [name, ...caps] of [
    ['client.admin', 'mon', 'allow *', 'osd', 'allow *'],
    ['osd.0', 'mon', 'allow profile osd', 'osd', 'allow *'],
    ['client.rgw', 'mon', 'allow rw', 'osd', 'allow rwx'],
  ] as const)
    await tool('ceph-authtool', 'keyring', '--gen-key', '-n', name, ...inPairs(caps));
  await tool('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', `[v2:127.0.0.1:${monitorPort}]`, 'monmap');
  await tool('ceph-mon', '--mkfs', '-i', 'a', '--monmap', 'monmap', '--keyring', 'keyring', '-c', settings);
  start('ceph-mon', '-i', 'a');
  const osdId = randomUUID();
  await tool('ceph', ...asAdmin, '--connect-timeout', '60', 'osd', 'new', osdId);
  await tool('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId, '-c', settings);
  start('ceph-osd', '-i', '0');

  let server: ChildProcess;
  const serve = async (): Promise<void> => {
    server = start(programOf('ceph'), '-n', 'client.rgw');
    const limit = AbortSignal.timeout(patienceMs);
    for (;;) {
      const answered = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5_000) }).catch(
        () => undefined,
      );
      const told = await answered?.text();
      // Whoever else got this port does not answer so.
      if (told?.includes('<ListAllMyBucketsResult')) return;
      if (server.exitCode !== null || limit.aborted || told !== undefined)
        throw new Error(
          `radosgw did not come up:\n${readFileSync(join(folder, 'client.rgw.log'), 'utf8').slice(-3_000)}`,
        );
      await sleep(20);
    }
  };
  await serve();
  const admin = (...args: readonly string[]) => tool('radosgw-admin', ...asAdmin, ...args);

  return {
    port,
    certificate,
    location: (path, at = port) => `s3:http://127.0.0.1:${at}/${path}`,
    tlsLocation: (path) => `s3:https://localhost:${tlsPort}/${path}`,
    async user(name, ...more) {
      const keys = { AWS_ACCESS_KEY_ID: `KEY-OF-${name}`, AWS_SECRET_ACCESS_KEY: `secret-of-${name}-${randomUUID()}` };
      const given = ['--access-key', keys.AWS_ACCESS_KEY_ID, '--secret-key', keys.AWS_SECRET_ACCESS_KEY];
      await admin('user', 'create', '--uid', name, '--display-name', name, ...given, ...more);
      return keys;
    },
    async limit(name, bytes) {
      await admin('quota', 'set', '--quota-scope', 'user', '--uid', name, '--max-size', String(bytes));
      await admin('quota', 'enable', '--quota-scope', 'user', '--uid', name);
    },
    objects: (keys) => objectsOf(`http://127.0.0.1:${port}`, keys),
    kill: () => end(server),
    again: serve,
    async remove() {
      await Promise.all(children.map(end));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const inPairs = (caps: readonly string[]): string[] =>
  caps.flatMap((cap, at) => (at % 2 === 0 ? ['--cap', cap, caps[at + 1] ?? ''] : []));

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/**
 * One monitor, one store that lives in memory, no manager. Logins are asked for: without them radosgw waits for ever. Nothing waits
 * for others to agree, and what is written is written once.
 */
const settingsOf = (facts: {
  folder: string;
  fsid: string;
  monitorPort: number;
  port: number;
  tlsPort: number;
}): string => {
  const { folder } = facts;
  return `[global]
fsid = ${facts.fsid}
mon_host = v2:127.0.0.1:${facts.monitorPort}
mon_initial_members = a
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = ${folder}/keyring
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
run_dir = ${folder}/run
admin_socket = ${folder}/run/$name.asok
pid_file = ${folder}/run/$name.pid
log_file = ${folder}/$name.log
crash_dir = ${folder}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
[mon]
mon_data = ${folder}/mon
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
[osd]
osd_data = ${folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824
[client.rgw]
rgw_data = ${folder}/rgw
rgw_frontends = beast endpoint=127.0.0.1:${facts.port} ssl_endpoint=127.0.0.1:${facts.tlsPort} ssl_certificate=${folder}/cert.pem ssl_private_key=${folder}/key.pem
rgw_bucket_quota_ttl = 0
`;
};

function objectsOf(base: string, keys: StoreKeys): StoreObjects {
  const client = new AwsClient({
    ...{ accessKeyId: keys.AWS_ACCESS_KEY_ID, secretAccessKey: keys.AWS_SECRET_ACCESS_KEY },
    ...{ service: 's3', region: 'us-east-1', retries: 2 },
  });
  const ask = async (method: string, path: string, body?: Uint8Array<ArrayBuffer> | string): Promise<Response> => {
    const answer = await client.fetch(`${base}/${path}`, { method, ...(body === undefined ? {} : { body }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  return {
    async list(bucket, prefix) {
      const text = await (await ask('GET', `${bucket}?list-type=2&prefix=${encodeURIComponent(prefix)}`)).text();
      return [...text.matchAll(/<Key>([^<]+)<\/Key>.*?<Size>(\d+)<\/Size>/gs)]
        .map(([, key = '', bytes]) => ({ key, bytes: Number(bytes) }))
        .sort((one, other) => other.bytes - one.bytes);
    },
    read: async (bucket, key) => Buffer.from(await (await ask('GET', `${bucket}/${key}`)).arrayBuffer()),
    async write(bucket, key, body) {
      await ask('PUT', `${bucket}/${key}`, typeof body === 'string' ? body : new Uint8Array(body));
    },
    async remove(bucket, key) {
      await ask('DELETE', `${bucket}/${key}`);
    },
    async makeBucket(bucket) {
      await ask('PUT', bucket);
    },
    async allow(bucket, policy) {
      await ask('PUT', `${bucket}?policy`, JSON.stringify(policy));
    },
  };
}
