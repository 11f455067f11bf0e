import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { openSqlite } from '../../../platform/database/index.ts';
import { silentLogger } from '../../../platform/logging.ts';
import { captureWhole } from '../test-capture.ts';
import { createStateSource } from './state-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-state-source-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const into = join(folder, 'into');

test('the state is one file that any SQLite reads; unchanged it keeps its time, and no restore puts it back', async () => {
  const path = join(folder, 'state.sqlite');
  const maker = new DatabaseSync(path);
  maker.exec('create table event (seq integer); insert into event values (1), (2)');
  maker.close();
  const state = openSqlite({ name: 'state', path, synchronous: 'FULL', log: silentLogger });
  const source = createStateSource({ name: 'ragwarden-state', copyTo: (to) => state.copyTo(to) });
  const first = await captureWhole(source, into);
  expect(first.result).toMatchObject({
    kind: 'config',
    files: 1,
    renewedFiles: 1,
    restore: { by: 'by-hand', reason: expect.stringContaining('ragwarden recover') },
  });
  const copy = join(into, 'state.sqlite');
  const before = statSync(copy).mtimeMs;
  writeFileSync(join(into, 'copy'), 'of a run that was killed');
  const second = await captureWhole(source, into);
  expect(second.result).toMatchObject({ renewedFiles: 0, treeSha256: first.result.treeSha256 });
  expect(statSync(copy).mtimeMs).toBe(before);
  expect(readdirSync(into)).toEqual(['state.sqlite']);

  const other = new DatabaseSync(path);
  other.exec('insert into event values (3)');
  other.close();
  const third = await captureWhole(source, into);
  expect(third.result.renewedFiles).toBe(1);
  await state.close();
  writeFileSync(join(folder, 'read.sqlite'), readFileSync(copy));
  const read = new DatabaseSync(join(folder, 'read.sqlite'));
  expect(read.prepare('select count(*) as n from event').get()).toEqual({ n: 3 });
  read.close();
});
