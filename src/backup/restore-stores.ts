import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import type { BackupDeps } from './backup-deps.ts';
import type { ManifestComponent } from './manifest.ts';
import type { PipedProgram, Snapshot } from './repository/index.ts';
import { removeOutside } from './restore/index.ts';
import type { RestorerContext, RestorerState } from './restore/restorer.ts';
import type { StorePart } from './restore-parts.ts';
import { findStream, streamFile } from './streams.ts';

type Call = {
  readonly id: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly onProgress?: RestorerContext['onProgress'];
};

/**
 * What a restorer gets: the streams of its component out of the repository, and a scratch folder that is gone afterwards.
 * @param prefix of the named boundaries: `restore`, `drill`
 */
export function restorerContext(
  deps: Pick<BackupDeps, 'repository' | 'stagingDir' | 'step'>,
  facts: { pointId: string; component: ManifestComponent; prefix: string; scratchDir?: string },
  call: Call,
): RestorerContext {
  const { component, pointId } = facts;
  let listed: Promise<readonly Snapshot[]> | undefined;
  const find = async (name: string): Promise<Snapshot> => {
    const stream = (component.streams ?? []).find((one) => one.name === name);
    if (!stream) throw new AppError('restore/blocked', `${component.name} has no stream ${name} in ${pointId}.`);
    listed ??= deps.repository.snapshots({ tags: [`rp:${pointId}`], signal: call.signal, operationId: call.id });
    const snapshot = findStream(await listed, component, stream);
    if (snapshot) return snapshot;
    throw new AppError('restore/digest-mismatch', `The repository does not hold the stream ${name} of ${pointId}.`);
  };
  return {
    signal: call.signal,
    log: call.log,
    scratchDir: facts.scratchDir ?? storeScratch(deps, call.id, component.name),
    step: (name) => deps.step(`${facts.prefix}:${name}`),
    async pipeStream(name, consumer) {
      const { id } = await find(name);
      return deps.repository.pipeFile({
        snapshotId: id,
        path: `/${streamFile(component.name, name)}`,
        to: consumer,
        signal:
          consumer.timeoutMs === undefined
            ? call.signal
            : AbortSignal.any([call.signal, AbortSignal.timeout(consumer.timeoutMs)]),
        operationId: call.id,
      });
    },
    async fetchStream(name, file) {
      const { id } = await find(name);
      await deps.repository.pipeFile({
        snapshotId: id,
        path: `/${streamFile(component.name, name)}`,
        to: intoFile(file),
        signal: call.signal,
        operationId: call.id,
      });
    },
    ...(call.onProgress ? { onProgress: call.onProgress } : {}),
  };
}

const storeScratch = (deps: Pick<BackupDeps, 'stagingDir'>, operationId: string, component: string): string =>
  join(deps.stagingDir, `restore-${operationId}`, component);

/** A program that writes what comes into a file that only its owner reads. */
export const intoFile = (file: string): PipedProgram => ({
  command: ['/bin/sh', '-c', 'umask 077; exec cat > "$FILE"'],
  environment: { FILE: file, PATH: '/usr/bin:/bin' },
});

/** Runs one step of every part in turn; each has its own scratch folder while it runs. */
export async function eachStore(
  deps: BackupDeps,
  parts: readonly StorePart[],
  call: Call,
  work: (part: StorePart, context: RestorerContext) => Promise<void>,
): Promise<void> {
  for (const part of parts) {
    const context = restorerContext(
      deps,
      { pointId: part.request.pointId, component: part.component, prefix: 'restore' },
      call,
    );
    await mkdir(context.scratchDir, { recursive: true, mode: 0o700 });
    await work(part, context);
  }
}

export async function removeStoreScratch(deps: Pick<BackupDeps, 'stagingDir'>, operationId: string): Promise<void> {
  await rm(join(deps.stagingDir, `restore-${operationId}`), { recursive: true, force: true });
  await removeOutside(operationId);
}

/**
 * Brings back the old state of every part that got anywhere, last first. @returns what could not be brought back, in words
 */
export async function undoStores(deps: BackupDeps, parts: readonly StorePart[], call: Call): Promise<string[]> {
  const failed: string[] = [];
  for (const part of parts.toReversed())
    try {
      if ((await part.restorer.state(part.request, call.signal)) !== 'none')
        await eachStore(deps, [part], call, (one, context) => one.restorer.undo(one.request, context));
    } catch (err) {
      failed.push(`${part.component.name}: ${describeError(err)}`);
    }
  return failed;
}

export async function statesOf(parts: readonly StorePart[], signal: AbortSignal): Promise<RestorerState[]> {
  const states: RestorerState[] = [];
  for (const part of parts) states.push(await part.restorer.state(part.request, signal));
  return states;
}
