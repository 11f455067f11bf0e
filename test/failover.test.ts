import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeLightRepository } from '../src/backup/repository/light-key.fixture.ts';
import { AppError } from '../src/platform/errors.ts';
import { DisasterRecoveryManager, HealthValidator } from '../src/sdk/index.ts';
import {
  failureOf,
  type OpenWarden,
  openWarden,
  password,
  prepareDataFolder,
  processesOf,
  sampleOf,
  takeGood,
  wait,
  whenFree,
} from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { contentOf, field, removeFolder, temporaryFolder, until } from './warden-harness.ts';

const standbyOf = (dataDir: string) => ({
  workspace: join(dataDir, 'sample-standby', 'rag_storage'),
  inputs: join(dataDir, 'sample-standby', 'inputs'),
});

/** A question and a text that the first chunk of the sample answers it with. */
function canaryOf(workspace: string): Record<string, string> {
  const chunks = JSON.parse(readFileSync(join(workspace, 'kv_store_text_chunks.json'), 'utf8'));
  const [first] = Object.values<{ content: string }>(chunks);
  const content = String(first?.content).replaceAll(/\s+/g, ' ');
  return {
    RAGWARDEN_CANARY_QUESTION: content.slice(0, 120),
    RAGWARDEN_CANARY_EXPECTED: content.slice(0, 40),
  };
}

describe.skipIf(!hasPart('restic'))('failover', () => {
  let dataDir: string;
  let settings: Record<string, string>;
  let warden: OpenWarden;
  let step: (name: string) => void | Promise<void> = () => {};
  let good: Record<string, string>;
  let pointId: string;

  const open = () => openWarden(dataDir, { settings, step: (name) => step(name) });
  const status = async () => (await warden.call('GET', '/api/v1/recovery/failover')).body;
  const failOver = async (body: object = { confirm: true }): Promise<unknown> =>
    (await whenFree(() => warden.call('POST', '/api/v1/recovery/failover', body, wait))).body;
  const countDocuments = async (): Promise<unknown> => {
    const response = await fetch(`${warden.gateway}/documents/status_counts`);
    return response.status === 200 ? await response.json() : `status ${response.status}`;
  };
  const door = () => ({ url: warden.api, token: readFileSync(join(dataDir, 'local-token'), 'utf8').trim() });
  /** The machine is gone: its process killed, its folders removed. */
  const destroyHome = async (): Promise<void> => {
    const { workspace, inputs } = sampleOf(dataDir);
    for (const { pid } of processesOf(workspace)) process.kill(pid, 'SIGKILL');
    await until('the process to be gone', () => (processesOf(workspace).length === 0 ? true : undefined));
    rmSync(workspace, { recursive: true });
    rmSync(inputs, { recursive: true });
  };

  beforeAll(async () => {
    dataDir = await prepareDataFolder('failover');
    const { workspace } = sampleOf(dataDir);
    settings = { RAGWARDEN_GATEWAY_ENABLED: 'true', LIGHTRAG_REPLICATION_ENABLED: 'true', ...canaryOf(workspace) };
    warden = await open();
    good = contentOf(workspace);
    pointId = await takeGood(warden);
  });
  afterAll(async () => {
    await warden?.stop();
    removeFolder(dataDir);
  });

  test('the machine is destroyed, and the target answers through the gateway from its second place, with its canary green', async () => {
    const before = await countDocuments();
    await destroyHome();
    const plan = (await warden.call('POST', '/api/v1/recovery/failover/plan', {})).body;
    expect(plan).toMatchObject({ backup_id: pointId, blockers: [], from: { place: 'home', answers: null } });
    expect(failureOf(await failOver({}))).toContain('conflict/confirmation-required');
    expect(failureOf(await failOver({ confirm: true, plan_id: 'another' }))).toContain('restore/plan-changed');
    const ended = await failOver({ confirm: true, plan_id: field(plan, 'plan_id') });
    expect(field(ended, 'error')).toBeNull();
    expect(ended).toMatchObject({ state: 'succeeded', result: { state: 'succeeded', backup_id: pointId } });
    expect(await countDocuments()).toEqual(before);
    expect(contentOf(standbyOf(dataDir).workspace)).toEqual(good);
    const shown = await status();
    expect(shown).toMatchObject({
      active: 'standby',
      running: null,
      last: { canary: { verdict: 'passed' }, source: 'own', lives: 1, from: 'home', to: 'standby' },
    });
    const phases = field(shown, 'last', 'phases') as { name: string; seconds: number | null }[];
    expect(phases.map(({ name }) => name)).toEqual([
      ...['choosing', 'fencing', 'restoring', 'starting', 'checking', 'switching', 'verifying'],
    ]);
    expect(phases.every(({ seconds }) => seconds !== null)).toBe(true);
    expect(field(shown, 'last', 'answered_after_seconds')).toBeGreaterThan(0);
    const { text } = await warden.call('GET', '/metrics');
    expect(text).toContain('ragwarden_recovery_failovers_total{target="sample",outcome="succeeded"} 1');
    expect(text).toContain('ragwarden_recovery_active_place{target="sample",place="standby"} 1');
  });

  test('after a restart the gateway still leads there; the old place is reseeded and failed back to, over two ends of the process', async () => {
    const before = await countDocuments();
    await warden.stop();
    warden = await open();
    expect(await status()).toMatchObject({ active: 'standby', seeded: null });
    expect(await countDocuments()).toEqual(before);
    const { workspace } = sampleOf(dataDir);
    expect(contentOf(workspace)).toEqual({});
    const seeded = await whenFree(() => warden.call('POST', '/api/v1/recovery/reseed', { confirm: true }, wait));
    expect(field(seeded.body, 'error')).toBeNull();
    const shown = await status();
    expect(field(shown, 'seeded', 'place')).toBe('home');
    expect(field(shown, 'seeded', 'backup_id')).not.toBe(pointId);
    expect(contentOf(workspace)).toEqual(contentOf(standbyOf(dataDir).workspace));

    // What somebody left there meanwhile is no part of the point: it is kept beside.
    writeFileSync(join(workspace, 'kv_store_full_docs.json'), '{}');
    const boundaries = ['failover:recover:workspace-marked', 'failover:switched'];
    for (const boundary of boundaries) {
      const reached = Promise.withResolvers<void>();
      step = (name) => {
        if (name !== boundary) return undefined;
        step = () => undefined;
        reached.resolve();
        throw new AppError('internal/stopping', 'The process ends here.');
      };
      if (boundary === boundaries[0]) {
        await until('the target to be free', async () =>
          (await warden.call('POST', '/api/v1/recovery/failover', { confirm: true })).status === 202 ? true : undefined,
        );
      }
      await reached.promise;
      await warden.stop();
      warden = await open();
    }
    const last = await until('the failover to be over', async () => {
      const now = await status();
      return field(now, 'running') === null ? field(now, 'last') : undefined;
    });
    expect(last).toMatchObject({ state: 'succeeded', from: 'standby', to: 'home', lives: 3 });
    expect(String(field(last, 'notes'))).toContain('were put aside');
    expect(await status()).toMatchObject({ active: 'home' });
    expect(await countDocuments()).toEqual(before);
    expect(contentOf(workspace)).toEqual(good);
  });

  test('a checkpoint names verified points, is validated by drills, and only then failed over to; through the doors of the document', async () => {
    const recovery = new DisasterRecoveryManager(door());
    await expect(recovery.createRecoveryPoint(['no-such-graph'])).rejects.toMatchObject({ code: 'target/unknown' });
    const made = await recovery.createRecoveryPoint(['sample'], 'before the upgrade', { ticket: 7 });
    expect(made).toMatchObject({ graphs: ['sample'], validated: false, validation_timestamp: null });
    const named = String(made.points[0]?.backup_id);
    expect((await warden.call('GET', `/api/v1/backup/points/${named}`)).body).toMatchObject({ pinned: true });
    const order = { confirm: true } as const;
    await expect(recovery.initiateFailover(made.checkpoint_id, order)).rejects.toMatchObject({
      code: 'conflict/state',
    });
    expect(await recovery.validateRecoveryPoint(made.checkpoint_id)).toBe(true);
    expect(await recovery.getRecoveryPoint(made.checkpoint_id)).toMatchObject({
      validated: true,
      description: 'before the upgrade',
      metadata: { ticket: 7 },
      drills: [{ backup_id: named, verdict: 'passed' }],
    });
    expect(await recovery.getRecoveryPoint('checkpoint_none')).toBeUndefined();
    expect((await recovery.listRecoveryPoints()).map((one) => one.checkpoint_id)).toEqual([made.checkpoint_id]);
    expect(await recovery.getRecoveryStatus()).toMatchObject({
      ...{ total_checkpoints: 1, validated_checkpoints: 1, failover_in_progress: false },
      latest_checkpoint: made.checkpoint_id,
    });
    expect(await recovery.validateRecovery()).toBe(true);
    expect(await recovery.healthCheck()).toMatchObject({ graphs: { sample: { component_type: 'graph' } } });
    const validator = new HealthValidator(door());
    expect(await validator.validateGraph('sample')).toMatchObject({ component_id: 'sample' });
    expect(Object.keys(await validator.validateAllGraphs())).toEqual(['sample']);
    await expect(validator.validateGraph('none')).rejects.toMatchObject({ code: 'target/unknown' });
    expect(await validator.validateBackup(named)).toBe(true);
    expect(await validator.validateReplication()).toHaveProperty('status');
    expect(await validator.fullHealthCheck()).toHaveProperty('backups');
    expect((await warden.call('GET', '/api/v1/backup-replication/recovery/health')).body).toHaveProperty(
      'overall_status',
    );
    const removed = `/api/v1/backup-replication/recovery/checkpoints/${made.checkpoint_id}`;
    expect((await warden.call('DELETE', removed)).status).toBe(200);
    expect((await warden.call('GET', removed)).status).toBe(404);
    expect((await warden.call('GET', `/api/v1/backup/points/${named}`)).body).toMatchObject({ pinned: false });
  });

  test('a checkpoint is made by itself when an interval has passed, and says so', async () => {
    const below = '/api/v1/backup-replication/recovery';
    const automatic = async () => field((await warden.call('GET', `${below}/status`)).body, 'automatic', 0);
    expect(await automatic()).toMatchObject({
      ...{ target_id: 'sample', interval_seconds: 43_200, keep: 3, last_at: null, reason: null },
      next_at: expect.any(String),
    });
    // As if the last one had been made half a day ago.
    const halfADayAgo = String(Date.now() - 43_200_000);
    const insert = 'insert into recovery_setting (key, value) values (?, ?)';
    const beside = new DatabaseSync(join(dataDir, 'state.sqlite'), { timeout: 0 });
    await until('the database to be free', () => {
      // Whoever writes now goes on with this same thread.
      try {
        return beside.prepare(insert).run('checkpoint-made:sample', halfADayAgo);
      } catch {
        return undefined;
      }
    });
    beside.close();
    await warden.call('POST', '/api/v1/system/services/restart', { names: ['checkpoints'] });
    const made = await until('a checkpoint', async () => {
      const { body } = await warden.call('GET', `${below}/checkpoints`);
      return field(body, 'items', 0) ?? undefined;
    });
    expect(made).toMatchObject({ cause: 'scheduled', created_by: 'ragwarden', graphs: ['sample'] });
    const point = `/api/v1/backup/points/${field(made, 'points', 0, 'backup_id')}`;
    await until('its point to be pinned', async () =>
      field((await warden.call('GET', point)).body, 'pinned') === true ? true : undefined,
    );
    await until('the next to be waited for', async () =>
      field(await automatic(), 'last_at') !== new Date(Number(halfADayAgo)).toISOString() ? true : undefined,
    );
    const removed = `${below}/checkpoints/${field(made, 'checkpoint_id')}`;
    expect((await warden.call('DELETE', removed)).status).toBe(200);
  });

  test('its repository is gone as well: the point of a checkpoint comes from a replica, and that is said', async () => {
    const cellar = temporaryFolder('failover-replica');
    await makeLightRepository(cellar, password);
    const below = '/api/v1/backup-replication/replication/targets';
    const registered = await warden.call('POST', below, { name: 'cellar', target_id: 'cellar', location: cellar });
    expect(registered.status).toBe(201);
    const copied = await whenFree(() => warden.call('POST', `${below}/cellar/replicate`, undefined, wait));
    expect(field(copied.body, 'error')).toBeNull();
    const newest = String(field((await warden.points())[0], 'backup_id'));
    const recovery = new DisasterRecoveryManager(door());
    // Nobody rehearsed it, so it takes force.
    const { checkpoint_id } = await recovery.createRecoveryPoint(['sample']);
    const repository = join(dataDir, 'repository');
    renameSync(repository, `${repository}-away`);
    try {
      const order = { confirm: true, force: true };
      const result = await recovery.initiateFailover(checkpoint_id, order);
      expect(result).toMatchObject({ state: 'succeeded', backup_id: newest });
      const { last } = (await status()) as { last: unknown };
      expect(last).toMatchObject({ source: 'cellar', from: 'home', to: 'standby', canary: { verdict: 'passed' } });
      expect(last).toMatchObject({ checkpoint_id, forced: true });
      expect(String(field(last, 'notes'))).toContain('no repository lies there');
    } finally {
      renameSync(`${repository}-away`, repository);
      removeFolder(cellar);
    }
  });
});
