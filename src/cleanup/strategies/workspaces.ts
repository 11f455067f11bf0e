import { relative } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import { createFileTaking } from '../file-quarantine.ts';
import { findReal } from '../folder-walk.ts';
import type { OfflineTarget } from '../offline.ts';
import { findOpen, findOpenPaths } from '../open-files.ts';
import type { ContainedInNewestPoint, KeptItem, PlanItem } from '../plan.ts';
import { look, lstatOf, type Seen } from '../safe-path.ts';
import type { CleanupStrategy } from '../strategy.ts';
import { leftIn } from './folder-entries.ts';

/** What workspaces may become before they are cleaned up. */
export type WorkspaceLimits = {
  readonly ttlMs: number;
  readonly idleMs: number;
  readonly graceMs: number;
  readonly bytes: number;
};

export type CleanableTarget = OfflineTarget & {
  /** Those that a process of the backend serves: in use whatever their files look like. */
  served(): readonly string[];
  /** Work of ours that has the target for itself. */
  findWork(): Promise<string | undefined>;
};

const params = z.strictObject({
  /** As `target:workspace`, or the workspace alone where there is one target. */
  workspace: z.string().min(1).max(130).optional(),
  /** Whatever its age and size; never what is in use. */
  force: z.boolean().default(false),
});

export type WorkspaceCause = 'expired' | 'idle' | 'size' | 'forced';

/** Why a workspace is to go; undefined: it stays. Young ones stay whatever their size. */
export function decideWorkspace(
  facts: { readonly createdMs: number; readonly changedMs: number; readonly bytes: number; readonly nowMs: number },
  limits: WorkspaceLimits,
  force: boolean,
): { readonly cause: WorkspaceCause; readonly why: string } | { readonly why: string; readonly cause: undefined } {
  const { nowMs, createdMs, changedMs, bytes } = facts;
  const hours = (ms: number): string => `${Math.floor(ms / 3_600_000)} h`;
  if (nowMs - changedMs < limits.graceMs)
    return {
      cause: undefined,
      why: `it was written ${Math.floor((nowMs - changedMs) / 60_000)} min ago, within its grace`,
    };
  if (force) return { cause: 'forced', why: 'asked for' };
  if (nowMs - createdMs >= limits.ttlMs && nowMs - changedMs >= limits.idleMs)
    return { cause: 'expired', why: `there for ${hours(nowMs - createdMs)}, past its time to live` };
  if (nowMs - changedMs >= limits.idleMs) return { cause: 'idle', why: `not written for ${hours(nowMs - changedMs)}` };
  if (bytes > limits.bytes && nowMs - createdMs >= limits.ttlMs)
    return { cause: 'size', why: `${Math.round(bytes / 1_048_576)} MiB, larger than it may be` };
  return { cause: undefined, why: 'it is neither expired, idle nor too large' };
}

/**
 * Folders of workspaces that nobody serves. They go into the quarantine whole, which is their archive until its window is over; only
 * then they are deleted.
 */
export function createWorkspaceCleanup(deps: {
  targets(): readonly CleanableTarget[];
  limits(): WorkspaceLimits;
  contained: ContainedInNewestPoint;
  clock: Clock;
  /** What went, by its cause, and how many could not. */
  onCleaned?(causes: readonly WorkspaceCause[], errors: number): Promise<void>;
}): CleanupStrategy<z.infer<typeof params>> & {
  /** @throws AppError `target/unknown`, `cleanup/workspace-busy` */
  requireIdle(workspace: string): Promise<void>;
} {
  const idOf = (target: CleanableTarget, workspace: string): string => `${target.id}:${workspace}`;
  const isAsked = (target: CleanableTarget, workspace: string, asked: string | undefined): boolean =>
    asked === undefined || asked === idOf(target, workspace) || (deps.targets().length === 1 && asked === workspace);

  /** Why it is in use; undefined: nobody is seen using it. */
  const findUse = async (
    target: CleanableTarget,
    workspace: string,
    folder: string,
    open: ReadonlySet<string> | undefined,
  ): Promise<string | undefined> => {
    if (target.served().includes(workspace)) return 'a process of the backend serves it';
    const work = await target.findWork();
    if (work !== undefined) return work;
    const used = open && findOpen(folder, open);
    return used === undefined ? undefined : 'a process has one of its files open';
  };

  const each = async function* (
    asked: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<{
    target: CleanableTarget;
    workspace: string;
    root: string;
    path: string;
    seen: Seen;
    createdMs: number;
    use: string | undefined;
  }> {
    for (const target of deps.targets()) {
      const root = target.workspaceRoot === undefined ? undefined : await findReal(target.workspaceRoot);
      if (root === undefined) continue;
      const open = await findOpenPaths([root]);
      for (const workspace of target.workspaces()) {
        // The unnamed one shares its folder with all others.
        if (workspace === '' || !isAsked(target, workspace, asked)) continue;
        const path = `${root}/${workspace}`;
        const top = await lstatOf(path);
        const seen = await look(path, (await lstatOf(root))?.dev ?? 0n, signal);
        if (!top || !seen) continue;
        const createdMs = Number(top.birthtimeMs) || seen.changedMs;
        const use = await findUse(target, workspace, path, open);
        yield { target, workspace, root, path, seen, createdMs: Math.min(createdMs, seen.changedMs), use };
      }
    }
  };

  return {
    name: 'workspaces',
    about: 'Folders of workspaces that nobody serves and that are past their time to live, idle or too large.',
    undo: 'quarantine',
    params,
    missing: () =>
      deps.targets().some(({ workspaceRoot }) => workspaceRoot !== undefined)
        ? undefined
        : 'No target has a working folder here. Set WORKING_DIR.',
    target: ({ workspace: asked }) =>
      deps
        .targets()
        .find(
          (target) =>
            target.workspaceRoot !== undefined &&
            target.workspaces().some((workspace) => isAsked(target, workspace, asked)),
        )?.id,
    async find({ workspace: asked, force }, { signal, nowMs }) {
      const items: PlanItem[] = [];
      const kept: KeptItem[] = [];
      for await (const one of each(asked, signal)) {
        const what = idOf(one.target, one.workspace);
        if (one.use !== undefined) {
          kept.push({ what, why: one.use });
          continue;
        }
        const facts = { createdMs: one.createdMs, changedMs: one.seen.changedMs, bytes: one.seen.bytes, nowMs };
        const { cause, why } = decideWorkspace(facts, deps.limits(), force);
        if (cause === undefined) {
          kept.push({ what, why });
          continue;
        }
        items.push({
          ...{ key: what, what, why, bytes: one.seen.bytes, risk: 'high' },
          contained: await deps.contained({ kind: 'path', path: one.path, changedMs: one.seen.changedMs }),
          seen: {
            ...{ root: one.target.id, path: relative(one.root, one.path), kind: one.seen.kind, cause },
            ...{ device: one.seen.device, inode: one.seen.inode, stamp: one.seen.stamp },
          },
        });
      }
      return { items, kept, complete: true };
    },
    async begin(_, context) {
      const roots = new Map<string, string>();
      const byId = new Map(deps.targets().map((target) => [target.id, target]));
      for (const target of byId.values()) {
        const root = target.workspaceRoot === undefined ? undefined : await findReal(target.workspaceRoot);
        if (root !== undefined) roots.set(target.id, root);
      }
      const take = createFileTaking({
        ...{ roots, graceMs: deps.limits().graceMs, context },
        now: () => deps.clock.now(),
        monotonic: () => deps.clock.monotonic(),
        async refuse(item) {
          const target = byId.get(String(item.seen.root));
          if (!target) return 'its target is not watched any more';
          return findUse(target, String(item.seen.path), '', undefined);
        },
      });
      return {
        async carryOut(items, quarantine) {
          const outcomes = await take(items, quarantine);
          const gone = items.filter((_, at) => {
            const outcome = outcomes[at];
            return outcome !== undefined && 'done' in outcome && outcome.done;
          });
          const causes = gone.map(({ seen }) => seen.cause as WorkspaceCause); // as find put it there
          await deps.onCleaned?.(causes, outcomes.filter((one) => 'failed' in one).length);
          return outcomes;
        },
        findLeft: leftIn(roots),
        end: async () => undefined,
      };
    },
    async requireIdle(workspace) {
      for await (const { use, target, workspace: name, seen } of each(workspace, AbortSignal.timeout(60_000))) {
        if (use !== undefined) throw busy(`${idOf(target, name)}: ${use}.`);
        if (deps.clock.now() - seen.changedMs < deps.limits().graceMs)
          throw busy(`${idOf(target, name)} was written within its grace period.`);
        return;
      }
      throw new AppError('target/unknown', `There is no folder of a workspace "${workspace.slice(0, 130)}".`);
    },
  };
}

const busy = (detail: string): AppError => new AppError('cleanup/workspace-busy', detail);
