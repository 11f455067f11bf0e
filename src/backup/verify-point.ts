import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OperationContext } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import type { BackupDeps } from './backup-deps.ts';
import { foldComponent } from './fold-component.ts';
import {
  isNewerManifest,
  type Manifest,
  type ManifestComponent,
  manifestFile,
  manifestSchema,
  renderManifest,
} from './manifest.ts';
import type { Snapshot, SnapshotEntry } from './repository/index.ts';
import { checkStaged } from './restore/index.ts';
import { restoreSnapshot } from './restore-snapshot.ts';
import type { TreeEntry } from './sources/tree.ts';
import { componentPath, readEntries } from './staging.ts';
import { findStream, streamFile } from './streams.ts';
import { compareUnfolded, type StoredPoint } from './unfold-components.ts';

/**
 * Reads a snapshot back and holds it against its manifest: the manifest byte for byte, every entry of every component with
 * its kind, size and permissions, nothing missing, nothing extra; its streams; and the structure of the repository.
 * @throws AppError `backup/verification-failed` with what differs
 */
export async function verifySnapshot(
  deps: BackupDeps,
  request: {
    snapshotId: string;
    manifest: Manifest;
    /** As captured, by component. */
    entries: ReadonlyMap<string, readonly TreeEntry[]>;
    unfolded: StoredPoint['unfolded'];
    /** As the repository lists it. */
    listing: readonly SnapshotEntry[];
    context: OperationContext;
  },
): Promise<void> {
  const { repository } = deps;
  const { manifest, snapshotId, context } = request;
  const call = { signal: context.signal, operationId: context.id };
  const listed = new Map(request.listing.map((entry) => [entry.path, entry]));
  for (const [name, entries] of request.entries) {
    compareListing(name, entries, listed);
    compareUnfolded(name, request.unfolded.get(name) ?? [], listed);
  }
  // Neither waits for the other, and neither is left running when the other fails.
  const [read, streams, checked] = await Promise.allSettled([
    repository.readFile({ ...call, snapshotId, path: `/${manifestFile}` }),
    verifyStreams(deps, manifest, context),
    repository.check({ ...call, readData: 'none' }),
  ]);
  if (read.status === 'rejected') throw read.reason;
  if (read.value?.toString('utf8') !== renderManifest(manifest))
    throw new AppError('backup/verification-failed', 'The manifest in the repository is not the one that was written.');
  if (streams.status === 'rejected') throw streams.reason;
  if (checked.status === 'rejected') throw checked.reason;
  const check = checked.value;
  if (!check.ok)
    throw new AppError(
      'backup/verification-failed',
      `The repository is not sound: ${check.findings[0] ?? 'no finding was named'}.`,
    );
}

/**
 * Restores every file of a point into a scratch folder and compares each digest, and reads every stream of its stores to the
 * end: the strongest proof short of a drill.
 * @returns files and bytes that were compared
 */
export async function verifyContent(
  deps: BackupDeps,
  request: { snapshotId: string; manifest: Manifest; context: OperationContext },
): Promise<{ files: number; bytes: number }> {
  const { manifest, context } = request;
  const scratch = join(deps.stagingDir, `verify-${context.id}`);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    let files = 0;
    let bytes = 0;
    await restoreSnapshot(deps.repository, manifest.id, {
      snapshotId: request.snapshotId,
      target: scratch,
      signal: context.signal,
      operationId: context.id,
      onProgress: (progress) => context.progress(progress),
    });
    for (const component of manifest.components) {
      const entries = await readEntries(join(scratch, component.entries_file), component.entries_sha256);
      await foldComponent(deps, { arrived: scratch, component: component.name, entries, signal: context.signal });
      await checkStaged(join(scratch, componentPath(component.name)), entries, { signal: context.signal });
      await readStreams(deps, manifest, component, context);
      files += component.files;
      bytes += component.bytes;
      context.progress({ filesDone: files, bytesDone: bytes });
    }
    return { files, bytes };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The repository holds every piece of a stream against its digest when it is read, and its tree is in the manifest: what is
 * left to compare is that all of it comes. */
async function readStreams(
  deps: Pick<BackupDeps, 'repository'>,
  manifest: Manifest,
  component: ManifestComponent,
  context: Pick<OperationContext, 'id' | 'signal'>,
): Promise<void> {
  const call = { signal: context.signal, operationId: context.id };
  const streams = component.streams ?? [];
  if (streams.length === 0) return;
  const snapshots = await deps.repository.snapshots({ ...call, tags: [`rp:${manifest.id}`] });
  for (const stream of streams) {
    const snapshot = findStream(snapshots, component, stream);
    const { stdout } = snapshot
      ? await deps.repository.pipeFile({
          ...call,
          snapshotId: snapshot.id,
          path: `/${streamFile(component.name, stream.name)}`,
          to: { command: ['/bin/sh', '-c', 'exec wc -c'], environment: { PATH: '/usr/bin:/bin' } },
        })
      : { stdout: 'none' };
    if (Number(stdout.trim()) !== stream.bytes)
      throw new AppError(
        'backup/verification-failed',
        `${component.name}: of the stream ${stream.name} the repository holds ${stdout.trim()} bytes instead of ${stream.bytes}.`,
      );
  }
}

/** Every stream the manifest names is in the repository, with the very content that was stored. */
export async function verifyStreams(
  deps: Pick<BackupDeps, 'repository'>,
  manifest: Manifest,
  context: Pick<OperationContext, 'id' | 'signal'>,
): Promise<void> {
  if (manifest.components.every((one) => (one.streams ?? []).length === 0)) return;
  const snapshots = await deps.repository.snapshots({
    tags: [`rp:${manifest.id}`],
    signal: context.signal,
    operationId: context.id,
  });
  for (const component of manifest.components)
    for (const stream of component.streams ?? [])
      if (!findStream(snapshots, component, stream))
        throw new AppError(
          'backup/verification-failed',
          `${component.name}: the stream ${stream.name} is not in the repository as it was stored.`,
        );
}

/** The manifest snapshot of a point, by tag: snapshot ids change when points are copied. */
export async function findManifestSnapshot(
  deps: Pick<BackupDeps, 'repository'>,
  pointId: string,
  call: { signal?: AbortSignal; operationId?: string } = {},
): Promise<{ snapshotId: string; snapshot: Snapshot; manifest: Manifest } | undefined> {
  const [snapshot] = await deps.repository.snapshots({ tags: [`rp:${pointId}`, 'manifest'], ...call });
  if (!snapshot) return undefined;
  const bytes = await deps.repository.readFile({ snapshotId: snapshot.id, path: `/${manifestFile}`, ...call });
  if (!bytes) return undefined;
  const written = parseJson(bytes.toString('utf8'));
  const parsed = manifestSchema.safeParse(written);
  if (!parsed.success && isNewerManifest(written))
    throw new AppError(
      'restore/blocked',
      `${pointId} was written by a newer version of ragwarden; this one does not know all that it holds. Update ragwarden.`,
    );
  if (!parsed.success || parsed.data.id !== pointId)
    throw new AppError('repository/damaged', `The manifest of ${pointId} is not readable.`, { cause: parsed.error });
  return { snapshotId: snapshot.id, snapshot, manifest: parsed.data };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Refused by the schema that reads it.
    return undefined;
  }
}

function compareListing(name: string, entries: readonly TreeEntry[], listed: Map<string, SnapshotEntry>): void {
  const prefix = `/${componentPath(name)}`;
  const differs = (path: string, what: string): AppError =>
    new AppError('backup/verification-failed', `${name}: ${path} ${what} in the repository.`);
  const expected = new Set<string>([prefix]);
  for (const entry of entries) {
    // Its unfolded state is there in its place; itself it must not be.
    if (entry.kind === 'file' && entry.stored === 'unfolded') continue;
    const path = `${prefix}/${entry.path}`;
    expected.add(path);
    const found = listed.get(path);
    if (!found) throw differs(entry.path, 'is missing');
    if (found.type !== entry.kind) throw differs(entry.path, `is a ${found.type} instead of a ${entry.kind}`);
    if (entry.kind === 'file' && found.sizeBytes !== entry.bytes)
      throw differs(entry.path, `has ${found.sizeBytes} bytes instead of ${entry.bytes}`);
  }
  for (const path of listed.keys())
    if (path.startsWith(`${prefix}/`) && !expected.has(path)) throw differs(path.slice(prefix.length + 1), 'is extra');
}
