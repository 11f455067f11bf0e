import { chownSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lockDataFolder } from '../../src/platform/data-folder.ts';
import { hasPart } from '../setup/parts.ts';
import { contentOf, field, removeFolder, until } from '../warden-harness.ts';
import {
  callsOf,
  copyDataFolder,
  failureOf,
  isRoot,
  launch,
  openWarden,
  type Product,
  prepareDataFolder,
  sampleOf,
  takeGood,
  untilGone,
  up,
  whenFree,
} from './ground.ts';

const asRoot = isRoot();
const nobody = { uid: 65_534, gid: 65_534 };

function giveTo(folder: string, { uid, gid }: { uid: number; gid: number }): void {
  chownSync(folder, uid, gid);
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (lstatSync(path).isDirectory()) giveTo(path, { uid, gid });
    else chownSync(path, uid, gid);
  }
}

const hold = async (port: number): Promise<Server> => {
  const server = createServer();
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(port, '127.0.0.1', done);
  });
  return server;
};

describe.skipIf(!hasPart('restic'))('the product as a process', () => {
  let template: string;
  let pointId: string;
  beforeAll(async () => {
    template = await prepareDataFolder('processes');
    const warden = await openWarden(template);
    pointId = await takeGood(warden);
    await warden.stop();
  });
  afterAll(() => removeFolder(template));

  test.skipIf(!asRoot)(
    'of an ordinary user takes points and restores them; what it may not write is refused before anything moves',
    async () => {
      const dataDir = copyDataFolder(template, 'nobody');
      const { workspace } = sampleOf(dataDir);
      giveTo(dataDir, nobody);
      const good = contentOf(workspace);
      const product = launch(up(dataDir), nobody);
      try {
        const warden = callsOf((await product.ready).api, dataDir);
        const id = await takeGood(warden);
        rmSync(join(workspace, 'vdb_chunks.json'));
        expect(field(await warden.restore(id), 'state')).toBe('succeeded');
        expect(contentOf(workspace)).toEqual(good);
        expect(lstatSync(join(workspace, 'vdb_chunks.json')).uid).toBe(nobody.uid);

        mkdirSync(join(workspace, 'of somebody else'));
        writeFileSync(join(workspace, 'extra.txt'), 'x');
        const before = contentOf(workspace);
        expect(failureOf(await warden.restore(id))).toMatch(
          /^restore\/blocked: .*"of somebody else" may not be written/,
        );
        rmSync(join(workspace, 'of somebody else'), { recursive: true });
        chownSync(workspace, 0, 0);
        expect(failureOf(await warden.restore(id))).toMatch(
          /^restore\/blocked: .*rag_storage may not be written by this user/,
        );
        chownSync(workspace, nobody.uid, nobody.gid);
        const { 'of somebody else/': _, ...rest } = before;
        expect(contentOf(workspace)).toEqual(rest);
        expect(await warden.events('restore.rolled-back')).toEqual([]);
      } finally {
        await product.stop();
        removeFolder(dataDir);
      }
    },
  );

  test('whose port is taken ends: port, setting and holder are named, nothing of it stays behind', async () => {
    const dataDir = copyDataFolder(template, 'port');
    const server = await hold(0);
    const { port } = server.address() as AddressInfo;
    try {
      for (const [args, setting] of [
        [['--port', String(port), '--metrics-port', '0', '--gateway-port', '0'], 'RAGWARDEN_PORT'],
        [['--port', '0', '--gateway-port', '0', '--metrics-port', String(port)], 'LIGHTRAG_METRICS_PORT'],
      ] as const) {
        const { code, log } = await launch(['up', '--data-dir', dataDir, ...args]).ended;
        expect(code).toBe(1);
        expect(log).toMatch(new RegExp(`Port ${port}.* is taken by .*\\(pid ${process.pid}\\).*${setting}`));
        await untilGone(dataDir, setting);
        lockDataFolder(dataDir, 'test', 0).release();
      }
    } finally {
      server.close();
      removeFolder(dataDir);
    }
  });

  test('whose metrics port is taken, being the default one, starts all the same and says so', async () => {
    const dataDir = copyDataFolder(template, 'metrics-port');
    // Held already by somebody else, it is as taken as we want it.
    const server = await hold(9090).catch(() => undefined);
    const product = launch(['up', '--data-dir', dataDir, '--port', '0', '--gateway-port', '0']);
    try {
      const { api, metrics } = await product.ready;
      expect(metrics).toBeNull();
      const exposed = await callsOf(api, dataDir).call('GET', '/metrics');
      expect(exposed.text).toMatch(/^ragwarden_/m);
      await product.stop();
      expect((await product.ended).log).toMatch(/Port 9090.* is taken.*Metrics are served on the API port only/);
    } finally {
      await product.stop();
      server?.close();
      removeFolder(dataDir);
    }
  });

  test('beside another one on the same data folder is refused with the first one’s pid', async () => {
    const dataDir = copyDataFolder(template, 'second');
    const first = launch(up(dataDir));
    try {
      const { api } = await first.ready;
      const { code, log } = await launch([
        'serve',
        '--data-dir',
        dataDir,
        '--port',
        '0',
        '--metrics-port',
        '0',
        '--gateway-port',
        '0',
      ]).ended;
      expect(code).toBe(11);
      expect(log).toContain(`in use by process ${first.process.pid} (up, since`);
      expect((await fetch(`${api}/readyz`)).status).toBe(200);
    } finally {
      await first.stop();
      removeFolder(dataDir);
    }
  });

  test('that is told to stop at any moment ends without more ado, leaves no child, and starts again', async () => {
    const dataDir = copyDataFolder(template, 'stop');
    const { workspace } = sampleOf(dataDir);
    const good = contentOf(workspace);
    const extra = { 'extra.txt': Buffer.from('x').toString('base64') };
    const moments = (
      [
        ['start', 0],
        ['start', 400],
        ['start', 800],
        ['start', 1_200],
        ['backup', 0],
        ['backup', 300],
        ['backup', 600],
        ['restore', 500],
        ['restore', 3_000],
        ['idle', 0],
      ] as const
    ).map(([during, afterMs]) => ({ during, afterMs: Math.round(afterMs + Math.random() * 400) }));
    let product: Product | undefined;
    try {
      for (const [i, { during, afterMs }] of moments.entries()) {
        const signal = i % 2 === 0 ? 'SIGTERM' : 'SIGINT';
        const moment = `${signal} ${afterMs} ms into ${during}`;
        product = launch(up(dataDir));
        if (during !== 'start') {
          const warden = callsOf((await product.ready).api, dataDir);
          // What stands is the old or the new state, whole.
          const { 'extra.txt': found, ...rest } = contentOf(workspace);
          expect(rest, moment).toEqual(good);
          expect([undefined, extra['extra.txt']], moment).toContain(found);
          if (during === 'backup') await warden.call('POST', '/api/v1/backup/trigger');
          if (during === 'restore') {
            writeFileSync(join(workspace, 'extra.txt'), 'x');
            const asked = await whenFree(() =>
              warden.call('POST', `/api/v1/backup/restore/${pointId}`, { confirm: true }),
            );
            expect(asked.status, moment).toBe(202);
          }
        }
        await new Promise((passed) => setTimeout(passed, afterMs));
        product.process.kill(signal);
        const late = new AbortController();
        const end = await Promise.race([
          product.ended,
          new Promise<undefined>((passed) => {
            // Ten seconds are its own limit; a machine that has other work gives it no sooner than it can.
            const timer = setTimeout(() => passed(undefined), 60_000);
            late.signal.addEventListener('abort', () => clearTimeout(timer));
          }),
        ]);
        late.abort();
        if (!end) throw new Error(`still running a minute after ${moment}`);
        // Only before its first line can the signal itself end it.
        if (end.signal !== null && during !== 'start') throw new Error(`${moment}: ended by ${end.signal}`);
        expect([0, 130, null], `${moment}\n${end.log}`).toContain(end.code);
        await untilGone(dataDir, moment);
      }
      product = launch(up(dataDir));
      const warden = callsOf((await product.ready).api, dataDir);
      await until('nothing to be running', async () => {
        const { body } = await warden.call('GET', '/api/v1/operations?state=running');
        return (field(body, 'items') as unknown[]).length === 0 ? true : undefined;
      });
      await takeGood(warden);
      expect(field(await warden.restore(pointId), 'state')).toBe('succeeded');
      expect(contentOf(workspace)).toEqual(good);
    } finally {
      await product?.stop();
      removeFolder(dataDir);
    }
  });
});
