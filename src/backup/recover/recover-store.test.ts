import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpClient, type HttpClient } from '../../platform/http-client.ts';
import { silentLogger } from '../../platform/logging.ts';
import type { ManifestComponent } from '../manifest.ts';
import type { Repository } from '../repository/index.ts';
import { createQdrantRestorer } from '../restore/qdrant/qdrant-restorer.ts';
import { requestOf } from '../restore/test-restorer.ts';
import { createOwnSnapshots } from '../sources/qdrant/own-snapshots.ts';
import { type StandInQdrant, startStandInQdrant } from '../sources/qdrant/qdrant.fixture.ts';
import { createQdrantSource } from '../sources/qdrant/qdrant-source.ts';
import { type Captured, captureWhole, never } from '../sources/test-capture.ts';
import { streamTag } from '../streams.ts';
import { planRecovery, type RecoverablePoint } from './plan-recovery.ts';
import { recoverPoint } from './recover-point.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-recover-store-'));
const chunks = 'lightrag_vdb_chunks_bge_m3_1024d';
const entities = 'lightrag_vdb_entities_bge_m3_1024d';
const servers: StandInQdrant[] = [];
let http: HttpClient;
let captured: Captured;
let atCapture: unknown;
let machines = 0;

const start = async (): Promise<StandInQdrant> => {
  const server = await startStandInQdrant();
  servers.push(server);
  return server;
};
const placeOf = ({ url }: StandInQdrant) => ({ url, apiKey: undefined, timeoutMs: 60_000 });

beforeAll(async () => {
  http = createHttpClient();
  const living = await start();
  for (const workspace of ['library', 'papers']) living.fill(chunks, workspace, ['chunk-1', 'chunk-2'], workspace);
  living.fill(entities, 'library', ['ent-1']);
  living.aliases.set('vectors', chunks);
  const source = createQdrantSource({
    ...{ name: 'qdrant', http, place: placeOf(living), named: [], workspaces: () => ['library', 'papers'] },
    own: createOwnSnapshots(join(folder, 'own.json')),
  });
  captured = await captureWhole(source, join(folder, 'into'));
  atCapture = living.content();
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await http.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A machine of its own with an empty Qdrant; the repository has the streams of the point and nothing else. */
async function machine() {
  machines += 1;
  const root = join(folder, `machine-${machines}`);
  const server = await start();
  const streams = captured.result.streams.map((one) => ({ ...one, sha256: one.sha256 ?? null }));
  const component: ManifestComponent = { ...requestOf(captured).component, streams };
  const id = 'backup_20261129_093000_x7k2';
  const point = {
    ...{ id, targetId: 'rag', takenMs: 0, snapshotId: 'manifest', verified: true },
    manifest: { components: [component], partial: false, missing: [] },
    // Of a point and of a repository, what a recovery reads.
  } as unknown as RecoverablePoint;
  const repository = {
    snapshots: async () => streams.map(({ name, tree }) => ({ id: name, tree, tags: [streamTag('qdrant', name)] })),
    async pipeFile({ snapshotId, to }: Parameters<Repository['pipeFile']>[0]) {
      const [program, ...args] = to.command;
      execFileSync(program, args, { input: captured.streams.get(snapshotId), env: { ...to.environment } });
      return { stdout: '', stderr: '' };
    },
  } as unknown as Repository;
  const scratchDir = join(root, 'recover');
  let warnings: readonly string[] = [];
  const recover = async (step: (name: string) => void = () => undefined): Promise<readonly string[]> => {
    // As a new process has it.
    const restorer = createQdrantRestorer({
      ...{ name: 'qdrant', http, place: placeOf(server), named: (one: string) => one },
      own: createOwnSnapshots(join(root, 'qdrant-snapshots.json')),
      folder: join(root, 'qdrant-undo'),
    });
    const plan = await planRecovery(
      { repository },
      point,
      {
        ...{
          folders: new Map(),
          besideDir: join(root, 'beside'),
          stateFile: undefined,
          without: new Set(),
          scratchDir,
        },
        restorerOf: () => restorer,
      },
      never,
    );
    warnings = plan.warnings;
    if (plan.blockers.length > 0) return plan.blockers;
    const deps = { repository, scratchDir, log: silentLogger, tell: () => undefined };
    await recoverPoint({ ...deps, step: async (name) => step(name) }, plan, never);
    return [];
  };
  return { server, recover, warned: () => warnings.join('\n') };
}

const leftBy = (server: StandInQdrant) => [
  ...[...server.snapshots.values()].flatMap((kept) => [...kept.keys()]),
  ...[...server.collections.keys()].filter((name) => name.startsWith('ragwarden')),
];

test('collections come into an empty Qdrant, and nothing else is left there; one that is not empty is refused', async () => {
  const { server, recover } = await machine();
  expect(await recover()).toEqual([]);
  expect(server.content()).toEqual(atCapture);
  expect(leftBy(server)).toEqual([]);
  const other = await machine();
  other.server.fill(chunks, 'library', ['chunk-9']);
  const before = other.server.content();
  expect(await other.recover()).toEqual([expect.stringContaining(`is not empty (it holds ${chunks})`)]);
  expect(other.server.content()).toEqual(before);
});

test('ended at any boundary, the same command goes on and ends with the same collections', async () => {
  const came: string[] = [];
  await (await machine()).recover((name) => void came.push(name));
  expect(came).toContain('recover:qdrant:moving');
  // Of what comes more than once the last time: most is done then.
  for (const at of new Set(came.map((name) => came.lastIndexOf(name)))) {
    const { server, recover } = await machine();
    let steps = 0;
    const ended = recover(() => {
      steps += 1;
      if (steps === at + 1) throw new Error('ended here');
    });
    await expect(ended, came[at]).rejects.toThrow('ended here');
    expect(await recover(), `${at} ${came[at]}`).toEqual([]);
    expect(server.content(), `${at} ${came[at]}`).toEqual(atCapture);
    expect(leftBy(server), `${at} ${came[at]}`).toEqual([]);
  }
});

test('what somebody wrote there since an earlier run was ended is not replaced', async () => {
  const { server, recover } = await machine();
  const ended = recover((name) => {
    if (name === 'recover:qdrant:prepared') throw new Error('ended here');
  });
  await expect(ended).rejects.toThrow('ended here');
  server.fill(chunks, 'library', ['chunk-9'], 'of somebody');
  await expect(recover()).rejects.toMatchObject({ code: 'restore/blocked' });
  expect(JSON.stringify(server.content())).toContain('of somebody');
});

test('what an earlier run had moved in is said to go before it goes, and nothing does where somebody added to it', async () => {
  const halfway = async () => {
    const found = await machine();
    let moved = 0;
    const ended = found.recover((name) => {
      moved += name === 'recover:qdrant:moving' ? 1 : 0;
      if (moved === 2) throw new Error('ended here');
    });
    await expect(ended).rejects.toThrow('ended here');
    return found;
  };
  const mine = await halfway();
  expect(await mine.recover()).toEqual([]);
  expect(mine.warned()).toMatch(/^qdrant: an earlier run was ended while it moved into .+ is removed first/m);
  const { server, recover } = await halfway();
  server.fill(entities, 'library', ['ent-9'], 'of somebody');
  const before = server.content();
  expect(await recover()).toEqual([expect.stringContaining(`holds more of ${entities} than the point`)]);
  expect(server.content()).toEqual(before);
});
