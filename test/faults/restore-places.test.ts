import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../setup/free-port.ts';
import { hasPart } from '../setup/parts.ts';
import { contentOf, field, removeFolder, until } from '../warden-harness.ts';
import {
  type Backend,
  copyDataFolder,
  failureOf,
  mayMount,
  mountSmall,
  openWarden,
  prepareDataFolder,
  sampleOf,
  startBackend,
  takeGood,
  targetSettings,
} from './ground.ts';

const withMounts = mayMount();

describe.skipIf(!hasPart('restic'))('a restore', () => {
  let template: string;
  beforeAll(async () => {
    template = await prepareDataFolder('restore-places');
  });
  afterAll(() => removeFolder(template));

  test.skipIf(!withMounts)('into a folder that is a mount point gives it back byte for byte', async () => {
    const dataDir = copyDataFolder(template, 'restore-tmpfs');
    const { workspace } = sampleOf(dataDir);
    const mounted = mountSmall(workspace, '16m');
    cpSync(sampleOf(template).workspace, workspace, { recursive: true, preserveTimestamps: true });
    const good = contentOf(workspace);
    const warden = await openWarden(dataDir);
    try {
      const id = await takeGood(warden);
      rmSync(join(workspace, 'vdb_chunks.json'));
      writeFileSync(join(workspace, 'kv_store_doc_status.json'), '{');
      const done = await warden.restore(id);
      expect(failureOf(done)).toBe('undefined: undefined');
      expect(field(done, 'state')).toBe('succeeded');
      expect(contentOf(workspace)).toEqual(good);
    } finally {
      await warden.stop();
      mounted.free();
      removeFolder(dataDir);
    }
  });

  test('is exact: what the point does not have leaves the folders, and is kept aside', async () => {
    const dataDir = copyDataFolder(template, 'restore-exact');
    const { workspace, inputs } = sampleOf(dataDir);
    const good = { workspace: contentOf(workspace), inputs: contentOf(inputs) };
    const warden = await openWarden(dataDir);
    try {
      const id = await takeGood(warden);
      writeFileSync(join(workspace, 'extra.json'), 'not in the point');
      mkdirSync(join(workspace, 'extra folder', 'deeper'), { recursive: true });
      writeFileSync(join(workspace, 'extra folder', 'deeper', 'file'), 'nor this');
      mkdirSync(join(inputs, 'empty folder'));
      const plan = (await warden.plan(id)).body;
      expect(JSON.stringify(field(plan, 'components', 0))).toMatch(/"extra folder","action":"remove"/);
      const done = await warden.restore(id);
      expect(field(done, 'state')).toBe('succeeded');
      expect({ workspace: contentOf(workspace), inputs: contentOf(inputs) }).toEqual(good);
      const undo = String(field(done, 'result', 'undo', 0, 'folder'));
      expect(contentOf(undo)['extra folder/deeper/file']).toBe(Buffer.from('nor this').toString('base64'));
    } finally {
      await warden.stop();
      removeFolder(dataDir);
    }
  });

  test('gives back every name that Unicode and the file system allow', async () => {
    const dataDir = copyDataFolder(template, 'restore-names');
    const names = [
      'Ärger composed',
      'A\u0308rger decomposed',
      'Ärger decomposed'.normalize('NFD'),
      '🜂 emoji 👩🏽‍🚀.json',
      'שלום-עולם.txt',
      '\u202Ertl\u202C.txt',
      'line\nfeed',
      'line\u2028separator\u2029',
      '-rf',
      '--password-file=x',
      '*?[a].json',
      'tab\tand "quotes" \'and\' \\ \\n $HOME `id` %2e%2e',
      ' leading and trailing ',
      '…',
      '...',
      '\u0001\u007f control',
      '\ufeffbom',
      '漢'.repeat(85),
      'x'.repeat(255),
    ];
    const folders = Object.values(sampleOf(dataDir));
    for (const folder of folders)
      for (const [i, name] of names.entries()) {
        writeFileSync(join(folder, name), `content of ${i}`);
        mkdirSync(join(folder, 'names as folders', name), { recursive: true });
        writeFileSync(join(folder, 'names as folders', name, name), `deeper ${i}`);
      }
    const good = folders.map(contentOf);
    expect(Object.keys(good[0] ?? {}).length).toBeGreaterThan(3 * names.length);
    const warden = await openWarden(dataDir);
    try {
      const taken = await warden.take();
      expect(field(taken, 'state')).toBe('succeeded');
      for (const folder of folders)
        for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
      const done = await warden.restore(String(field(taken, 'result', 'backup_id')));
      expect(failureOf(done)).toBe('undefined: undefined');
      expect(folders.map(contentOf)).toEqual(good);
    } finally {
      await warden.stop();
      removeFolder(dataDir);
    }
  });
});

describe.skipIf(!hasPart('restic'))('a backend that is not ours', () => {
  let dataDir: string;
  let folders: { workspace: string; inputs: string };
  let good: Record<string, string>;
  let port: number;
  let backend: Backend | undefined;

  beforeAll(async () => {
    dataDir = await prepareDataFolder('restore-foreign');
    folders = sampleOf(dataDir);
    good = contentOf(folders.workspace);
    port = await freePort();
  });
  afterAll(async () => {
    await backend?.stop();
    removeFolder(dataDir);
  });

  const startAgain = async (): Promise<void> => {
    await backend?.stop();
    backend = await startBackend(folders, { port });
  };
  const settings = () => ({
    ...targetSettings(`http://127.0.0.1:${port}`, folders),
    RAGWARDEN_TARGET_STOP_TIMEOUT: '20',
    RAGWARDEN_TARGET_START_TIMEOUT: '20',
  });

  test('is waited for: the operator stops it, then the restore goes on, and ends when it is back', async () => {
    await startAgain();
    const warden = await openWarden(dataDir, { settings: settings() });
    try {
      const id = await takeGood(warden);
      writeFileSync(join(folders.workspace, 'extra.txt'), 'x');
      const plan = (await warden.plan(id)).body;
      expect(field(plan, 'backend', 'automatic')).toBe(false);
      expect(String(field(plan, 'backend', 'stop'))).toMatch(/wait until you have stopped the backend/);
      const asked = await warden.call('POST', `/api/v1/backup/restore/${id}`, { confirm: true });
      const follow = `/api/v1/operations/${field(asked.body, 'id')}`;
      const reaches = (phase: string) =>
        until(`the restore to be in the phase ${phase}`, async () => {
          const { body } = await warden.call('GET', follow);
          if (field(body, 'finished_at') !== null) throw new Error(failureOf(body));
          return field(body, 'phase') === phase ? true : undefined;
        });
      await reaches('stopping');
      expect(contentOf(folders.workspace)['extra.txt']).toBeDefined();
      await backend?.stop();
      await reaches('starting');
      expect(contentOf(folders.workspace)).toEqual(good);
      await startAgain();
      const done = await warden.call('GET', follow, undefined, { prefer: 'wait=60' });
      expect(field(done.body, 'state')).toBe('succeeded');
    } finally {
      await warden.stop();
    }
  });

  test('that nobody stops, or whose files somebody holds, is left alone: `target/in-use` says who', async () => {
    await startAgain();
    const warden = await openWarden(dataDir, { settings: { ...settings(), RAGWARDEN_TARGET_STOP_TIMEOUT: '1' } });
    const holder = spawn('sleep', ['600'], { cwd: folders.workspace, stdio: 'ignore' });
    try {
      const id = await takeGood(warden);
      writeFileSync(join(folders.workspace, 'extra.txt'), 'x');
      const before = contentOf(folders.workspace);
      expect(failureOf(await warden.restore(id))).toMatch(
        new RegExp(`^target/in-use: .*it still answers at http://127.0.0.1:${port}`),
      );
      await backend?.stop();
      expect(failureOf(await warden.restore(id))).toMatch(
        new RegExp(`^target/in-use: .*process ${holder.pid} \\(sleep\\) holds `),
      );
      expect(contentOf(folders.workspace)).toEqual(before);
      const [event] = await warden.events('restore.rolled-back');
      expect(field(event, 'data', 'state')).toBe('old');
      rmSync(join(folders.workspace, 'extra.txt'));
    } finally {
      holder.kill();
      await once(holder, 'exit');
      await warden.stop();
    }
  });

  test('that comes back during the moves ends the restore: the old state stands, and it reads that one', async () => {
    let starts = 0;
    // Whatever supervises the backend, as a webhook. What runs is not started again, as with systemd.
    const supervisor = createServer((request, response) => {
      const act = async (): Promise<void> => {
        let text = '';
        for await (const piece of request) text += piece;
        if (JSON.parse(text).action === 'stop') await backend?.stop();
        else if (backend?.process.exitCode !== null || backend.process.signalCode !== null) {
          starts += 1;
          await startAgain();
        }
      };
      act().then(
        () => response.end(),
        () => response.writeHead(500).end(),
      );
    });
    await new Promise<void>((listening) => supervisor.listen(0, '127.0.0.1', listening));
    const webhook = `http://127.0.0.1:${(supervisor.address() as AddressInfo).port}/`;
    writeFileSync(
      join(dataDir, 'ragwarden.yaml'),
      `target:\n  lifecycle:\n    stop: { webhook: "${webhook}" }\n    start: { webhook: "${webhook}" }\n`,
    );
    await startAgain();
    let reappearAt = '';
    const warden = await openWarden(dataDir, {
      settings: settings(),
      step: async (name) => {
        if (name === reappearAt) await startAgain();
      },
    });
    try {
      const id = await takeGood(warden);
      writeFileSync(join(folders.workspace, 'extra.txt'), 'x');
      rmSync(join(folders.workspace, 'vdb_chunks.json'));
      const before = contentOf(folders.workspace);
      for (const boundary of ['restore:out:kv_store_text_chunks.json', 'restore:in:kv_store_doc_status.json']) {
        reappearAt = boundary;
        starts = 0;
        const known = (await warden.events('restore.rolled-back')).length;
        const done = await warden.restore(id);
        expect(failureOf(done), boundary).toMatch(/^restore\/server-reappeared: /);
        expect(contentOf(folders.workspace), boundary).toEqual(before);
        const events = await warden.events('restore.rolled-back');
        expect(events).toHaveLength(known + 1);
        expect(field(events[0], 'data', 'state')).toBe('old');
        // What it read between the moves must not stay in its memory.
        expect(starts, boundary).toBe(1);
      }
    } finally {
      await warden.stop();
      supervisor.close();
      rmSync(join(dataDir, 'ragwarden.yaml'));
    }
  });
});
