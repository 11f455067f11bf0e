import { chmod, copyFile, mkdir, open, readdir, readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findDamage, type PointRehearsal, rehearsedEntries, rehearsedFolder, rehearsedList } from '../backup/index.ts';
import { isAppError } from '../platform/errors.ts';
import type { DrillDeps, DrillTarget } from './drill-deps.ts';
import { removeTree } from './scratch.ts';

/** One thing that was damaged on purpose, and what the checks said about it. */
export type PlantedDamage = {
  readonly what: string;
  readonly where: string;
  readonly detected: boolean;
  /** Null: nobody said anything. */
  readonly by: string | null;
};

type ChaosRequest = {
  readonly rehearsal: PointRehearsal;
  readonly scratchDir: string;
  readonly target: DrillTarget;
  readonly signal: AbortSignal;
  readonly drillId: string;
};

/** Enough to fill some packs, little enough to be written quickly. */
const sampleBytes = 32 * 1024 * 1024;

/**
 * Damages what a drill restored, and a small repository that is made of it, and looks whether each damage is seen. All of it lies in
 * the scratch folder: the repository of the recovery points is only ever read.
 */
export async function plantAndLook(deps: DrillDeps, request: ChaosRequest): Promise<readonly PlantedDamage[]> {
  const damages: PlantedDamage[] = [];
  // Before the files are damaged, since its content is compared with them.
  damages.push(...(await damageRepository(deps, request)));
  await deps.step('drill:pack-damaged');
  for (const component of request.rehearsal.manifest.components) {
    if (component.restore.by === 'restorer') continue;
    damages.push(...(await damageFiles(request, component)));
  }
  await deps.step('drill:files-damaged');
  damages.push(...(await lookThroughInspector(request, damages)));
  return damages;
}

type Component = PointRehearsal['manifest']['components'][number];

async function damageFiles(request: ChaosRequest, component: Component): Promise<PlantedDamage[]> {
  const { scratchDir, signal } = request;
  const folder = rehearsedFolder(scratchDir, component.name);
  const entries = await rehearsedEntries(scratchDir, component);
  const files = entries.filter((one) => one.kind === 'file' && one.bytes > 1).toSorted((a, b) => sizeOf(b) - sizeOf(a));
  const [flipped, removed, shortened] = files;
  const planted: { what: string; where: string; path: string }[] = [];
  if (flipped) {
    await flipByte(join(folder, flipped.path));
    planted.push({ what: 'a flipped byte', where: `${component.name}/${flipped.path}`, path: flipped.path });
  }
  if (removed) {
    await unlink(join(folder, removed.path));
    planted.push({ what: 'a removed file', where: `${component.name}/${removed.path}`, path: removed.path });
  }
  if (shortened) {
    await makeWritable(join(folder, shortened.path));
    await truncate(join(folder, shortened.path), sizeOf(shortened) - 1);
    planted.push({
      what: 'a file without its last byte',
      where: `${component.name}/${shortened.path}`,
      path: shortened.path,
    });
  }
  const said = planted.length === 0 ? [] : await findDamage(scratchDir, component, signal);
  const damages = planted.map(({ what, where, path }): PlantedDamage => {
    const found = said.find((one) => one.at === JSON.stringify(path));
    return { what, where, detected: found !== undefined, by: found ? `digests: ${found.message}` : null };
  });
  if (planted.length === 0) return damages;

  const extra = 'ragwarden-chaos-extra-file';
  await writeFile(join(folder, extra), 'nobody captured this');
  const extraSaid = (await findDamage(scratchDir, component, signal)).find((one) => one.at === JSON.stringify(extra));
  damages.push({
    what: 'a file that was never captured',
    where: `${component.name}/${extra}`,
    detected: extraSaid !== undefined,
    by: extraSaid ? `digests: ${extraSaid.message}` : null,
  });

  const list = rehearsedList(scratchDir, component);
  await flipByte(list);
  const [listSaid] = await findDamage(scratchDir, component, signal);
  damages.push({
    what: 'a changed list of entries',
    where: component.entries_file,
    detected: listSaid !== undefined,
    by: listSaid ? `digest of the list: ${listSaid.message}` : null,
  });
  return damages;
}

/** A workspace with damaged stores must look damaged to the inspector as well, which reads what is in the files. */
async function lookThroughInspector(
  { rehearsal, scratchDir, target, signal }: ChaosRequest,
  planted: readonly PlantedDamage[],
): Promise<PlantedDamage[]> {
  const { manifest } = rehearsal;
  const touched = planted.filter((one) => /^workspace\/.*(kv_store_|vdb_|\.graphml)/.test(one.where));
  if (touched.length === 0 || !manifest.counts) return [];
  const before = rehearsal.components.find((one) => one.name === 'workspace')?.counts ?? manifest.counts;
  const seen = await target.inspect(rehearsedFolder(scratchDir, 'workspace'), signal, {
    workspace: manifest.scope === 'workspace' ? '' : undefined,
  });
  const fewer = Object.entries(before).find(([store, rows]) => seen?.counts[store] !== rows);
  const [fault] = (seen?.faults ?? []).filter(({ message }) => !manifest.reasons.includes(`workspace: ${message}`));
  const by = fault
    ? `inspector: ${fault.message}`
    : fewer
      ? `inspector: ${fewer[0]} has ${seen?.counts[fewer[0]] ?? 'no'} rows instead of ${fewer[1]}`
      : null;
  return [{ what: 'damaged stores', where: touched.map((one) => one.where).join(', '), detected: by !== null, by }];
}

/** A repository of its own with some of the restored files: a pack is damaged, then another one taken away. */
async function damageRepository(deps: DrillDeps, request: ChaosRequest): Promise<PlantedDamage[]> {
  const { scratchDir, signal, drillId } = request;
  const tree = join(scratchDir, 'chaos-tree');
  const taken = await copySample(request, tree);
  if (taken === 0) return [];
  const folder = join(scratchDir, 'chaos-repository');
  await mkdir(folder, { mode: 0o700 });
  const repository = await deps.makeRepository(folder);
  const call = { signal, operationId: drillId };
  await repository.init(call);
  await repository.backup({ ...call, cwd: tree, paths: ['.'], tags: [], host: 'ragwarden-chaos' });
  const sound = await repository.check({ ...call, readData: 'all' });
  if (!sound.ok)
    return [{ what: 'an undamaged repository', where: folder, detected: false, by: sound.findings[0] ?? null }];
  const damages: PlantedDamage[] = [];
  const [pack] = await listPacks(folder);
  if (pack === undefined) return [];

  const whole = await readFile(pack);
  await flipByte(pack);
  damages.push(
    await asked('a flipped byte in a pack of a repository', 'check of all data', async () => {
      const { ok, findings } = await repository.check({ ...call, readData: 'all' });
      return ok ? null : (findings[0] ?? 'the repository is not sound');
    }),
  );
  await writeFile(pack, whole);

  // Only the check is asked: a restore waits long for what is missing, since it could be a network that comes back.
  await unlink(pack);
  damages.push(
    await asked('a missing pack of a repository', 'check of the structure', async () => {
      const { ok, findings } = await repository.check({ ...call, readData: 'none' });
      return ok ? null : (findings[0] ?? 'the repository is not sound');
    }),
  );
  await removeTree(tree);
  return damages;
}

/** Whoever looks into a damaged repository may say so or fail at it; both ring. */
async function asked(what: string, whom: string, look: () => Promise<string | null>): Promise<PlantedDamage> {
  const said = await look().catch((err: unknown) => {
    if (isAppError(err) && (err.code === 'repository/damaged' || err.code === 'repository/failed')) return err.detail;
    throw err;
  });
  return { what, where: whom, detected: said !== null, by: said === null ? null : `${whom}: ${said}` };
}

/** The smallest files of the point first, until there is enough. @returns how many */
async function copySample({ rehearsal, scratchDir }: ChaosRequest, into: string): Promise<number> {
  await mkdir(into, { recursive: true, mode: 0o700 });
  let bytes = 0;
  let files = 0;
  for (const component of rehearsal.manifest.components) {
    if (component.restore.by === 'restorer') continue;
    const entries = await rehearsedEntries(scratchDir, component);
    for (const entry of entries.toSorted((a, b) => sizeOf(a) - sizeOf(b))) {
      if (entry.kind !== 'file' || entry.bytes === 0) continue;
      if (bytes + entry.bytes > sampleBytes) break;
      await copyFile(join(rehearsedFolder(scratchDir, component.name), entry.path), join(into, String(files)));
      bytes += entry.bytes;
      files += 1;
    }
  }
  return files;
}

/** The largest first: those hold contents. */
async function listPacks(repository: string): Promise<string[]> {
  const data = join(repository, 'data');
  const names = await readdir(data, { recursive: true, withFileTypes: true });
  const packs = await Promise.all(
    names
      .filter((one) => one.isFile())
      .map(async (one) => {
        const path = join(one.parentPath, one.name);
        return { path, bytes: (await stat(path)).size };
      }),
  );
  return packs.sort((a, b) => b.bytes - a.bytes).map((one) => one.path);
}

const sizeOf = (entry: { readonly kind: string; readonly bytes?: number }): number => entry.bytes ?? 0;

const makeWritable = (path: string): Promise<void> => chmod(path, 0o600);

/** One bit in the middle, where neither a header nor an end would give it away. */
async function flipByte(path: string): Promise<void> {
  await makeWritable(path);
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const at = Math.floor(size / 2);
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}
