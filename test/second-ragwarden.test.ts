import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRepositoryLocation, recoveryKit } from '../src/backup/index.ts';
import { makeLightRepository } from '../src/backup/repository/light-key.fixture.ts';
import {
  callsOf,
  calm,
  launch,
  password,
  prepareDataFolder,
  processesOf,
  sampleOf,
  wait,
  whenFree,
} from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import {
  contentOf,
  field,
  type RunningWarden,
  removeFolder,
  startWarden,
  temporaryFolder,
  until,
} from './warden-harness.ts';

const targets = '/api/v1/backup-replication/replication/targets';
const received = '/api/v1/backup-replication/backup/snapshots/received';

/** A question and a text that the first chunk of the sample answers it with. */
function canaryOf(workspace: string): Record<string, string> {
  const chunks = JSON.parse(readFileSync(join(workspace, 'kv_store_text_chunks.json'), 'utf8'));
  const [first] = Object.values<{ content: string }>(chunks);
  const content = String(first?.content).replaceAll(/\s+/g, ' ');
  return { RAGWARDEN_CANARY_QUESTION: content.slice(0, 120), RAGWARDEN_CANARY_EXPECTED: content.slice(0, 40) };
}

/** Two machines, as far as one can be both: a process, a data folder and a password each. */
describe.skipIf(!hasPart('restic'))('a second ragwarden', () => {
  let source: RunningWarden;
  let second: RunningWarden;
  let settingsThere: Record<string, string>;
  let pointId: string;
  let good: Record<string, string>;
  const place = temporaryFolder('second');
  const kitFile = join(place, 'recovery-kit.txt');
  const take = async (warden: RunningWarden): Promise<string> =>
    String(field(await callsOf(warden.api, warden.dataDir).take(), 'result', 'backup_id'));
  /** What somebody types at the second machine. */
  const type = async (...args: string[]) => {
    const token = readFileSync(join(second.dataDir, 'local-token'), 'utf8').trim();
    const { code, log } = await launch(args, { settings: { RAGWARDEN_URL: second.api, RAGWARDEN_TOKEN: token } }).ended;
    expect([code, log.slice(-2_000)]).toEqual([0, expect.any(String)]);
  };

  beforeAll(async () => {
    const here = await prepareDataFolder('second-source');
    const canary = canaryOf(sampleOf(here).workspace);
    good = contentOf(sampleOf(here).workspace);
    // The backend is installed there and has nothing yet.
    const there = temporaryFolder('second-place');
    for (const folder of Object.values(sampleOf(there))) mkdirSync(folder, { recursive: true });
    writeFileSync(join(there, 'sample', 'generated'), '');
    writeFileSync(join(there, 'repository-password'), 'another password\n', { mode: 0o600 });
    await makeLightRepository(join(there, 'repository'), 'another password');
    const settings = { ...calm, ...canary, RAGWARDEN_GATEWAY_ENABLED: 'true' };
    settingsThere = { ...settings, RAGWARDEN_REPLICATION_RECEIVE: 'true' };
    [source, second] = await Promise.all([
      startWarden({ dataDir: here, settings: { ...settings, LIGHTRAG_REPLICATION_ENABLED: 'true' } }),
      startWarden({ dataDir: there, settings: settingsThere, killAt: 'adopt:unpacked' }),
    ]);
    const location = parseRepositoryLocation(join(here, 'repository'), 'file');
    writeFileSync(kitFile, recoveryKit({ repositories: [{ location }], password, formatVersion: 1, createdAtMs: 0 }));
  });
  afterAll(async () => {
    for (const warden of [source, second]) {
      await warden?.stop();
      if (warden) removeFolder(warden.dataDir);
    }
    removeFolder(place);
  });

  test('in a process of its own receives the points of the first', async () => {
    const key = await second.call('POST', '/api/v1/access/tokens', { name: 'first', role: 'service' });
    expect(key.status).toBe(201);
    pointId = await take(source);
    const registered = await source.call('POST', targets, {
      ...{ name: 'second', target_id: 'second', base_url: second.api, api_key: field(key.body, 'token') },
    });
    expect(registered.status).toBe(201);
    await until('the point at the second one', async () => {
      const { body } = await second.call('GET', received);
      return field(body, 'items', 0, 'backup_id') === pointId ? true : undefined;
    });
    expect((await second.call('GET', '/api/v1/backup/points')).body).toMatchObject({ items: [] });
  });

  test('gives a point back to its sender, which fails over with it when its own repository is gone', async () => {
    const repository = join(source.dataDir, 'repository');
    renameSync(repository, `${repository}-away`);
    try {
      const ended = await whenFree(() => source.call('POST', '/api/v1/recovery/failover', { confirm: true }, wait));
      expect(field(ended.body, 'error')).toBeNull();
      const { body } = await source.call('GET', '/api/v1/recovery/failover');
      expect(body).toMatchObject({ active: 'standby', last: { source: 'second', canary: { verdict: 'passed' } } });
      expect(contentOf(join(source.dataDir, 'sample-standby', 'rag_storage'))).toEqual(good);
    } finally {
      renameSync(`${repository}-away`, repository);
    }
  });

  test('is killed while it takes a point over: the password of the sender is on its disk no longer, and the same again goes on', async () => {
    const scratch = join(second.dataDir, 'adopting');
    await second.call('POST', `${received}/adopt`, { password }, wait).catch((err: unknown) => err);
    await until('the kill', () => second.process.signalCode ?? undefined);
    expect(second.process.signalCode).toBe('SIGKILL');
    const [left = ''] = readdirSync(scratch);
    expect(readFileSync(join(scratch, left, 'password'), 'utf8')).toContain(password);
    second = await startWarden({ dataDir: second.dataDir, settings: settingsThere });
    expect(readdirSync(scratch)).toEqual([]);
    const { body } = await second.call('GET', '/api/v1/operations?kind=replication.adopt&limit=1');
    expect(field(body, 'items', 0)).toMatchObject({ state: 'interrupted' });
    // Nothing came of it: the catalogue here is as it was.
    expect((await second.call('GET', '/api/v1/backup/points')).body).toMatchObject({ items: [] });
  });

  test('brings the sample up again when the machine of the first is destroyed, within the objective, its canary green', async () => {
    source.process.kill('SIGKILL');
    await source.exited;
    await until('its processes to be gone', () => (processesOf(source.dataDir).length === 0 ? true : undefined));
    rmSync(source.dataDir, { recursive: true });
    const beganMs = performance.now();

    // The kit of somebody else opens nothing, and nothing is left of trying.
    // Nor does anybody wait for the one that was killed.
    const wrong = await second.call('POST', `${received}/adopt`, { password: 'another password' }, wait);
    expect(field(wrong.body, 'error')).toMatchObject({ code: 'repository/wrong-password' });
    await type('replicate', 'adopt', '--kit', kitFile);
    await type('backup', 'restore', pointId, '--yes');
    const canary = await second.call('POST', '/api/v1/targets/sample/canary/run', undefined, wait);
    const tookSeconds = (performance.now() - beganMs) / 1_000;

    expect(JSON.stringify(canary.body)).toContain('"passed"');
    expect(contentOf(sampleOf(second.dataDir).workspace)).toEqual(good);
    const answered = await fetch(`${second.gateway}/documents/status_counts`);
    expect(answered.status).toBe(200);
    const { body } = await second.call('GET', '/api/v1/recovery/objectives');
    const objective = Number(field(body, 'items', 0, 'rto', 'objective_seconds'));
    console.info(`answered from the second machine after ${tookSeconds.toFixed(1)} s; the objective is ${objective} s`);
    expect(objective).toBe(300);
    expect(tookSeconds).toBeLessThan(objective);
    // It is a point like any other, and does not go with age.
    expect((await second.call('GET', `/api/v1/backup/points/${pointId}`)).body).toMatchObject({ pinned: true });
    const audit = await second.call('GET', '/api/v1/audit?action=replication.adopt');
    expect(field(audit.body, 'items', 0)).toMatchObject({ object: pointId, outcome: 'done' });
    expect(second.log()).not.toContain(password);
  });
});
