import { copyFile, mkdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError, isAppError, systemCode } from '../../platform/errors.ts';
import type { Gate } from './gate.ts';
import type { RepositoryLocation } from './location.ts';
import type { Call, CopyRequest, Repository } from './repository.ts';
import { snapshotId } from './restic-arguments.ts';
import type { ResticTool } from './restic-tool.ts';

/** Of a repository that another one copies from. */
export type Inside = {
  readonly location: RepositoryLocation;
  readonly passwordFile: string;
  readonly gate: Gate;
  /** The environment with which a run that writes elsewhere reads here. */
  asSource(): Promise<Readonly<Record<string, string>>>;
};

export function insideOf(insides: WeakMap<Repository, Inside>, repository: Repository): Inside {
  const inside = insides.get(repository);
  if (!inside) throw new Error('snapshots are copied only between repositories of this factory');
  return inside;
}

export const initArguments = (from: Pick<Inside, 'passwordFile'>): string[] => [
  '--copy-chunker-params',
  '--from-password-file',
  from.passwordFile,
];

/** restic skips what is there already, by its content: a run that was killed is gone on with by the same call. */
export async function copySnapshots(
  tool: ResticTool,
  { display }: RepositoryLocation,
  from: Inside,
  { snapshotIds, limitKiB = 0, signal, operationId }: CopyRequest,
): Promise<{ durationMs: number }> {
  if (snapshotIds.length === 0) return { durationMs: 0 };
  const limits = limitKiB > 0 ? [`--limit-upload=${limitKiB}`, `--limit-download=${limitKiB}`] : [];
  const args = ['copy', ...limits, '--from-password-file', from.passwordFile, '--', ...snapshotIds.map(snapshotId)];
  const call = { signal, operationId, env: await from.asSource() };
  const { durationMs, stderr } = await tool.demand(`copying to ${display}`, args, call).catch((err: unknown) => {
    throw isAppError(err) && err.code === 'repository/damaged' ? tellWhose(err, from.location, display) : err;
  });
  // A snapshot that was forgotten meanwhile is passed over with a word and exit code 0.
  if (/^Ignoring |no matching ID found|no snapshot found/m.test(stderr))
    throw new AppError('backup/unknown-point', `${from.location.display} does not hold all of what was to be copied.`);
  return { durationMs };
}

/** restic does not say which of two repositories it could not read. */
const tellWhose = (err: AppError, from: RepositoryLocation, display: string): AppError =>
  new AppError(
    'repository/damaged',
    `What was to be copied cannot be read: ${from.display} or ${display} is damaged. Check both.`,
    { cause: err, context: err.context },
  );

const packName = /^[0-9a-f]{64}$/;
const found = z.array(z.object({ snapshot: z.string() }).loose()).catch([]);

export async function usersOfPacks(
  tool: ResticTool,
  { packs, signal, operationId }: { readonly packs: readonly string[] } & Call,
): Promise<string[]> {
  const wanted = packs.filter((pack) => packName.test(pack));
  if (wanted.length === 0) return [];
  const args = ['find', '--no-lock', '--json', '--pack', ...wanted];
  return [
    ...new Set(
      found
        .parse(await tool.ask('finding what needs a pack', args, { signal, operationId }))
        .map((one) => one.snapshot),
    ),
  ];
}

export async function mendIndex(
  tool: ResticTool,
  location: RepositoryLocation,
  request: { readonly packs: readonly string[]; readonly setAside: string | undefined } & Call,
): Promise<{ moved: string[] }> {
  const { setAside, signal, operationId } = request;
  const moved: string[] = [];
  if (location.kind === 'folder' && setAside !== undefined) {
    await mkdir(setAside, { recursive: true, mode: 0o700 });
    for (const pack of request.packs.filter((one) => packName.test(one)))
      if (await moveAway(join(location.resticArgument, 'data', pack.slice(0, 2), pack), join(setAside, pack)))
        moved.push(pack);
  }
  await tool.demand('mending the index', ['rebuild-index'], { signal, operationId });
  return { moved };
}

async function moveAway(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return false;
    if (systemCode(err) !== 'EXDEV') throw err;
    await copyFile(from, to);
    await unlink(from);
    return true;
  }
}
