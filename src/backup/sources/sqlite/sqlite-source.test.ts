import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { captureWhole } from '../test-capture.ts';
import { createSqliteSource, sqliteDetails } from './sqlite-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-sqlite-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const into = join(folder, 'into');

function makeDatabase(name: string, rows: number): { path: string; database: DatabaseSync } {
  const path = join(folder, name);
  const database = new DatabaseSync(path);
  database.exec(
    'pragma journal_mode = wal; pragma synchronous = off; create table chat (id integer primary key, text text)',
  );
  const insert = database.prepare('insert into chat (text) values (?)');
  database.exec('begin');
  for (let i = 0; i < rows; i += 1) insert.run(`row ${i} `.repeat(50));
  database.exec('commit');
  return { path, database };
}

test('a database in use is copied as of one moment, with what lies in its write-ahead log', async () => {
  const { path, database } = makeDatabase('used.db', 500);
  // Nothing of it is in the main file yet, and a write is under way.
  database.exec('begin immediate; delete from chat');
  const { result, streams } = await captureWhole(createSqliteSource({ name: 'chats', path }), into);
  database.exec('rollback');
  database.close();
  const bytes = streams.get('database.sqlite') ?? Buffer.alloc(0);
  const details = sqliteDetails.parse(result.restore.by === 'restorer' ? result.restore.details : undefined);
  expect(details).toMatchObject({
    path,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    tables: { chat: 500 },
  });
  expect(result).toMatchObject({ partial: false, damaged: [], bytes: bytes.length, proof: { grade: 'consistent' } });
  const copy = join(folder, 'copy.db');
  writeFileSync(copy, bytes);
  const opened = new DatabaseSync(copy);
  expect(opened.prepare('select count(*) as n from chat').get()).toEqual({ n: 500 });
  opened.close();
  expect(readdirSync(into)).toEqual([]);
});

test('the same content gives the same bytes, so that it costs nothing the next time', async () => {
  const { path, database } = makeDatabase('same.db', 200);
  const source = createSqliteSource({ name: 'chats', path });
  const [first, second] = [await captureWhole(source, into), await captureWhole(source, into)];
  database.close();
  expect(second.result.streams[0]?.sha256).toBe(first.result.streams[0]?.sha256);
});

test('a damaged database is captured as it is, and named', async () => {
  const { path, database } = makeDatabase('damaged.db', 500);
  database.exec('pragma wal_checkpoint(truncate)');
  database.close();
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 3 * 4096, 4 * 4096);
  writeFileSync(path, bytes);
  const { result } = await captureWhole(createSqliteSource({ name: 'chats', path }), into);
  expect(result.damaged.length).toBeGreaterThan(0);
  expect(result.damaged[0]?.path).toBe(path);
});

test('what is no database, or not there, fails the capture', async () => {
  const text = join(folder, 'text.db');
  writeFileSync(text, 'this is no database at all, and longer than a header would be'.repeat(20));
  for (const [path, complaint] of [
    [text, /not a database/],
    [join(folder, 'nowhere.db'), /ENOENT/],
  ] as const)
    await expect(captureWhole(createSqliteSource({ name: 'chats', path }), into)).rejects.toMatchObject({
      code: 'backup/capture-failed',
      detail: expect.stringMatching(complaint),
    });
  expect(readdirSync(into)).toEqual([]);
});

test('another program goes on writing meanwhile, and the copy is whole all the same', async () => {
  const { path, database } = makeDatabase('busy.db', 300);
  database.close();
  const writer = `
    const { DatabaseSync } = require('node:sqlite');
    const database = new DatabaseSync(${JSON.stringify(path)}, { timeout: 5000 });
    database.exec('pragma synchronous = off');
    const insert = database.prepare("insert into chat (text) values (?)");
    for (let i = 0; i < 300; i += 1) { database.exec('begin immediate'); insert.run('left'); insert.run('right'); database.exec('commit'); }
  `;
  const writing = promisify(execFile)(process.execPath, ['-e', writer]);
  const { streams } = await captureWhole(createSqliteSource({ name: 'chats', path }), into);
  await writing;
  const copy = join(folder, 'busy-copy.db');
  writeFileSync(copy, streams.get('database.sqlite') ?? '');
  const opened = new DatabaseSync(copy);
  const count = (text: string) => opened.prepare('select count(*) as n from chat where text = ?').get(text)?.n;
  expect(count('left')).toBe(count('right'));
  opened.close();
});
