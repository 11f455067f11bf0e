import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError, isAppError, systemCode } from '../../platform/errors.ts';
import { followCopy } from './copy-progress.ts';
import type { Gate } from './gate.ts';
import type { LocationKind, RepositoryLocation } from './location.ts';
import type { Call, CopyRequest, CopyResult, Repository } from './repository.ts';
import { snapshotId } from './restic-arguments.ts';
import type { ResticTool } from './restic-tool.ts';

/** Of a repository that another one copies from. */
export type Inside = {
  readonly location: RepositoryLocation;
  readonly passwordFile: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly caFile: string | undefined;
  readonly gate: Gate;
  /** The environment with which a run that writes elsewhere reads here. */
  asSource(): Promise<Readonly<Record<string, string>>>;
};

export function insideOf(insides: WeakMap<Repository, Inside>, repository: Repository): Inside {
  const inside = insides.get(repository);
  if (!inside) throw new Error('snapshots are copied only between repositories of this factory');
  return inside;
}

type Side = Pick<Inside, 'location' | 'environment'> & { readonly caFile?: string | undefined };

export const initArguments = (from: Inside, to: Pick<Side, 'location' | 'caFile'>): string[] => [
  ...trustOfBoth(from, to),
  '--copy-chunker-params',
  '--from-password-file',
  from.passwordFile,
];

const prefixes: Partial<Record<LocationKind, string>> = { s3: 'AWS_', azure: 'AZURE_', gs: 'GOOGLE_' };
/** What a store's tools read, by its kind: restic knows one set of them for both sides of a copy. */
const keysOf = ({ location, environment }: Pick<Side, 'location' | 'environment'>): string => {
  const prefix = prefixes[location.kind];
  return JSON.stringify(
    Object.entries(environment)
      .filter(([name]) => prefix !== undefined && name.startsWith(prefix))
      .sort(),
  );
};

/** @throws AppError `conflict/state` */
export function requireOneSetOfKeys(to: Pick<Side, 'location' | 'environment'>, from: Side): void {
  if (to.location.kind !== from.location.kind || keysOf(to) === keysOf(from)) return;
  throw new AppError(
    'conflict/state',
    `${from.location.display} and ${to.location.display} have different credentials, and restic takes one set for both sides of a copy. Make one user that may use both, and name its keys at both.`,
  );
}

/** Where systems keep what they trust. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** A named certificate holds for both sides, and instead of the system's: what the other side needs is named beside it. */
function trustOfBoth(from: Side, to: Pick<Side, 'location' | 'caFile'>): string[] {
  if (from.caFile === to.caFile) return [];
  const bySystem = [from, to].some((side) => side.caFile === undefined && side.location.kind !== 'folder');
  const files = [
    ...(from.caFile === undefined ? [] : [from.caFile]),
    ...(bySystem ? bundles.filter((file) => existsSync(file)).slice(0, 1) : []),
  ];
  return files.flatMap((file) => ['--cacert', file]);
}

/** restic skips what is there already, by its content: a run that was killed is gone on with by the same call. */
export async function copySnapshots(
  tool: ResticTool,
  to: Pick<Side, 'location' | 'caFile'>,
  from: Inside,
  { snapshotIds, limitKiB = 0, onProgress, signal, operationId }: CopyRequest,
): Promise<CopyResult> {
  if (snapshotIds.length === 0) return { durationMs: 0, bytes: 0 };
  const { display } = to.location;
  const limits = limitKiB > 0 ? [`--limit-upload=${limitKiB}`, `--limit-download=${limitKiB}`] : [];
  const both = [...trustOfBoth(from, to), '--from-password-file', from.passwordFile];
  const following = onProgress ? followCopy(snapshotIds.length === 1, onProgress) : undefined;
  const args = ['copy', ...(following ? ['--verbose'] : []), ...limits, ...both, '--', ...snapshotIds.map(snapshotId)];
  const { bytesInAll, ...watching } = following ?? {};
  const call = { signal, operationId, env: await from.asSource(), ...watching };
  const { durationMs, stderr } = await tool.demand(`copying to ${display}`, args, call).catch((err: unknown) => {
    throw isAppError(err) && err.code === 'repository/damaged' ? tellWhose(err, from.location, display) : err;
  });
  // A snapshot that was forgotten meanwhile is passed over with a word and exit code 0.
  if (/^Ignoring |no matching ID found|no snapshot found/m.test(stderr))
    throw new AppError('backup/unknown-point', `${from.location.display} does not hold all of what was to be copied.`);
  return { durationMs, bytes: bytesInAll?.() ?? null };
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
