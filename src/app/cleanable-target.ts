import { readFile } from 'node:fs/promises';
import type { BackendState, CleanableTarget } from '../cleanup/index.ts';
import { findOpenPaths } from '../cleanup/index.ts';
import type { Operations } from '../operations/index.ts';
import { runningProcess } from '../platform/child-processes/index.ts';
import type { Clock } from '../platform/clock.ts';
import { findWorkspaceFolders, workspaceFolder } from '../targets/index.ts';
import type { Watch } from './watch-target.ts';

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]', '::1']);
/** Ticks of the kernel's start times; what Linux tells user space everywhere. */
const ticksPerSecond = 100;
/** Start times are known to a hundredth of a second and clocks are set: that much older, or it was this life. */
const marginMs = 5_000;

/** A target as cleanup needs it: is somebody at work, and can that be stopped. */
export function cleanableTarget(
  { watched, backend, process: server }: Watch,
  deps: { operations: Operations; clock: Clock; endpointWorkspaces: readonly string[] },
): CleanableTarget {
  const { target } = watched;
  // Read when it is needed: the target may have been brought up at another place.
  const rootNow = (): string | undefined => target.stores.find(({ kind }) => kind === 'workspace-folder')?.path;
  const isHere = (): boolean => target.endpoints.every(({ url }) => loopback.has(new URL(url).hostname));
  const state = async (): Promise<BackendState['state']> => {
    if ((await backend.findSignOfLife()) !== undefined) return 'up';
    // Of another machine, or behind a network that fails, no answer proves nothing.
    if (!isHere() && !backend.isExpectedDown()) return 'unknown';
    const root = rootNow();
    if (root === undefined) return 'down';
    const open = await findOpenPaths([root]);
    if (open === undefined) return 'unknown';
    return open.size > 0 ? 'up' : 'down';
  };
  return {
    id: target.id,
    get workspaceRoot() {
      return rootNow();
    },
    workspaces() {
      const root = rootNow();
      return root === undefined ? [] : [...new Set([...target.workspaces, ...findWorkspaceFolders(root)])];
    },
    folderOf: (workspace) => workspaceFolder(rootNow() ?? '', workspace),
    async backend() {
      return { state: await state(), startedMs: await startOf(server.pid(), deps.clock) };
    },
    lifecycle: {
      get automatic() {
        return backend.automatic;
      },
      stop: (signal) => backend.stop(signal),
      start: (signal) => backend.start(signal),
      expectUp: () => backend.expectUp(),
    },
    served: () => [...target.endpoints.map(({ workspace }) => workspace), ...deps.endpointWorkspaces],
    async findWork() {
      const [work] = (await deps.operations.list({ state: 'running', targetId: target.id, limit: 5 })).filter(
        // A cleanup that has the target for itself is the one that asks; another could not have begun.
        ({ exclusive, kind }) => exclusive && kind !== 'cleanup.run',
      );
      return work && `${work.kind} (${work.id}) is under way`;
    },
  };
}

async function startOf(pid: number | undefined, clock: Clock): Promise<number | null> {
  const ticks = pid === undefined ? undefined : runningProcess(pid);
  if (ticks === undefined) return null;
  const uptime = await readFile('/proc/uptime', 'utf8').catch(() => undefined);
  const seconds = Number(uptime?.split(' ')[0]);
  if (!Number.isFinite(seconds)) return null;
  return clock.now() - (seconds - ticks / ticksPerSecond) * 1_000 - marginMs;
}
