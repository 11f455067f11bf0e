import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recoverOffline } from '../src/app/index.ts';
import { parseRepositoryLocation, recoveryKit } from '../src/backup/index.ts';
import { readConfig, requireConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import {
  openWarden,
  password,
  prepareDataFolder,
  prepareRepository,
  sampleOf,
  takeGood,
  writeLargeStore,
} from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { field, removeFolder, temporaryFolder, until } from './warden-harness.ts';

type Options = Parameters<typeof recoverOffline>[1];

/** Every name below a folder with its kind, mode and digest. */
function pictureOf(folder: string): Record<string, string> {
  const picture: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const mode = (statSync(path).mode & 0o777).toString(8);
    picture[relative(folder, path)] = entry.isSymbolicLink()
      ? `link ${readlinkSync(path)}`
      : entry.isDirectory()
        ? `folder ${mode}`
        : `file ${mode} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
  }
  return picture;
}

describe.skipIf(!hasPart('restic'))('a machine that has nothing but the repository and the recovery kit', () => {
  const place = temporaryFolder('recover');
  const repository = join(place, 'repository');
  const kitFile = join(place, 'recovery-kit.txt');
  const before: { workspace: Record<string, string>; inputs: Record<string, string> } = { workspace: {}, inputs: {} };
  let older: string;
  let newest: string;
  let machines = 0;

  const machine = () => {
    machines += 1;
    const root = join(place, `machine-${machines}`);
    return {
      dataDir: join(root, 'data'),
      workspace: join(root, 'rag', 'storage'),
      inputs: join(root, 'rag', 'inputs'),
    };
  };
  const recover = (on: ReturnType<typeof machine>, change: Partial<Options> = {}) =>
    recoverOffline(requireConfig(readConfig({ env: { RAGWARDEN_DATA_DIR: on.dataDir }, cwd: place })), {
      kitFile,
      folders: new Map([
        ['workspace', on.workspace],
        ['inputs', on.inputs],
      ]),
      without: new Set(),
      besideDir: join(on.dataDir, '..', 'beside'),
      confirm: async () => true,
      tell: () => {},
      log: silentLogger,
      signal: new AbortController().signal,
      ...change,
    });

  beforeAll(async () => {
    await prepareRepository(repository, join(place, 'password'));
    const dataDir = await prepareDataFolder('recover-first', { repository: join(place, 'unused') });
    writeFileSync(join(dataDir, 'repository-password'), `${password}\n`, { mode: 0o600 });
    writeLargeStore(sampleOf(dataDir).workspace);
    const warden = await openWarden(dataDir, { settings: { BACKUP_DIR: repository } });
    older = await takeGood(warden);
    const { workspace, inputs } = sampleOf(dataDir);
    writeFileSync(join(inputs, 'written-later.txt'), 'what the older point does not have');
    newest = await takeGood(warden);
    await warden.stop();
    for (const name of readdirSync(workspace))
      if (name.startsWith('.')) rmSync(join(workspace, name), { recursive: true });
    before.workspace = pictureOf(workspace);
    before.inputs = pictureOf(inputs);
    writeFileSync(
      kitFile,
      recoveryKit({
        repositories: [{ location: parseRepositoryLocation(repository, 'file') }],
        password,
        formatVersion: 1,
        createdAtMs: 0,
      }),
    );
    removeFolder(dataDir);
    rmSync(join(place, 'password'));
  });
  afterAll(() => removeFolder(place));

  test('gets everything back byte by byte, and a ragwarden started there knows the points', async () => {
    const on = machine();
    const report = await recover(on);
    expect(report).toMatchObject({ recovered: true, backup_id: newest, blockers: [] });
    expect(report.points.map((one) => one.backup_id)).toEqual([newest, older]);
    expect(pictureOf(on.workspace)).toEqual(before.workspace);
    expect(pictureOf(on.inputs)).toEqual(before.inputs);
    expect(existsSync(join(on.dataDir, 'recover'))).toBe(false);
    const warden = await openWarden(on.dataDir, { command: 'serve', settings: { BACKUP_DIR: repository } });
    try {
      const points = await until('the list of points', async () => {
        const found = await warden.points();
        return found.length === 2 ? found : undefined;
      });
      expect(points.map((one) => field(one, 'backup_id')).sort()).toEqual([older, newest].sort());
    } finally {
      await warden.stop();
    }
  });

  test('ended at any boundary, the same command goes on and ends with the same bytes', async () => {
    const names: string[] = [];
    await recover(machine(), { step: (name) => void names.push(name) });
    // Of the first component all of them, of the next one that it is not the first, and the end.
    const boundaries = [...new Set(names)].filter((name) => /workspace|inputs-m|stores/.test(name));
    expect(boundaries.length).toBeGreaterThan(6);
    await Promise.all(
      boundaries.map(async (boundary) => {
        const on = machine();
        const step = (name: string): void => {
          if (name === boundary) throw new Error('ended here');
        };
        await expect(recover(on, { step }), boundary).rejects.toThrow('ended here');
        expect(await recover(on), boundary).toMatchObject({ recovered: true, blockers: [] });
        expect(pictureOf(on.workspace), boundary).toEqual(before.workspace);
        expect(pictureOf(on.inputs), boundary).toEqual(before.inputs);
      }),
    );
  });

  test('an older point is taken when it is named, and its plan alone changes nothing', async () => {
    const on = machine();
    const plan = await recover(on, { pointId: older, confirm: async () => false });
    expect(plan).toMatchObject({ recovered: false, backup_id: older });
    expect(existsSync(on.workspace)).toBe(false);
    await recover(on, { pointId: older });
    expect(existsSync(join(on.inputs, 'written-later.txt'))).toBe(false);
  });

  test('a folder that holds something else is refused, and nothing is written anywhere', async () => {
    const on = machine();
    mkdirSync(on.inputs, { recursive: true });
    writeFileSync(join(on.inputs, 'somebody.txt'), 'else');
    const report = await recover(on);
    expect(report).toMatchObject({ recovered: false });
    expect(report.blockers[0]).toContain('is not empty');
    expect(readdirSync(on.inputs)).toEqual(['somebody.txt']);
    expect(existsSync(on.workspace)).toBe(false);
  });

  test('what was interrupted with one point is not mixed with another', async () => {
    const on = machine();
    const step = (name: string): void => {
      if (name === 'recover:inputs-moved') throw new Error('ended here');
    };
    await expect(recover(on, { step })).rejects.toThrow('ended here');
    const report = await recover(on, { pointId: older });
    expect(report.blockers.join()).toContain(`go on with --point ${newest}`);
  });

  test.each<[string, Partial<Options>, string]>([
    ['a point that is not there', { pointId: 'backup_20200101_000000_zzzz' }, 'backup/unknown-point'],
    ['a target that is not there', { targetId: 'nobody' }, 'backup/unknown-point'],
    ['a component that is not there', { folders: new Map([['nothing', '/x']]) }, 'restore/invalid-options'],
    ['a repository that is not there', { repository: join(place, 'nowhere') }, 'repository/missing'],
    ['no kit', { kitFile: join(place, 'nowhere') }, 'repository/wrong-password'],
  ])('%s is told', async (_, change, code) => {
    await expect(recover(machine(), change)).rejects.toThrow(code);
  });
});
