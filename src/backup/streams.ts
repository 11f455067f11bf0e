import type { OperationContext } from '../operations/index.ts';
import type { BackupDeps } from './backup-deps.ts';
import type { ManifestComponent } from './manifest.ts';
import type { Snapshot } from './repository/index.ts';
import type { StoredStream, StreamProducer } from './sources/source.ts';

/** The file of a stream at the root of its snapshot, and the tag it is found by. */
export const streamFile = (component: string, name: string): string => `${component}.${name}`;
export const streamTag = (component: string, name: string): string => `stream:${streamFile(component, name)}`;

/** One stream of a component as a snapshot of its own. It is a part of a point only once a manifest names it. */
export async function storePointStream(
  deps: Pick<BackupDeps, 'repository' | 'step'>,
  request: {
    pointId: string;
    component: string;
    name: string;
    producer: StreamProducer;
    tags: readonly string[];
  },
  context: OperationContext,
): Promise<StoredStream> {
  const { component, name, producer } = request;
  await context.checkHeld();
  const stored = await deps.repository.storeStream({
    name: streamFile(component, name),
    tags: [...request.tags, `component:${component}`, streamTag(component, name)],
    host: hostOf(request.tags),
    from: producer.by === 'bytes' ? producer.chunks : producer,
    signal:
      producer.by === 'program' && producer.timeoutMs !== undefined
        ? AbortSignal.any([context.signal, AbortSignal.timeout(producer.timeoutMs)])
        : context.signal,
    operationId: context.id,
    onProgress: (progress) => context.progress({ bytesDone: progress.bytesDone }),
  });
  await deps.step(`backup:stored-${streamFile(component, name)}`);
  return { name, bytes: stored.bytes, sha256: stored.sha256, tree: stored.treeId };
}

const hostOf = (tags: readonly string[]): string =>
  `ragwarden-${tags.find((tag) => tag.startsWith('target:'))?.slice('target:'.length) ?? 'unknown'}`;

/** The snapshot that holds a stream: by tag and tree, since ids change when a point is copied. */
export const findStream = (
  snapshots: readonly Snapshot[],
  component: Pick<ManifestComponent, 'name'>,
  stream: { readonly name: string; readonly tree: string },
): Snapshot | undefined =>
  snapshots.find((one) => one.tree === stream.tree && one.tags.includes(streamTag(component.name, stream.name)));
