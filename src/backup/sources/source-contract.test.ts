import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe } from 'vitest';
import { hasPart } from '../../../test/setup/parts.ts';
import { startRedis } from '../../../test/setup/redis-server.ts';
import { contentOf } from '../../../test/warden-harness.ts';
import { type ChildProcesses, createChildProcesses } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { createHttpClient } from '../../platform/http-client.ts';
import { silentLogger } from '../../platform/logging.ts';
import { copyProject } from '../../targets/graphrag/project.fixture.ts';
import { createCommandRestorer } from '../restore/command/command-restorer.ts';
import { createQdrantRestorer } from '../restore/qdrant/qdrant-restorer.ts';
import { createRedisRestorer } from '../restore/redis/redis-restorer.ts';
import { createSqliteRestorer } from '../restore/sqlite/sqlite-restorer.ts';
import { createCommandSource } from './command/command-source.ts';
import { createConfigSource } from './config/config-source.ts';
import { createFilesSource } from './files/index.ts';
import { createOwnSnapshots } from './qdrant/own-snapshots.ts';
import { startStandInQdrant } from './qdrant/qdrant.fixture.ts';
import { createQdrantSource } from './qdrant/qdrant-source.ts';
import { createRedisSource } from './redis/redis-source.ts';
import { describeSource } from './source-contract.fixture.ts';
import { createSqliteSource } from './sqlite/sqlite-source.ts';
import { createStateSource } from './state/state-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'rw-contract-'));
const secret = 'canary-of-the-contract';
let children: ChildProcesses;
beforeAll(() => {
  children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
});
afterAll(async () => {
  await children.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A restore of files exchanges whole folders: out of what was captured comes what was there. */
const exchanged = (live: string) => (into: string) => {
  rmSync(live, { recursive: true, force: true });
  cpSync(into, live, { recursive: true, preserveTimestamps: true });
};

describeSource('files', async () => {
  const live = join(folder, 'live');
  mkdirSync(join(live, 'deep/er'), { recursive: true });
  writeFileSync(join(live, 'kv_store_doc_status.json'), '{}');
  writeFileSync(join(live, 'deep/er/ünï code.txt'), 'text');
  const options = { name: 'workspace', mode: 'copy', writer: 'atomic' } as const;
  return {
    source: createFilesSource({ ...options, folder: live }),
    astray: createFilesSource({ ...options, folder: join(folder, 'nowhere') }),
    change: () => {
      writeFileSync(join(live, 'kv_store_doc_status.json'), '{"a": 1}');
      rmSync(join(live, 'deep'), { recursive: true });
    },
    content: () => contentOf(live),
    back: exchanged(live),
  };
});

describeSource('a GraphRAG project', async () => {
  const project = copyProject(join(folder, 'project'));
  const options = { name: 'project', mode: 'copy', writer: 'in-place', whileBusy: 'mixed' } as const;
  return {
    source: createFilesSource({ ...options, folder: project }),
    astray: createFilesSource({ ...options, folder: join(folder, 'nowhere') }),
    change: () => {
      truncateSync(join(project, 'output/entities.parquet'), 4_000);
      rmSync(join(project, 'prompts'), { recursive: true });
    },
    content: () => contentOf(project),
    back: exchanged(project),
  };
});

describeSource('configuration', async () => {
  const file = join(folder, 'lightrag.env');
  writeFileSync(file, 'A=1\n');
  return {
    source: createConfigSource({ name: 'config', files: [file] }),
    change: () => writeFileSync(file, 'A=2\n'),
    content: () => readFileSync(file, 'utf8'),
    back: (into) => writeFileSync(file, readFileSync(join(into, file))),
  };
});

const rowsIn = (path: string): unknown => {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare('select * from chat order by 1').all();
  } finally {
    database.close();
  }
};
function databaseAt(path: string): (sql: string) => void {
  const run = (sql: string): void => {
    const database = new DatabaseSync(path);
    database.exec(`pragma synchronous = off; ${sql}`);
    database.close();
  };
  run('create table chat (text text); insert into chat values (1), (2)');
  return run;
}

describeSource('our own state', async () => {
  const path = join(folder, 'state.sqlite');
  const run = databaseAt(path);
  return {
    source: createStateSource({ name: 'ragwarden-state', copyTo: async (to) => cpSync(path, to) }),
    change: () => run('delete from chat'),
    content: () => rowsIn(path),
    back: (into) => cpSync(join(into, 'state.sqlite'), path),
  };
});

describeSource('an SQLite file', async () => {
  mkdirSync(join(folder, 'chats'));
  const path = join(folder, 'chats', 'chats.db');
  const run = databaseAt(path);
  return {
    source: createSqliteSource({ name: 'chats', path }),
    astray: createSqliteSource({ name: 'chats', path: join(folder, 'nowhere') }),
    change: () => run('insert into chat values (3)'),
    content: () => rowsIn(path),
    back: createSqliteRestorer({ path }),
  };
});

describeSource('a command', async () => {
  const place = join(folder, 'graph');
  const secrets = join(folder, 'graph.env');
  writeFileSync(place, 'the graph');
  writeFileSync(secrets, `PASSWORD=${secret}\n`);
  const shell = (script: string) => ['/bin/sh', '-c', script];
  const store = {
    name: 'graph',
    dump: shell('test -n "$PASSWORD" && cat "$PLACE"'),
    restore: shell('test -n "$PASSWORD" && cat > "$PLACE"'),
    environment_file: secrets,
  };
  const environment = { PATH: '/usr/bin:/bin', PLACE: place };
  return {
    source: createCommandSource(store, { environment }),
    astray: createCommandSource({ ...store, dump: shell('echo half; exit 3') }, { environment }),
    secret,
    change: () => writeFileSync(place, 'another graph'),
    content: () => readFileSync(place, 'utf8'),
    back: createCommandRestorer(store, { children, environment, folder: join(folder, 'command-undo') }),
  };
});

describeSource('a Qdrant', async () => {
  const qdrant = await startStandInQdrant();
  const http = createHttpClient();
  const chunks = 'lightrag_vdb_chunks_bge_m3_1024d';
  qdrant.key = secret;
  qdrant.fill(chunks, 'library', ['chunk-1', 'chunk-2']);
  qdrant.fill('lightrag_vdb_entities_bge_m3_1024d', 'library', ['ent-1']);
  const own = createOwnSnapshots(join(folder, 'qdrant-snapshots.json'));
  const at = (url: string) => ({ url, apiKey: secret, timeoutMs: 60_000 });
  const options = { name: 'qdrant', http, named: [], workspaces: () => ['library'], own };
  return {
    source: createQdrantSource({ ...options, place: at(qdrant.url) }),
    // Nobody may listen on that port.
    astray: createQdrantSource({ ...options, place: at('http://127.0.0.1:1') }),
    secret,
    change: () => {
      qdrant.fill(chunks, 'library', ['chunk-2', 'chunk-3'], 'changed');
      qdrant.collections.delete('lightrag_vdb_entities_bge_m3_1024d');
    },
    content: () => qdrant.content((name) => !name.startsWith('ragwarden_')),
    left: () => [...qdrant.snapshots.values()].flatMap((kept) => [...kept.keys()]),
    back: createQdrantRestorer({
      ...{ name: 'qdrant', http, place: at(qdrant.url), own, named: (one) => one },
      folder: join(folder, 'qdrant-undo'),
    }),
    close: async () => {
      await http.close();
      await qdrant.close();
    },
  };
});

describe.skipIf(!hasPart('redis'))('with a server', () => {
  describeSource('a Redis', async () => {
    const server = await startRedis();
    const redis = new Redis(server.url());
    await redis.call('ACL', 'SETUSER', 'rag', 'on', `>${secret}`, '~*', '&*', '+@all');
    const fill = (mark: string) =>
      redis.mset({ 'library_full_docs:doc-1': `text ${mark}`, 'library_doc_status:doc-1': '{"status":"processed"}' });
    await fill('');
    const source = (port: number) =>
      createRedisSource({
        ...{ name: 'redis', mode: 'auto', prefixes: [], workspace: 'library' },
        url: `redis://rag:${secret}@127.0.0.1:${port}/0`,
      });
    return {
      source: source(server.port),
      astray: source(1),
      secret,
      change: () => fill('changed'),
      content: () => redis.mget('library_full_docs:doc-1', 'library_doc_status:doc-1'),
      back: createRedisRestorer({
        ...{ url: server.url(), workspace: 'library', named: (one: string) => one },
        ...{ children, clock: systemClock },
      }),
      close: async () => {
        redis.disconnect();
        await server.remove();
      },
    };
  });
});
