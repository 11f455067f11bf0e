import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../setup/free-port.ts';
import { hasPart } from '../setup/parts.ts';
import { contentOf, field, removeFolder, temporaryFolder, until } from '../warden-harness.ts';
import {
  failureOf,
  isRoot,
  type OpenWarden,
  openWarden,
  prepareDataFolder,
  restic,
  sampleOf,
  targetSettings,
} from './ground.ts';

const asRoot = isRoot();

describe.skipIf(!hasPart('restic'))('a workspace', () => {
  test('with links that lead out: they are not followed and named, and the point is partial where data is hidden', async () => {
    const dataDir = await prepareDataFolder('links');
    const outside = temporaryFolder('links-outside');
    const { workspace } = sampleOf(dataDir);
    writeFileSync(join(outside, 'private.txt'), 'PRIVATE');
    symlinkSync(join(outside, 'private.txt'), join(workspace, 'absolute'));
    symlinkSync('../../../nowhere', join(workspace, 'to nothing'));
    mkdirSync(join(workspace, 'deep'));
    symlinkSync('../../inputs', join(workspace, 'deep', 'up and out'));
    symlinkSync('deep', join(workspace, 'first of a chain'));
    symlinkSync('first of a chain/up and out', join(workspace, 'chain'));
    symlinkSync('kv_store_full_docs.json', join(workspace, 'inside'));
    const warden = await openWarden(dataDir);
    try {
      const taken = await warden.take();
      expect(field(taken, 'state')).toBe('partial');
      expect(field(taken, 'result', 'status')).toBe('partial');
      const skipped = field(taken, 'result', 'user_data', 'components', 0, 'skipped') as {
        path: string;
        loss: boolean;
      }[];
      expect(Object.fromEntries(skipped.map(({ path, loss }) => [path, loss]))).toEqual({
        absolute: true,
        'deep/up and out': true,
        chain: true,
        'to nothing': false,
      });
      const id = String(field(taken, 'result', 'backup_id'));
      const listed = restic(join(dataDir, 'repository'), join(dataDir, 'repository-password'), ['ls', 'latest']);
      expect(listed).toContain('/components/workspace/inside');
      expect(listed).not.toMatch(/private|components\/workspace\/(absolute|chain|to nothing)|up and out/);
      rmSync(workspace, { recursive: true });
      expect(field(await warden.restore(id), 'state')).toBe('succeeded');
      expect(readlinkSync(join(workspace, 'inside'))).toBe('kv_store_full_docs.json');
      expect(readlinkSync(join(workspace, 'first of a chain'))).toBe('deep');
      expect(readdirSync(join(workspace, 'deep'))).toEqual([]);
      expect(readdirSync(workspace)).not.toContain('absolute');
      expect(readFileSync(join(outside, 'private.txt'), 'utf8')).toBe('PRIVATE');
    } finally {
      await warden.stop();
      removeFolder(dataDir);
      removeFolder(outside);
    }
  });

  test('with truncated JSON degrades the target, which says which file; the point is taken and names it too', async () => {
    const dataDir = await prepareDataFolder('truncated');
    const { workspace } = sampleOf(dataDir);
    const warden = await openWarden(dataDir);
    try {
      // The sample answers from memory; only a look into the files can see it.
      truncateSync(join(workspace, 'kv_store_text_chunks.json'), 100);
      const broken = contentOf(workspace);
      await warden.call('POST', '/api/v1/targets/sample/inspect', undefined, { prefer: 'wait=60' });
      const seen = await until('the target to be degraded', async () => {
        const { body } = await warden.call('GET', '/api/v1/targets/sample');
        return field(body, 'status') === 'DEGRADED' ? body : undefined;
      });
      expect(JSON.stringify(field(seen, 'reasons'))).toMatch(/kv_store_text_chunks\.json/);
      const taken = await warden.take();
      const id = String(field(taken, 'result', 'backup_id'));
      expect(['succeeded', 'partial']).toContain(field(taken, 'state'));
      expect((field(taken, 'result', 'reasons') as string[]).join('\n')).toMatch(/kv_store_text_chunks\.json/);
      expect(field(taken, 'result', 'audit_verdict')).toBe('incomplete');
      const plan = (await warden.plan(id)).body;
      expect(field(plan, 'blockers')).toEqual([]);
      expect(field(plan, 'warnings')).toContainEqual(
        expect.stringMatching(/kv_store_text_chunks\.json is cut off after 100 bytes.*LightRAG will not start with it/),
      );
      rmSync(join(workspace, 'kv_store_text_chunks.json'));
      await warden.restore(id);
      expect(contentOf(workspace)).toEqual(broken);
    } finally {
      await warden.stop();
      removeFolder(dataDir);
    }
  });
});

type Tampering = {
  /** Below `components/workspace`, before it is stored again. */
  files?(tree: string, outside: string): void;
  entries?(lines: Record<string, unknown>[], outside: string): void;
  manifest?(manifest: Record<string, unknown>): void;
};

const target = 'kv_store_full_docs.json';
const entryOf = (lines: Record<string, unknown>[]): Record<string, unknown> =>
  lines.find(({ path }) => path === target) ?? {};
const digestOf = (content: string) => createHash('sha256').update(content).digest('hex');

/** What somebody who has the password could put into a repository. */
const tamperings: Record<string, Tampering> = {
  'a listed path that climbs out': { entries: (lines) => Object.assign(entryOf(lines), { path: '../escaped' }) },
  'a listed path that is absolute': {
    entries: (lines, outside) => Object.assign(entryOf(lines), { path: join(outside, 'victim') }),
  },
  'a listed path below our own folder': {
    entries: (lines) => Object.assign(entryOf(lines), { path: '.ragwarden/journal-x.json' }),
  },
  'a listed set-id bit': { entries: (lines) => Object.assign(entryOf(lines), { mode: 0o4755 }) },
  'a listed link that leads out': {
    entries: (lines, outside) =>
      void lines.push({ path: 'link', kind: 'symlink', linkTarget: outside, mode: 0o777, mtimeMs: 0 }),
  },
  'a stored set-id bit that nobody listed': { files: (tree) => chmodSync(join(tree, target), 0o4755) },
  'a stored device in the place of a file': {
    files: (tree) => {
      rmSync(join(tree, target));
      execFileSync('mknod', [join(tree, target), 'c', '1', '5']);
    },
  },
  'a stored link in the place of a listed folder': {
    files: (tree, outside) => symlinkSync(outside, join(tree, 'folder')),
    entries: (lines) =>
      void lines.push(
        { path: 'folder', kind: 'dir', mode: 0o777, mtimeMs: 0 },
        { path: 'folder/victim', kind: 'file', bytes: 6, sha256: digestOf('VICTIM'), mode: 0o777, mtimeMs: 0 },
      ),
  },
  'a stored link in the place of the whole component': {
    files: (tree, outside) => {
      rmSync(tree, { recursive: true });
      symlinkSync(outside, tree);
    },
    entries: (lines) =>
      void lines.splice(0, lines.length, {
        path: 'victim',
        kind: 'file',
        bytes: 6,
        sha256: digestOf('VICTIM'),
        mode: 0o777,
        mtimeMs: 0,
      }),
  },
  'a component that no folder is registered for': {
    manifest: (manifest) => {
      const [component] = manifest.components as Record<string, unknown>[];
      if (component) component.name = '../../../escaped';
    },
  },
  'a list of entries that lies elsewhere': {
    manifest: (manifest) => {
      const [component] = manifest.components as Record<string, unknown>[];
      if (component) component.entries_file = '../../../../escaped';
    },
  },
};

describe.skipIf(!hasPart('restic') || !asRoot)('a repository that somebody wrote evil into', () => {
  let dataDir: string;
  let warden: OpenWarden;
  const outside = temporaryFolder('evil-outside');

  beforeAll(async () => {
    dataDir = await prepareDataFolder('evil');
    // Its backend is down, so that nothing has to be stopped.
    const url = `http://127.0.0.1:${await freePort()}`;
    warden = await openWarden(dataDir, { settings: targetSettings(url, sampleOf(dataDir)) });
    writeFileSync(join(outside, 'victim'), 'VICTIM', { mode: 0o600 });
  });
  afterAll(async () => {
    await warden.stop();
    removeFolder(dataDir);
    removeFolder(outside);
  });

  /** Takes the snapshot of a point apart and stores it again, as restic allows whoever has the password. */
  const tamper = (id: string, { files, entries, manifest }: Tampering): void => {
    const passwordFile = join(dataDir, 'repository-password');
    const run = (args: string[], cwd?: string) =>
      restic(join(dataDir, 'repository'), passwordFile, args, cwd ? { cwd } : {});
    const [snapshot] = JSON.parse(run(['snapshots', '--json', '--tag', `rp:${id}`]));
    const tree = temporaryFolder('evil-tree');
    try {
      run(['restore', snapshot.id, '--target', tree]);
      files?.(join(tree, 'components/workspace'), outside);
      const list = join(tree, 'entries/workspace.jsonl');
      const lines: Record<string, unknown>[] = readFileSync(list, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
      entries?.(lines, outside);
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      writeFileSync(list, text);
      const changed = JSON.parse(readFileSync(join(tree, 'manifest.json'), 'utf8'));
      changed.components.find(({ name }: { name: string }) => name === 'workspace').entries_sha256 = digestOf(text);
      manifest?.(changed);
      writeFileSync(join(tree, 'manifest.json'), JSON.stringify(changed));
      run(['forget', snapshot.id]);
      const tags = (snapshot.tags as string[]).flatMap((tag) => ['--tag', tag]);
      run(['backup', ...tags, 'components', 'entries', 'manifest.json'], tree);
    } finally {
      removeFolder(tree);
    }
  };

  /** As one line, which a difference does not print as pages. */
  const stateNow = (): string => {
    const victim = lstatSync(join(outside, 'victim'));
    return JSON.stringify([
      digestOf(JSON.stringify(contentOf(sampleOf(dataDir).workspace))),
      contentOf(outside),
      [victim.mode, victim.uid, victim.mtimeMs, lstatSync(outside).mode],
      readdirSync(dataDir).filter((name) => name === 'escaped'),
    ]);
  };

  test.each(Object.entries(tamperings))(
    '%s is refused: nothing is restored, nothing outside is touched',
    async (_, tampering) => {
      const taken = await warden.take();
      const id = String(field(taken, 'result', 'backup_id'));
      tamper(id, tampering);
      const before = stateNow();
      const done = await warden.restore(id);
      expect(failureOf(done)).toMatch(tampering.manifest ? /^repository\/damaged: / : /^restore\/unsafe-entry: /);
      expect(stateNow()).toBe(before);
    },
  );
});
