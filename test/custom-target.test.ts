import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLightragDatabase, type LightragDatabase } from '../src/backup/postgres/lightrag-database.fixture.ts';
import { type OpenWarden, openWarden, prepareRepository, takeGood, wait, whenFree } from './faults/ground.ts';
import { freePort } from './setup/free-port.ts';
import { hasPart } from './setup/parts.ts';
import { contentOf, field, removeFolder, temporaryFolder, until } from './warden-harness.ts';

/** The least that a backend of one's own is: a server with a health call, a folder, and tables in PostgreSQL. */
type Notes = { readonly url: string; said: Record<string, unknown>; readonly asked: string[]; close(): Promise<void> };

async function startNotes(): Promise<Notes> {
  const port = await freePort();
  let server: Server | undefined;
  const notes = {
    url: '',
    said: { checks: { index: 'ok' }, version: '2.1', indexing: false } as Record<string, unknown>,
    asked: [] as string[],
    async close() {
      await stop();
      await new Promise((done) => control.close(done));
    },
  };
  const start = async (): Promise<void> => {
    if (server) return;
    server = createServer((request, response) => {
      if (request.url !== '/healthz') notes.asked.push(`${request.method} ${request.url}`);
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify(request.url === '/healthz' ? notes.said : {}));
    });
    await new Promise<void>((done) => server?.listen(port, '127.0.0.1', done));
  };
  const stop = async (): Promise<void> => {
    const open = server;
    server = undefined;
    open?.closeAllConnections();
    if (open) await new Promise((done) => open.close(done));
  };
  // Whoever supervises it: told by ragwarden to stop and start it.
  const control = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      void (body.includes('"stop"') ? stop() : start()).then(() => response.end());
    });
  });
  await start();
  await new Promise<void>((done) => control.listen(0, '127.0.0.1', done));
  const webhook = `http://127.0.0.1:${(control.address() as AddressInfo).port}/supervisor`; // listening on a port, so never a string
  return Object.assign(notes, { url: `http://127.0.0.1:${port}`, webhook });
}

describe.skipIf(!hasPart('restic') || !hasPart('postgresql'))('a backend of one’s own', () => {
  let dataDir: string;
  let folder: string;
  let notes: Awaited<ReturnType<typeof startNotes>>;
  let database: LightragDatabase;
  let warden: OpenWarden;
  const target = '/api/v1/targets/notes';
  beforeAll(async () => {
    dataDir = temporaryFolder('custom');
    folder = join(dataDir, 'index');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    mkdirSync(join(folder, 'tmp'));
    writeFileSync(join(folder, 'deep', 'vectors.bin'), Buffer.from([0, 1, 2, 255]));
    writeFileSync(join(folder, 'tmp', 'half'), 'half');
    notes = await startNotes();
    database = await createLightragDatabase({ empty: true });
    await database.run('create table note (id int primary key, text text)');
    await database.run(`insert into note select i, 'note ' || i from generate_series(1, 50) i`);
    await prepareRepository(join(dataDir, 'repository'), join(dataDir, 'repository-password'));
    const { webhook } = notes as Notes & { webhook: string };
    const settings = {
      target: {
        ...{ id: 'notes', url: notes.url },
        custom: {
          health: {
            ...{ path: '/healthz', field: 'checks.index', healthy: ['ok'], degraded: ['warming'] },
            ...{ version_field: 'version', busy_field: 'indexing' },
          },
          folders: [{ name: 'index', path: folder, leave_out: ['tmp'] }],
          operations: [
            { method: 'POST', path: '/ask', operation: 'query' },
            { method: 'GET', path: '/find', operation: 'search' },
            { method: 'POST', path: '/notes/{id}', operation: 'insert' },
            { method: 'DELETE', path: '/notes/{id}', operation: 'admin' },
          ],
        },
        lifecycle: { stop: { webhook }, start: { webhook } },
      },
    };
    writeFileSync(join(dataDir, 'ragwarden.yaml'), JSON.stringify(settings));
    const { host, port, user, password = '', database: name } = database.connection;
    warden = await openWarden(dataDir, {
      command: 'serve',
      settings: {
        ...{ POSTGRES_HOST: host, POSTGRES_PORT: `${port}`, POSTGRES_USER: user, POSTGRES_PASSWORD: password },
        ...{ POSTGRES_DATABASE: name, RAGWARDEN_GATEWAY_ENABLED: 'true' },
      },
    });
  });
  afterAll(async () => {
    await warden?.stop();
    await notes?.close();
    await database?.remove();
    removeFolder(dataDir);
  });

  const look = async () => (await warden.call('POST', `${target}/probe`)).body;
  const inspect = async () => field((await warden.call('POST', `${target}/inspect`, undefined, wait)).body, 'result');

  const dropFormer = async (): Promise<void> => {
    const kept = await database.run(
      `select datname as name from pg_database where datname like '${database.connection.database}\\_before\\_%'`,
    );
    for (const { name } of kept) await database.run(`drop database "${String(name)}"`);
  };

  test('has no second place whatever starts and stops it, and says so before anybody relies on one', async () => {
    const reason = expect.stringMatching(/^notes is a backend of your own.*only a LightRAG.*ragwarden recover/);
    expect((await warden.call('GET', '/api/v1/recovery/failover')).body).toMatchObject({
      ...{ possible: false, allowed: [], reason },
    });
    for (const [path, body] of [
      ['failover/plan', {}],
      ['failover', { confirm: true }],
      ['reseed', { confirm: true }],
    ] as const)
      expect((await warden.call('POST', `/api/v1/recovery/${path}`, body)).body, path).toMatchObject({
        ...{ code: 'recovery/no-standby', detail: reason },
      });
  });

  test('is healthy, degraded or ill as its settings say', async () => {
    expect(await inspect()).toMatchObject({
      kind: 'custom',
      counts: { index_files: 2 },
      faults: [],
      stuck_documents: null,
    });
    expect(await look()).toMatchObject({
      ...{ status: 'HEALTHY', kind: 'custom', configured_kind: 'custom', kind_from: 'detected', core_version: '2.1' },
      facts: expect.arrayContaining([{ name: 'health_says', value: 'ok', unit: null }]),
    });
    notes.said = { ...notes.said, checks: { index: 'warming' } };
    expect(await look()).toMatchObject({ status: 'DEGRADED', reasons: [{ code: 'says-degraded' }] });
    notes.said = { ...notes.said, checks: { index: 'lost' } };
    expect(await look()).toMatchObject({ status: 'DEGRADED', reasons: [{ code: 'says-unhealthy' }] });
    notes.said = { ...notes.said, checks: { index: 'ok' } };
    for (const path of ['documents', 'canary'])
      expect(field((await warden.call('GET', `${target}/${path}`)).body, 'code')).toBe('target/not-applicable');
  });

  test('its folder and its database come back from one point, with the backend stopped and started', async () => {
    const before = contentOf(folder);
    const rows = await database.digest('note');
    const id = await takeGood(warden);
    const point = await warden.call('GET', `/api/v1/backup/points/${id}`);
    expect(point.body).toMatchObject({ status: 'success', missing: [] });
    expect(point.text).toMatch(/"name":"index"/);
    expect(point.text).toMatch(/"name":"database"/);

    rmSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'junk'), 'junk');
    await database.run('delete from note where id > 10');
    const done = await warden.restore(id, { confirm: true, safety_point: false });
    expect([field(done, 'state'), field(done, 'error')]).toEqual(['succeeded', null]);
    // What points leave out stays where it is.
    expect(contentOf(folder)).toEqual(before);
    expect(await database.digest('note')).toBe(rows);
    expect(await look()).toMatchObject({ status: 'HEALTHY' });
    await dropFormer();
  });
  test('its one graph is all of it, also by the routes of graphs, and no other name for it is taken', async () => {
    const graph = '/api/v1/backup-replication/backup/graphs/notes/snapshots';
    const taken = await whenFree(() => warden.call('POST', graph, {}, wait));
    const id = String(field(taken.body, 'backup_id'));
    const contents = await warden.call('GET', `/api/v1/backup/points/${id}/contents`);
    expect(contents.text).toMatch(/"name":"index"/);
    expect(contents.text).toMatch(/"name":"database"/);
    const rows = await database.digest('note');
    await database.run('delete from note');
    const done = await warden.restore(id, { confirm: true, safety_point: false, components: ['database'] });
    expect([field(done, 'state'), field(done, 'error')]).toEqual(['succeeded', null]);
    expect(await database.digest('note')).toBe(rows);
    await dropFormer();
    const other = { plan_only: true, as_workspace: 'x', workspace: '' };
    const refused = await warden.call('POST', `/api/v1/backup/restore/${id}`, other);
    expect([refused.status, field(refused.body, 'code')]).toEqual([422, 'restore/invalid-options']);
  });

  test('is rehearsed in a folder and a server of their own', async () => {
    const drill = await warden.call('POST', '/api/v1/recovery/drills', {}, wait);
    expect(field(drill.body, 'result')).toMatchObject({ verdict: 'passed', reasons: [] });
    const evidence = await warden.call('GET', `/api/v1/recovery/drills/${String(field(drill.body, 'id'))}/evidence`);
    expect(evidence.text).toContain('"public.note":50');
  });

  test('a folder that is lost is told, and a point without it is partial', async () => {
    rmSync(folder, { recursive: true });
    await inspect();
    expect(await look()).toMatchObject({ status: 'DEGRADED', reasons: [{ code: 'folder-missing' }] });
    const taken = await warden.take();
    const point = await warden.call('GET', `/api/v1/backup/points/${String(field(taken, 'result', 'backup_id'))}`);
    expect(point.body).toMatchObject({
      status: 'partial',
      missing: [{ name: 'index', reason: expect.stringContaining('does not exist') }],
    });
  });

  test('the gateway knows its routes, counts them, and takes a write that nobody named for an insert', async () => {
    const ask = async (method: string, path: string) => (await fetch(`${warden.gateway}${path}`, { method })).text();
    await ask('POST', '/ask');
    await ask('GET', '/find?q=x');
    await ask('POST', '/notes/7');
    await ask('DELETE', '/notes/7');
    await ask('PUT', '/unheard-of');
    expect(notes.asked).toEqual(['POST /ask', 'GET /find?q=x', 'POST /notes/7', 'DELETE /notes/7', 'PUT /unheard-of']);
    const seen = await until('five exchanges', async () => {
      const { body } = await warden.call('GET', '/api/v1/traffic/recent');
      const items = (field(body, 'items') ?? []) as { operation: string; route: string }[];
      return items.length < 5 ? undefined : items.map(({ operation, route }) => `${operation} ${route}`).sort();
    });
    expect(seen).toEqual([
      'admin DELETE /notes/{id}',
      'insert POST /notes/{id}',
      'insert other',
      'query POST /ask',
      'search GET /find',
    ]);
    const summary = await warden.call('GET', '/api/v1/traffic/summary');
    expect(summary.status).toBe(200);
  });
});
