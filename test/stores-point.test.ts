import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpenWarden, openWarden, prepareDataFolder, restic, sampleOf, wait } from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { startRedis, type TestRedis } from './setup/redis-server.ts';
import { field, removeFolder } from './warden-harness.ts';

/** One point over files, a Redis, an SQLite file and a program's output, through the whole product and back. */
describe.skipIf(!hasPart('restic') || !hasPart('redis'))('a backend with a Redis and more', () => {
  const odd = `p@ss/w:rd%40?#&=+ '"\\$\`{}ü`;
  let dataDir: string;
  let warden: OpenWarden;
  let server: TestRedis;
  let redis: Redis;
  let chats: string;
  let graph: string;
  let id = '';
  let step: (name: string) => void = () => {};

  beforeAll(async () => {
    dataDir = await prepareDataFolder('stores');
    const side = join(dataDir, 'side');
    mkdirSync(side);
    [chats, graph] = [join(side, 'chats.db'), join(side, 'graph')];
    server = await startRedis();
    redis = new Redis(server.url());
    await redis.call('ACL', 'SETUSER', 'rag', 'on', `>${odd}`, '~*', '&*', '+@all');
    for (const workspace of ['', 'library_', 'newspaper_'])
      for (let i = 0; i < 40; i += 1) {
        await redis.set(`${workspace}full_docs:doc-${i}`, JSON.stringify({ content: `${workspace}${i} `.repeat(40) }));
        await redis.set(`${workspace}doc_status:doc-${i}`, JSON.stringify({ status: 'processed' }));
      }
    await redis.set('session:1', 'somebody else’s');
    const database = new DatabaseSync(chats);
    database.exec('create table chat (text text); insert into chat values (1), (2)');
    database.close();
    writeFileSync(graph, 'the graph of the point');
    const file = join(side, 'ragwarden.yaml');
    writeFileSync(
      file,
      `target:
  sqlite: [{name: chats, path: ${chats}}]
  commands:
    - name: graph
      dump: [/bin/cat, ${graph}]
      restore: [/bin/sh, -c, 'cat > "$0"', ${graph}]
      consistent: true
`,
    );
    const env = join(side, 'lightrag.env');
    writeFileSync(env, `OPENAI_API_KEY=sk-canary\nREDIS_URI=redis://rag:canary@h:1/0\nMAX_TOKENS=100\n`);
    const folders = sampleOf(dataDir);
    // These lie in the Redis, the chunks, their vectors and the graph in files.
    for (const store of ['doc_status', 'full_docs']) rmSync(join(folders.workspace, `kv_store_${store}.json`));
    warden = await openWarden(dataDir, {
      command: 'serve',
      step: (name) => step(name),
      settings: {
        // Nobody answers there: a backend that is stopped already.
        RAGWARDEN_TARGET_URL: 'http://127.0.0.1:1',
        RAGWARDEN_TARGET_START_TIMEOUT: '1',
        RAGWARDEN_CONFIG: file,
        RAGWARDEN_TARGET_ENV_FILE: env,
        WORKING_DIR: folders.workspace,
        INPUT_DIR: folders.inputs,
        REDIS_URI: server.url({ user: 'rag', password: odd }),
      },
    });
  });
  afterAll(async () => {
    await warden?.stop();
    redis?.disconnect();
    await server?.remove();
    removeFolder(dataDir);
  });

  test('says what a point would hold, and takes one that holds it', async () => {
    const told = await warden.call('GET', '/api/v1/backup/sources');
    expect(field(told.body, 'items')).toMatchObject([
      { name: 'workspace', kind: 'files', restored_by: 'swap' },
      { name: 'inputs' },
      { name: 'redis', consistent: 'always', restored_by: 'restorer' },
      { name: 'chats', kind: 'sqlite', restored_by: 'restorer' },
      { name: 'graph', kind: 'command', notes: expect.arrayContaining([expect.stringContaining('operator states')]) },
      { name: 'config', restored_by: 'by-hand' },
      { name: 'ragwarden-state', restored_by: 'by-hand' },
    ]);
    const taken = await warden.take();
    expect(field(taken, 'error')).toBeNull();
    id = String(field(taken, 'result', 'backup_id'));
    expect(JSON.stringify(taken)).not.toContain('p@ss');
    const contents = await warden.call('GET', `/api/v1/backup/points/${id}/contents`);
    expect(field(contents.body, 'audit')).toMatchObject({
      counts: { doc_status: 40, full_docs: 40, text_chunks: expect.any(Number), graph_nodes: expect.any(Number) },
      dangling: { documents_without_text: { count: 0 }, texts_without_document: { count: 0 } },
      unchecked: [],
    });
    const config = await warden.call('GET', `/api/v1/backup/points/${id}/config`);
    expect(config.text).toMatch(/OPENAI_API_KEY=\*\*\*.*rag:\*\*\*@h.*MAX_TOKENS=100/);
    expect(config.text).not.toContain('canary');
  });

  test('and brings one workspace of the Redis back, which turns back no other', async () => {
    await redis.unlink('library_full_docs:doc-3');
    await redis.set('library_full_docs:doc-4', 'changed');
    await redis.set('newspaper_full_docs:doc-4', 'changed');
    await redis.set('session:1', 'changed');
    const body = { workspace: 'library', components: ['redis'] };
    const plan = await warden.call('POST', `/api/v1/backup/restore/${id}`, { plan_only: true, ...body });
    expect(field(plan.body, 'blockers')).toEqual([]);
    const done = await warden.restore(id, { confirm: true, safety_point: false, ...body });
    expect([field(done, 'state'), field(done, 'error')]).toEqual(['succeeded', null]);
    expect(await redis.get('library_full_docs:doc-3')).toContain('library_3');
    expect(await redis.get('library_full_docs:doc-4')).toContain('library_4');
    expect(await redis.get('newspaper_full_docs:doc-4')).toBe('changed');
    expect(await redis.get('session:1')).toBe('changed');
  });

  test('and all of it, rehearsed before', async () => {
    const drill = await warden.call('POST', '/api/v1/recovery/drills', {}, wait);
    expect(field(drill.body, 'result')).toMatchObject({ backup_id: id, verdict: 'passed', reasons: [] });
    writeFileSync(chats, 'destroyed');
    writeFileSync(graph, 'destroyed');
    await redis.unlink(...(await redis.keys('newspaper_*')));
    const components = ['redis', 'chats', 'graph'];
    const done = await warden.restore(id, { confirm: true, safety_point: false, components });
    expect(field(done, 'error')).toBeNull();
    expect(await redis.keys('newspaper_full_docs:*')).toHaveLength(40);
    expect(await redis.get('session:1')).toBe('changed');
    expect(readFileSync(graph, 'utf8')).toBe('the graph of the point');
    const database = new DatabaseSync(chats, { readOnly: true });
    expect(database.prepare('select count(*) as n from chat').get()).toEqual({ n: 2 });
    database.close();
    expect(warden.log()).not.toContain('p@ss');
  });

  test('of which a file is written into while it is stored, is captured again, and nothing of the first try is left', async () => {
    const staging = join(dataDir, 'staging');
    let tries = 0;
    step = (name) => {
      if (name !== 'backup:manifest-staged') return;
      tries += 1;
      if (tries > 1) return;
      // What is stored: the live file itself where it was taken by hard link, a copy here.
      const staged = readdirSync(staging, { recursive: true, encoding: 'utf8' }).find((path) =>
        path.endsWith('components/workspace/kv_store_text_chunks.json'),
      );
      appendFileSync(join(staging, staged ?? ''), '\n');
    };
    const taken = await warden.take();
    step = () => {};
    expect([field(taken, 'error'), tries]).toEqual([null, 2]);
    const args = ['snapshots', '--no-lock', '--json', '--tag', `rp:${field(taken, 'result', 'backup_id')}`];
    const listed = restic(join(dataDir, 'repository'), join(dataDir, 'repository-password'), args);
    const streams = (JSON.parse(listed) as { tags: string[] }[]).flatMap(({ tags }) =>
      tags.filter((tag) => tag.startsWith('stream:')),
    );
    expect(streams.sort()).toEqual(['stream:chats.database.sqlite', 'stream:graph.dump', 'stream:redis.dump.rdb']);
  });
});
