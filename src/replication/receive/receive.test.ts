import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestReceiver, type TestReceiver } from './test-receiver.ts';

let other: TestReceiver;
beforeEach(async () => {
  other = await openTestReceiver();
});
afterEach(() => other.remove());

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const below = '/api/v1/backup-replication/backup/snapshots';
const content = Buffer.from('what a point holds, sealed');

function upload(bytes: Buffer, query: Record<string, string | number> = {}, token = 'far') {
  const all = { graph_id: 'default', backup_id: 'backup_1', data_hash: sha(content), ...query };
  return other.server.inject({
    method: 'POST',
    url: `${below}/upload?${new URLSearchParams(Object.entries(all).map(([name, value]) => [name, String(value)]))}`,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    payload: bytes,
  });
}
const list = async (token = 'far', query = '') =>
  (
    await other.server.inject({ url: `${below}/received${query}`, headers: { authorization: `Bearer ${token}` } })
  ).json();

test('a point is listed once all of it is there with the digest that was named, part by part, for its sender and admins', async () => {
  const first = await upload(content.subarray(0, 10), { total_bytes: content.length });
  expect(first.json()).toMatchObject({ success: true, status: 'receiving', received_bytes: 10 });
  expect(await list()).toMatchObject({ items: [] });
  const asked = `?graph_id=default&backup_id=backup_1&data_hash=${sha(content)}`;
  expect(await list('far', asked)).toMatchObject({ received_bytes: 10 });
  // A part that leaves a gap, or came already, is not taken.
  expect((await upload(content.subarray(12), { total_bytes: content.length, offset: 12 })).statusCode).toBe(409);
  expect((await upload(content.subarray(0, 10), { total_bytes: content.length })).statusCode).toBe(409);
  const last = await upload(content.subarray(10), { total_bytes: content.length, offset: 10, tree_id: 'a'.repeat(64) });
  expect(last.json()).toMatchObject({ status: 'validated', received_bytes: content.length });
  expect((await list()).items).toMatchObject([{ sender: 'local:far', backup_id: 'backup_1', data_hash: sha(content) }]);
  expect((await list('admin')).items).toHaveLength(1);
  expect((await list('stranger')).items).toEqual([]);
  // The same again is the same again.
  expect((await upload(content)).json()).toMatchObject({ status: 'validated' });
  expect(await other.log.log({ type: 'receive', limit: 5 })).toMatchObject([
    { status: 'validated', pointId: 'backup_1' },
  ]);
});

test('what has another digest is set aside and not listed, and a good one is taken afterwards', async () => {
  const broken = await upload(Buffer.from('something else that came'));
  expect(broken.statusCode).toBe(422);
  expect(broken.json()).toMatchObject({ code: 'replication/digest-mismatch' });
  expect(await list()).toMatchObject({ items: [] });
  expect(readdirSync(join(other.folder, 'quarantine'))).toHaveLength(1);
  expect((await other.events.list({ limit: 1 }))[0]).toMatchObject({ type: 'replication.received', severity: 'error' });
  expect((await upload(content)).json()).toMatchObject({ status: 'validated' });
});

test('the same id with another digest changes nothing, and both are named', async () => {
  await upload(content);
  const next = Buffer.from('another point of this id');
  const refused = await upload(next, { data_hash: sha(next) });
  expect(refused.json()).toMatchObject({ code: 'replication/conflict' });
  for (const digest of [sha(content), sha(next)]) expect(refused.json().detail).toContain(digest.slice(0, 12));
  expect((await list()).items).toMatchObject([{ data_hash: sha(content) }]);
  // Of somebody else it is another point.
  expect((await upload(next, { data_hash: sha(next) }, 'elsewhere')).statusCode).toBe(200);
});

test.each([
  ['too large', { maxBytes: 5 }, 413, 'request/too-large'],
  ['too much together', { totalBytes: 5 }, 507, 'storage/full'],
  ['switched off', { enabled: false }, 409, 'feature/disabled'],
])('%s is refused before anything is kept', async (_, limits, status, code) => {
  Object.assign(other.limits, limits);
  const refused = await upload(content);
  expect([refused.statusCode, refused.json().code]).toEqual([status, code]);
  expect(readdirSync(other.folder).filter((name) => name !== 'partial')).toEqual([]);
});

test('ids and digests that are none reach no path, and strangers nothing at all', async () => {
  const wrong: Record<string, string>[] = [
    { backup_id: '../../etc/passwd' },
    { graph_id: 'a/b' },
    { data_hash: 'short' },
  ];
  for (const query of wrong) expect((await upload(content, query)).statusCode).toBe(422);
  expect((await upload(content, {}, 'wrong')).statusCode).toBe(401);
  expect(readdirSync(other.folder)).toEqual([]);
});

test('the oldest of one graph goes when there are as many as are kept, and a check finds what changed on the disk', async () => {
  other.limits.keep = 2;
  for (const count of [1, 2, 3]) {
    other.clock.advance(1_000);
    await upload(content, { backup_id: `backup_${count}` });
  }
  expect((await list()).items.map((one: { backup_id: string }) => one.backup_id)).toEqual(['backup_3', 'backup_2']);
  const files = readdirSync(other.folder).filter((name) => /^[0-9a-f]{64}$/.test(name));
  expect(files).toHaveLength(2);
  expect(await verify()).toMatchObject({ points: 2, findings: [] });
  const file = join(other.folder, files[0] ?? '');
  writeFileSync(file, readFileSync(file).fill(0, 3, 4));
  expect((await verify()).findings).toHaveLength(1);
  // It is set aside and may be sent again: what is damaged is mended by its sender.
  const [left] = (await list()).items;
  expect((await list()).items).toHaveLength(1);
  expect(readdirSync(join(other.folder, 'quarantine'))).toHaveLength(1);
  const lost = left.backup_id === 'backup_3' ? 'backup_2' : 'backup_3';
  expect((await upload(content, { backup_id: lost })).json()).toMatchObject({ status: 'validated' });
  expect(await verify()).toMatchObject({ points: 2, findings: [] });
});

test('what is older than as many as are kept is refused at its first byte, and the oldest goes, in whatever order they come', async () => {
  other.limits.keep = 2;
  const at = (day: number) => ({ backup_id: `backup_${day}`, taken_at: `2025-01-0${day}T00:00:00Z` });
  for (const day of [3, 2]) expect((await upload(content, at(day))).statusCode).toBe(200);
  const old = await upload(content, at(1));
  expect([old.statusCode, old.json().code]).toEqual([409, 'replication/not-kept']);
  expect(await upload(content, at(4)).then((answer) => answer.statusCode)).toBe(200);
  const { items, keep } = await list();
  expect(keep).toBe(2);
  expect(items.map((one: { backup_id: string }) => one.backup_id).sort()).toEqual(['backup_3', 'backup_4']);
});

test('a full store takes the newest for the oldest, and what is unfinished counts as well', async () => {
  other.limits.keep = 2;
  other.limits.totalBytes = 2 * content.length;
  for (const count of [1, 2, 3]) {
    other.clock.advance(1_000);
    expect((await upload(content, { backup_id: `backup_${count}` })).statusCode).toBe(200);
  }
  other.limits.totalBytes = 3 * content.length;
  const half = { total_bytes: content.length, graph_id: 'second' };
  expect((await upload(content.subarray(0, 5), half)).statusCode).toBe(200);
  expect((await upload(content, { graph_id: 'third' })).json()).toMatchObject({ code: 'storage/full' });
});

test('of one sender four uploads may be unfinished: a fifth is refused until one was finished or left alone for an hour', async () => {
  const begin = (id: string, token = 'far') =>
    upload(content.subarray(0, 5), { backup_id: id, total_bytes: content.length }, token);
  expect((await begin('a')).statusCode).toBe(200);
  await other.clock.advance(600_000);
  for (const id of ['b', 'c', 'd']) expect((await begin(id)).statusCode).toBe(200);
  const fifth = await begin('e');
  expect([fifth.statusCode, fifth.json().detail]).toEqual([409, expect.stringContaining('4 uploads of yours')]);
  // Others are not held up by it, nor is what comes whole, nor the four themselves.
  expect((await begin('e', 'elsewhere')).statusCode).toBe(200);
  expect((await upload(content, { backup_id: 'whole' })).statusCode).toBe(200);
  const last = { backup_id: 'd', total_bytes: content.length, offset: 5 };
  expect((await upload(content.subarray(5), last)).json()).toMatchObject({ status: 'validated' });
  expect((await begin('e')).statusCode).toBe(200);
  expect((await begin('f')).statusCode).toBe(409);
  await other.clock.advance(2 * 3_600_000);
  expect((await begin('f')).statusCode).toBe(200);
  const left = async (id: string) =>
    (await list('far', `?graph_id=default&backup_id=${id}&data_hash=${sha(content)}`)).received_bytes;
  expect(await Promise.all(['a', 'b', 'c', 'e', 'f'].map(left))).toEqual([null, 5, 5, 5, 5]);
});

const verify = async (query = '', token = 'far') =>
  (
    await other.server.inject({
      ...{ method: 'POST', url: `${below}/received/verify${query}`, payload: { percent: 100 } },
      headers: { authorization: `Bearer ${token}` },
    })
  ).json();
const pathOfListed = (): string =>
  join(other.folder, readdirSync(other.folder).find((name) => /^[0-9a-f]{64}$/.test(name)) ?? '');

test('two checks at once set one damaged point aside once, and a file that vanished is off the list', async () => {
  await upload(content);
  const file = pathOfListed();
  writeFileSync(file, readFileSync(file).fill(0, 3, 4));
  const both = await Promise.all([verify(), verify()]);
  expect(both.flatMap(({ findings }) => findings).length).toBeGreaterThan(0);
  expect((await list()).items).toEqual([]);
  expect(readdirSync(join(other.folder, 'quarantine'))).toHaveLength(1);

  expect((await upload(content)).json()).toMatchObject({ status: 'validated' });
  rmSync(pathOfListed());
  expect((await verify()).findings).toEqual([expect.stringContaining('nothing')]);
  // Otherwise its sender would count on it for ever.
  expect((await list()).items).toEqual([]);
  expect((await upload(content)).json()).toMatchObject({ status: 'validated' });
});

test('what is begun has the room that was announced, and is not refused on the way', async () => {
  other.limits.totalBytes = content.length + 12;
  const total = { total_bytes: content.length };
  expect((await upload(content.subarray(0, 5), total)).statusCode).toBe(200);
  const second = await upload(content.subarray(0, 5), { ...total, backup_id: 'backup_2' }, 'elsewhere');
  expect([second.statusCode, second.json().code]).toEqual([507, 'storage/full']);
  // Announced is announced.
  const more = await upload(content.subarray(5), { total_bytes: 1_000, offset: 5 });
  expect([more.statusCode, more.json().code]).toEqual([409, 'conflict/state']);
  expect((await upload(content.subarray(5), { ...total, offset: 5 })).json()).toMatchObject({ status: 'validated' });
});

test('a file that an end in the middle left without a line in the list goes with the next upload', async () => {
  await upload(content);
  const left = join(other.folder, 'f'.repeat(64));
  writeFileSync(left, 'whole, and not listed');
  await upload(content, { backup_id: 'backup_2' });
  expect(readdirSync(other.folder).filter((name) => /^[0-9a-f]{64}$/.test(name))).toHaveLength(2);
  expect((await list()).items).toHaveLength(2);
});

test('an admin who sends is asked for its own points, not for those of others', async () => {
  await upload(content);
  await upload(content, { backup_id: 'backup_2' }, 'admin');
  expect((await list('admin')).items).toHaveLength(2);
  expect((await list('admin', '?mine=true')).items).toMatchObject([{ backup_id: 'backup_2' }]);
  expect(await verify('?mine=true', 'admin')).toMatchObject({ points: 1, findings: [] });
  expect(await verify('?backup_id=backup_1&graph_id=default', 'admin')).toMatchObject({ points: 1, findings: [] });
});

test('who hangs up is read for no longer', async () => {
  const asked = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const hanging = await openTestReceiver({
    verify: (_sender, _percent, _only, { signal } = {}) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => {
          left.resolve();
          reject(signal.reason);
        });
        asked.resolve();
      }),
  });
  try {
    const address = await hanging.server.listen({ host: '127.0.0.1', port: 0 });
    const caller = new AbortController();
    const headers = { authorization: 'Bearer far', 'content-type': 'application/json' };
    const calling = fetch(`${address}${below}/received/verify`, {
      ...{ method: 'POST', headers, body: '{"percent":100}', signal: caller.signal },
    }).catch((err: Error) => err.name);
    await asked.promise;
    caller.abort();
    expect(await calling).toBe('AbortError');
    await left.promise;
  } finally {
    await hanging.remove();
  }
});
