import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSqliteSource } from '../../sources/sqlite/sqlite-source.ts';
import { type Captured, captureWhole, never } from '../../sources/test-capture.ts';
import { contextOf, inScratch, killed, requestOf } from '../test-restorer.ts';
import { createSqliteRestorer } from './sqlite-restorer.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-sqlite-restore-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const live = join(folder, 'live');
const path = join(live, 'chats.db');
const restorer = () => createSqliteRestorer({ path });

let captured: Captured;
beforeAll(async () => {
  mkdirSync(live);
  const database = new DatabaseSync(path);
  database.exec('pragma synchronous = off; create table chat (text text); insert into chat values (1), (2), (3)');
  database.close();
  captured = await captureWhole(createSqliteSource({ name: 'chats', path }), join(folder, 'into'));
});
beforeEach(() => {
  rmSync(live, { recursive: true, force: true });
  mkdirSync(live);
  writeFileSync(path, 'the file of now', { mode: 0o640 });
  writeFileSync(`${path}-wal`, 'its log');
  writeFileSync(join(live, 'other.db'), 'another');
});

const contentOf = () =>
  readdirSync(live)
    .filter((name) => name !== '.ragwarden')
    .sort()
    .map((name) => [name, readFileSync(join(live, name), 'latin1')]);
const leftovers = () => readdirSync(live, { recursive: true }).filter((name) => String(name).includes('sqlite-'));
const rowsIn = (file: string): unknown => {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return database.prepare('select count(*) as n from chat').get()?.n;
  } finally {
    database.close();
  }
};

async function restore(operationId: string, at?: { step: string; time: number }) {
  const request = requestOf(captured, {}, operationId);
  const { context } = contextOf(folder, captured, at);
  await restorer().prepare(request, context);
  await restorer().commit(request, context);
  await restorer().verify(request, context);
  return restorer().finish(request, context);
}

test('a database file is exchanged, its old log does not come to the new file, and the old state stays until the next restore', async () => {
  const plan = await restorer().plan(requestOf(captured), never);
  expect(plan).toMatchObject({
    place: path,
    blockers: [],
    items: [{ action: 'replace', oldBytes: 15, newRows: 3 }],
  });
  const kept = await restore('op_1');
  expect(rowsIn(path)).toBe(3);
  expect(readdirSync(live).sort()).toEqual(['.ragwarden', 'chats.db', 'other.db']);
  expect(readFileSync(kept ?? '', 'utf8')).toBe('the file of now');
  await restore('op_2');
  expect(leftovers().some((name) => String(name).includes('op_1'))).toBe(false);
});

test('where there is none it is made, and beside the living one it has an ending of its name', async () => {
  rmSync(path);
  rmSync(`${path}-wal`);
  expect(await restore('op_1')).toBeUndefined();
  expect(rowsIn(path)).toBe(3);
  const request = requestOf(captured, { aside: 'trial' }, 'op_2');
  const { context } = contextOf(folder, captured);
  await restorer().prepare(request, context);
  await restorer().commit(request, context);
  expect(rowsIn(`${path}.trial`)).toBe(3);
  expect((await restorer().plan(request, never)).blockers).toEqual([expect.stringContaining('such a file already')]);
  const odd = requestOf(captured, { aside: '../x' });
  expect((await restorer().plan(odd, never)).blockers).toContainEqual(expect.stringContaining('ending of its name'));
  await expect(restorer().prepare(odd, context)).rejects.toMatchObject({ code: 'restore/blocked' });
});

describe('a kill', () => {
  test.each([
    ['sqlite:prepared', 1],
    ['sqlite:moving', 1],
    ['sqlite:moving', 2],
    ['sqlite:moving', 4],
    ['sqlite:committed', 1],
  ])('at %s, time %d, is undone by a later life', async (step, time) => {
    const before = contentOf();
    await expect(restore('op_1', { step, time })).rejects.toBe(killed);
    const request = requestOf(captured, {}, 'op_1');
    const { context } = contextOf(folder, captured);
    expect(await restorer().state(request, never)).toBe(step === 'sqlite:committed' ? 'committed' : 'prepared');
    await restorer().undo(request, context);
    await restorer().undo(request, context);
    expect(contentOf()).toEqual(before);
    expect(leftovers()).toEqual([]);
  });

  test.each([1, 2, 3, 5])('in the middle of undoing is undone to the end (%d)', async (time) => {
    const before = contentOf();
    const request = requestOf(captured, {}, 'op_1');
    const dying = contextOf(folder, captured, { step: 'sqlite:undoing', time });
    await restorer().prepare(request, dying.context);
    await restorer().commit(request, dying.context);
    await expect(restorer().undo(request, dying.context)).rejects.toBe(killed);
    await restorer().undo(request, contextOf(folder, captured).context);
    expect(contentOf()).toEqual(before);
  });
});

test('other bytes than were captured are never exchanged, and a rehearsal finds them', async () => {
  const before = contentOf();
  const bytes = Buffer.from(captured.streams.get('database.sqlite') ?? '');
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  const damaged = { streams: new Map([['database.sqlite', bytes]]) };
  const request = requestOf(captured);
  const { context } = contextOf(folder, damaged);
  await expect(restorer().prepare(request, context)).rejects.toMatchObject({ code: 'restore/digest-mismatch' });
  expect(contentOf()).toEqual(before);
  expect(await restorer().state(request, never)).toBe('none');

  const rehearse = (from: Pick<Captured, 'streams'>) => {
    const { context } = contextOf(folder, from);
    return inScratch(context, () => restorer().rehearse(request, context));
  };
  expect((await rehearse(damaged)).problems.length).toBeGreaterThan(0);
  expect(await rehearse(captured)).toMatchObject({ problems: [], facts: { tables: { chat: 3 } } });
});
