import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../../test/setup/parts.ts';
import { lightenKey } from '../backup/repository/light-key.fixture.ts';
import type { Operation } from '../operations/index.ts';
import { leaseOf } from './held-work.ts';
import { openTestReceiver } from './receive/test-receiver.ts';
import { createReplicationJob } from './replication-job.ts';
import { openTestReplication, password, type TestReplication } from './test-replication.ts';

const one = { requestedBy: 'local:admin' };

/** The packs of a repository, the largest first: in these tests those hold data, the others trees. */
async function packsOf(folder: string): Promise<string[]> {
  const found = await readdir(join(folder, 'data'), { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = new Map(await Promise.all(files.map(async (file) => [file, (await stat(file)).size] as const)));
  return files.sort((left, right) => (sizes.get(right) ?? 0) - (sizes.get(left) ?? 0));
}

async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  await chmod(file, 0o600);
  await writeFile(file, bytes);
}

describe.skipIf(!hasPart('restic'))('replication between repositories', () => {
  let given: TestReplication;
  const done = async (operation: Promise<Operation>): Promise<Operation> => given.operations.wait((await operation).id);
  const sync = (replicaId: string): Promise<Operation> => done(given.replication.sync({ ...one, replicaId }));
  const stateOf = async (id: string) => (await given.replication.store.states()).get(id);

  beforeAll(async () => {
    given = await openTestReplication();
  });
  afterAll(() => given.remove());

  test('points are copied with their streams, once, are known by id and tree, and the log says what was done', async () => {
    const { replication, source, folder } = given;
    const old = await given.makePoint(randomBytes(900_000));
    given.clock.advance(1_000);
    const point = await given.makePoint(randomBytes(400_000), { stream: randomBytes(50_000) });
    await given.register({ id: 'near', zone: 'cellar' }, 'empty');
    const first = await sync('near');
    expect(first.error).toBeNull();
    await lightenKey(join(folder, 'near'), password);
    expect(first.result).toMatchObject({ copied: [point.id, old.id], already_there: 0 });
    const copy = given.repositoryAt(join(folder, 'near'));
    const trees = (list: Awaited<ReturnType<typeof copy.snapshots>>) => list.map(({ tree }) => tree).sort();
    expect(trees(await copy.snapshots())).toEqual(trees(await source.snapshots()));
    // What is the same here and there is cut at the same places: nothing is stored twice.
    const polynomial = async (path: string) =>
      JSON.stringify(await given.repositoryAt(path).stats()).replace(/"snapshots":\d+/, '');
    expect(await polynomial(join(folder, 'near'))).toBe(await polynomial(join(folder, 'source')));

    expect((await sync('near')).result).toMatchObject({ copied: [], already_there: 2, bytes: 0 });
    const log = await replication.store.log({ replicaId: 'near', type: 'sync', limit: 10 });
    expect(log.map(({ pointId, status }) => [pointId, status])).toEqual(
      expect.arrayContaining([
        [point.id, 'completed'],
        [old.id, 'completed'],
      ]),
    );
    const brought = log.reduce((sum, entry) => sum + (entry.bytes ?? 0), 0);
    expect(brought).toBeGreaterThan(1_300_000);
    expect(given.transfers.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0)).toBe(brought);
    expect((await replication.newestPoint('default'))?.places.map(({ replica }) => replica.id)).toEqual(['near']);
    expect(await stateOf('near')).toMatchObject({ status: 'healthy', failuresInRow: 0, error: null });
  });

  test('flipped bits and a missing pack at the target are found by a sample and healed from here', async () => {
    const { replication, folder } = given;
    const [largest = '', , third = ''] = await packsOf(join(folder, 'near'));
    await flip(largest, 5_000);
    await rm(third);
    const verified = await done(replication.verify({ ...one, replicaId: 'near', percent: 100 }));
    expect(verified.error?.code).toBe('repository/damaged');
    expect(await stateOf('near')).toMatchObject({ status: 'degraded' });
    const healed = await done(replication.heal({ ...one, replicaId: 'near', damaged: 'target' }));
    expect(healed.error).toBeNull();
    const near = given.repositoryAt(join(folder, 'near'));
    expect(await near.check({ readData: 'all' })).toMatchObject({ ok: true });
    expect(await near.snapshots()).toHaveLength(3);
    expect(await stateOf('near')).toMatchObject({ status: 'healthy', findings: [] });
  });

  test('a damaged repository is healed from its replica and passes a check of all its data, also after a kill half-way', async () => {
    const { replication, folder, source } = given;
    const [largest = ''] = await packsOf(join(folder, 'source'));
    await flip(largest, 7_000);
    given.onStep = (name) => {
      if (name === 'heal:mended') throw new Error('killed');
    };
    const killed = await done(replication.heal({ ...one, replicaId: 'near', damaged: 'source' }));
    expect(killed.state).toBe('failed');
    given.onStep = () => undefined;
    const healed = await done(replication.heal({ ...one, replicaId: 'near', damaged: 'source' }));
    expect(healed.error).toBeNull();
    expect(await source.check({ readData: 'all' })).toMatchObject({ ok: true });
    expect(await source.snapshots()).toHaveLength(3);
  });

  test('what was forgotten here stays a while longer there, and what the catalogue lost stays for good', async () => {
    const { points, state, folder } = given;
    const doomed = await given.makePoint(randomBytes(300_000), { takenMs: 5 });
    await sync('near');
    const here = await given.source.snapshots({ tags: [`rp:${doomed.id}`] });
    await given.source.forget({ snapshotIds: here.map(({ id }) => id) });
    await state.db.unit((tx) => points.update(tx, doomed.id, { forgottenMs: given.clock.now() }));
    expect((await sync('near')).result).toMatchObject({ forgotten: [] });
    given.clock.advance(2_000);
    expect((await sync('near')).result).toMatchObject({ forgotten: [doomed.id] });
    const near = given.repositoryAt(join(folder, 'near'));
    expect(await near.snapshots({ tags: [`rp:${doomed.id}`] })).toEqual([]);
    // Its bytes go with the next prune, not before.
    const before = (await stateOf('near'))?.storedBytes ?? 0;
    expect((await stateOf('near'))?.litteredMs).toBe(given.clock.now());
    const pruned = await done(given.replication.prune({ ...one, replicaId: 'near' }));
    expect(pruned.error).toBeNull();
    const after = await stateOf('near');
    expect(before - (after?.storedBytes ?? 0)).toBeGreaterThan(200_000);
    expect(given.pruned).toEqual([{ replicaId: 'near', freedBytes: expect.any(Number) }]);
    expect(await near.check({ readData: 'all' })).toMatchObject({ ok: true });
  });

  test('one id with two contents stops there, names both, and keeps no other from being copied', async () => {
    const { folder, source } = given;
    const point = await given.makePoint(randomBytes(2_000));
    await sync('near');
    const near = given.repositoryAt(join(folder, 'near'));
    const [there] = await near.snapshots({ tags: [`rp:${point.id}`, 'manifest'] });
    const [here] = await source.snapshots({ tags: [`rp:${point.id}`, 'manifest'] });
    await source.forget({ snapshotIds: [here?.id ?? ''] });
    const other = await source.backup({ cwd: folder, paths: ['password'], tags: here?.tags ?? [], host: 'test' });
    const waiting = await given.makePoint(randomBytes(1_000));
    const stopped = await sync('near');
    expect(stopped.error).toMatchObject({ code: 'replication/conflict' });
    for (const tree of [there?.tree, other.treeId]) expect(stopped.error?.detail).toContain(tree?.slice(0, 12));
    expect(await near.snapshots({ tags: [`rp:${waiting.id}`, 'manifest'] })).toHaveLength(1);
    expect(await stateOf('near')).toMatchObject({ stuck: [{ pointId: point.id }] });
    await near.forget({ snapshotIds: [there?.id ?? ''] });
    expect((await sync('near')).error).toBeNull();
    expect(await stateOf('near')).toMatchObject({ conflict: null });
  });

  test('nothing is copied from a repository that failed its check, and no point that failed its audit', async () => {
    given.unsound = 'The repository is damaged.';
    expect((await sync('near')).error).toMatchObject({ code: 'replication/source-unsound' });
    given.unsound = undefined;
    const unverified = await given.makePoint(randomBytes(1_000), { verifiedMs: null });
    expect((await sync('near')).result).toMatchObject({
      copied: [],
      refused: [{ backup_id: unverified.id, reason: 'it was not verified' }],
    });
  });

  test('two at once on one place are one, a killed copy is gone on with, and what is out of reach is told', async () => {
    const { replication, folder, deps } = given;
    await given.register({ id: 'second' });
    const elsewhere = await deps.leases.acquire(leaseOf('second'));
    await expect(replication.sync({ ...one, replicaId: 'second' })).rejects.toMatchObject({ code: 'operation/busy' });
    if (elsewhere) await deps.leases.release(elsewhere);

    const begun = Promise.withResolvers<void>();
    given.onStep = (name) => {
      if (name === 'replicate:begun') begun.resolve();
    };
    const { id } = await replication.sync({ ...one, replicaId: 'second' });
    await begun.promise;
    await given.operations.cancel(id);
    expect(['cancelled', 'succeeded']).toContain((await given.operations.wait(id)).state);
    given.onStep = () => undefined;
    expect((await sync('second')).error).toBeNull();
    const second = given.repositoryAt(join(folder, 'second'));
    expect(await second.check({ readData: 'all' })).toMatchObject({ ok: true });
    expect(await second.locks()).toEqual([]);

    await rm(join(folder, 'second'), { recursive: true });
    expect(await replication.look('second', new AbortController().signal)).toMatchObject({ status: 'unreachable' });
    // An empty mount point is not taken for a place to begin anew.
    expect((await sync('second')).error).toMatchObject({ code: 'repository/missing' });
    expect((await given.events.list({ types: ['replication.target-lost'], limit: 5 })).length).toBe(1);
  });

  test('the job copies what is missing to several places, and shows how far behind each is', async () => {
    await given.replication.replicas.remove('second', 'local:admin');
    await given.register({ id: 'third' });
    given.clock.advance(1_000);
    const newest = await given.makePoint(randomBytes(3_000));
    given.clock.advance(60_000);
    const before = await given.replication.overview();
    expect(before.replicas.map(({ replica, targets }) => [replica.id, targets[0]?.lagMs])).toEqual([
      ['near', 60_000],
      ['third', expect.any(Number)],
    ]);
    const job = createReplicationJob({ ...given.deps, replication: given.replication, onOverview: () => undefined });
    await job.runOnce();
    const whole = { lagMs: 0, points: 0, newestTherePointId: newest.id };
    await expect
      .poll(() => job.latest()?.replicas.map(({ targets }) => targets[0]), { timeout: 60_000, interval: 50 })
      .toEqual([expect.objectContaining(whole), expect.objectContaining(whole)]);
    await job.stop?.();
  });

  test('another ragwarden takes points whole, a transfer goes on where it stopped, and what answers otherwise is no ragwarden', async () => {
    const other = await openTestReceiver();
    try {
      const baseUrl = await other.server.listen({ host: '127.0.0.1', port: 0 });
      await given.replication.replicas.remove('third', 'local:admin');
      await given.register({ id: 'other', location: undefined, baseUrl, credentials: { API_KEY: 'here' } });
      const [newest] = await given.points.list({ targetId: 'default', limit: 1 });
      // The first part came through, then the line broke.
      other.limits.enabled = false;
      expect((await sync('other')).error?.detail).toContain('not taken here');
      other.limits.enabled = true;
      const brought = await sync('other');
      expect(brought.error).toBeNull();
      expect(brought.result).toMatchObject({ copied: expect.arrayContaining([newest?.id]) });
      expect((await sync('other')).result).toMatchObject({ copied: [] });
      expect(await readdir(join(given.folder, 'outgoing'))).toEqual([]);
      // What was received opens with the password of the sender, and with nothing else.
      const [file = ''] = (await readdir(other.folder)).filter((name) => /^[0-9a-f]{64}$/.test(name));
      const unpacked = join(given.folder, 'unpacked');
      await mkdir(unpacked);
      execFileSync('tar', ['-xf', join(other.folder, file), '-C', unpacked]);
      expect(await given.repositoryAt(unpacked).check({ readData: 'all' })).toMatchObject({ ok: true });
      expect((await done(given.replication.verify({ ...one, replicaId: 'other', percent: 100 }))).error).toBeNull();
      // Nothing else is left that holds it, and it comes back from there.
      const [largest = ''] = await packsOf(join(given.folder, 'source'));
      await flip(largest, 5_000);
      const healed = await done(given.replication.heal({ ...one, replicaId: 'other', damaged: 'source' }));
      expect(healed.error).toBeNull();
      expect(await given.source.check({ readData: 'all' })).toMatchObject({ ok: true });
      expect(await readdir(join(given.folder, 'brought'))).toEqual([]);
      await writeFile(join(other.folder, file), 'x');
      const damaged = await done(given.replication.verify({ ...one, replicaId: 'other', percent: 100 }));
      expect(damaged.error?.code).toBe('repository/damaged');

      await given.replication.replicas.change('other', { credentials: { API_KEY: 'wrong' } }, 'a');
      expect(await given.replication.look('other', new AbortController().signal)).toMatchObject({ status: 'degraded' });
    } finally {
      await other.remove();
    }
    expect(await given.replication.look('other', new AbortController().signal)).toMatchObject({
      status: 'unreachable',
    });
    const impostor = createServer((_request, response) => response.end('<html>welcome</html>'));
    await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve));
    try {
      await given.replication.replicas.remove('other', 'local:admin');
      const { port } = impostor.address() as AddressInfo;
      await given.register({
        id: 'liar',
        location: undefined,
        baseUrl: `http://127.0.0.1:${port}`,
        credentials: { API_KEY: 'k' },
      });
      expect((await sync('liar')).error?.detail).toContain('does not answer as a ragwarden');
      await given.replication.replicas.remove('liar', 'local:admin');
    } finally {
      impostor.closeAllConnections();
      await new Promise((resolve) => impostor.close(resolve));
    }
  });

  test('a folder that holds other things, or is in use, is refused', async () => {
    const { folder } = given;
    await given.register({ id: 'foreign', location: join(folder, 'tree-1') });
    expect((await sync('foreign')).error).toMatchObject({ code: 'repository/invalid-location' });
    await expect(given.register({ id: 'inside', location: join(folder, 'source', 'copy') })).rejects.toMatchObject({
      code: 'target/foreign-path',
    });
    expect(await readdir(join(folder, 'tree-1'))).toEqual(['data.bin']);
  });
});
