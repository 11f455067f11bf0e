import { basename, dirname, join, relative, sep } from 'node:path';
import { z } from 'zod';
import { describeError } from '../../platform/errors.ts';
import { type Resource, type ResourceRegistry, resourceTypes } from '../../resources/index.ts';
import { createFileTaking } from '../file-quarantine.ts';
import { findReal } from '../folder-walk.ts';
import { type Finding, type KeptItem, mostItems, mostKept, notData, type PlanItem } from '../plan.ts';
import type { NewEntry, QuarantineKind } from '../quarantine.ts';
import { look, lstatOf, requireInside } from '../safe-path.ts';
import { type CleanupStrategy, inParallel, type Outcome } from '../strategy.ts';
import type { FolderStrategyDeps } from './folder-entries.ts';

const params = z.strictObject({
  resource_type: z.enum(resourceTypes).optional(),
  owner: z.string().min(1).max(200).optional(),
  /** Of what is no leak: how long nobody used it. */
  idle_seconds: z.number().min(0).max(31_536_000).default(86_400),
  /** Also what is in use. */
  force: z.boolean().default(false),
});
type Params = z.infer<typeof params>;

/** How this very process frees one of its own; undefined: it holds nothing of it. */
export type FindFreeing = (resource: Resource) => (() => Promise<void>) | undefined;

export type ResourceStrategyDeps = FolderStrategyDeps & {
  readonly resources: Pick<
    ResourceRegistry,
    'list' | 'leaks' | 'require' | 'release' | 'unregister' | 'register' | 'nowMs'
  >;
  readonly findFreeing?: FindFreeing;
};

type Way = 'free' | 'file' | 'give-up';

/**
 * What programs registered and nobody seems to hold. What this process holds is freed by the way it was registered with; a temporary
 * file in a registered folder goes into the quarantine; an entry whose holder let its own lease or lifetime run out is given up.
 * What another living program holds, only that program can free: it stays, and the plan says so.
 */
export function createRegisteredResources(deps: ResourceStrategyDeps): CleanupStrategy<Params> {
  const { resources } = deps;

  const roots = async (): Promise<ReadonlyMap<string, string>> => {
    const found = new Map<string, string>();
    for (const folder of deps.folders()) {
      const root = await findReal(folder.path);
      if (root !== undefined) found.set(folder.id, root);
    }
    return found;
  };

  /** The file that a resource names, where it lies in a registered folder. */
  const fileOf = async (
    one: Resource,
    folders: ReadonlyMap<string, string>,
  ): Promise<{ folder: string; path: string } | undefined> => {
    const named = one.metadata.path;
    if (one.type !== 'temporary_file' || typeof named !== 'string' || !named.startsWith('/')) return undefined;
    // Its folder may be named by a link; the file itself may not be one.
    const parent = await findReal(dirname(named));
    if (parent === undefined) return undefined;
    const path = join(parent, basename(named));
    for (const [folder, root] of folders) {
      const below = relative(root, path);
      if (below !== '' && below !== '..' && !below.startsWith(`..${sep}`)) return { folder, path: below };
    }
    return undefined;
  };

  return {
    name: 'resources',
    about: 'Registered resources whose holder is gone: leaked ones, and those that nobody used for a day.',
    undo: 'quarantine',
    params,
    async find(wanted, { signal, nowMs }): Promise<Finding> {
      const items: PlanItem[] = [];
      const kept: KeptItem[] = [];
      let complete = true;
      const folders = await roots();
      const leaks = new Map(resources.leaks().map((leak) => [leak.resource.id, leak]));
      for await (const one of candidates(resources, wanted, leaks, signal)) {
        const leak = leaks.get(one.id);
        const what = `${one.type} ${one.id}`;
        const file = await fileOf(one, folders);
        const way = decideWay({
          freeable: deps.findFreeing?.(one) !== undefined,
          file: file !== undefined,
          lapsed: leak?.rule === 'lease' || leak?.rule === 'ttl',
          abandoned: resources.nowMs() - one.lastSeenAtMs >= wanted.idle_seconds * 1_000,
          force: wanted.force,
        });
        if (way === undefined) {
          if (kept.length < mostKept) kept.push({ what, why: notOurs(one, file === undefined) });
          continue;
        }
        if (items.length === mostItems) {
          complete = false;
          break;
        }
        const seenFile = file && (await lookAt(folders, file));
        const why = leak
          ? `a leak by ${leak.rule === 'age' ? 'age and idleness' : `its ${leak.rule}`}`
          : one.status === 'active'
            ? 'in use, and forced'
            : 'not used for long';
        items.push({
          ...{ key: one.id, what, why, bytes: seenFile?.bytes ?? one.sizeBytes },
          ...{ risk: one.status === 'active' ? 'high' : 'low', contained: notData },
          seen: {
            ...{ id: one.id, last_seen_ms: one.lastSeenAtMs, last_accessed_ms: one.lastAccessedAtMs, way },
            ...(file && seenFile
              ? {
                  ...{ root: file.folder, path: file.path, kind: seenFile.kind, device: seenFile.device },
                  ...{ inode: seenFile.inode, stamp: seenFile.stamp, changed_ms: seenFile.changedMs },
                }
              : {}),
          },
        });
      }
      void nowMs;
      return { items, kept, complete };
    },
    async begin(_, context) {
      const folders = await roots();
      const takeFiles = createFileTaking({
        ...{ roots: folders, graceMs: 0, context },
        now: () => deps.clock.now(),
        monotonic: () => deps.clock.monotonic(),
      });
      const unchanged = (item: PlanItem): Resource | undefined => {
        try {
          const now = resources.require(String(item.seen.id));
          const same =
            now.status !== 'cleaned_up' &&
            now.lastSeenAtMs === item.seen.last_seen_ms &&
            now.lastAccessedAtMs === item.seen.last_accessed_ms;
          return same ? now : undefined;
        } catch {
          return undefined;
        }
      };
      const freeOne = async (item: PlanItem): Promise<Outcome> => {
        const one = unchanged(item);
        if (!one) return usedSince;
        try {
          await deps.findFreeing?.(one)?.();
          resources.release(one.id);
          return { done: true, bytes: one.sizeBytes ?? 0 };
        } catch (err) {
          const why = describeError(err);
          resources.release(one.id, why.slice(0, 500));
          return { failed: why };
        }
      };
      return {
        async carryOut(items, quarantine) {
          const outcomes = new Map<PlanItem, Outcome>();
          const going = items.filter((item) => {
            if (unchanged(item)) return true;
            outcomes.set(item, usedSince);
            return false;
          });
          const ofWay = (way: Way): PlanItem[] => going.filter(({ seen }) => seen.way === way);
          await inParallel(ofWay('free'), context.parallel, async (item) => outcomes.set(item, await freeOne(item)));
          const files = ofWay('file');
          if (files.length > 0)
            for (const [at, outcome] of (await takeFiles(files, quarantine)).entries()) {
              const item = files[at] as PlanItem; // one answer an item
              outcomes.set(item, outcome);
              if ('done' in outcome && outcome.done) resources.release(String(item.seen.id));
            }
          const givenUp = ofWay('give-up').flatMap((item) => {
            const one = unchanged(item);
            return one ? [{ item, one }] : [];
          });
          const entries = await quarantine.announce(givenUp.map(({ item, one }) => entryOf(item, one)));
          for (const { item, one } of givenUp) {
            resources.unregister(one.id);
            outcomes.set(item, { done: true, bytes: 0 });
          }
          await quarantine.settle(entries);
          return items.map((item): Outcome => outcomes.get(item) ?? usedSince);
        },
        end: async () => undefined,
      };
    },
  };
}

const usedSince: Outcome = { done: false, why: 'it was used, claimed or freed since it was planned' };

/** Undefined: only its holder can free it. */
export function decideWay(facts: {
  readonly freeable: boolean;
  readonly file: boolean;
  /** Its holder let its own lease or lifetime run out. */
  readonly lapsed: boolean;
  /** No sign of life for as long as was asked for. */
  readonly abandoned: boolean;
  readonly force: boolean;
}): Way | undefined {
  if (facts.freeable) return 'free';
  if (facts.file) return 'file';
  return facts.lapsed || facts.abandoned || facts.force ? 'give-up' : undefined;
}

const notOurs = (one: Resource, noFile: boolean): string =>
  one.type === 'temporary_file' && noFile
    ? 'its file lies in no registered folder, or it names none'
    : `there is no strategy for a ${one.type} of another program: its holder has to free it`;

/** Leaked ones and idle ones; all of them when it is forced. */
async function* candidates(
  resources: ResourceStrategyDeps['resources'],
  wanted: Params,
  leaks: ReadonlyMap<string, unknown>,
  signal: AbortSignal,
): AsyncGenerator<Resource> {
  for (let afterSeq = 0; ; ) {
    signal.throwIfAborted();
    const page = resources.list({ type: wanted.resource_type, owner: wanted.owner, afterSeq, limit: 1_000 });
    for (const one of page) {
      if (one.status === 'cleaned_up') continue;
      const idle = resources.nowMs() - one.lastSeenAtMs >= wanted.idle_seconds * 1_000;
      if (wanted.force || leaks.has(one.id) || idle) yield one;
    }
    const last = page.at(-1);
    if (!last || page.length < 1_000) return;
    afterSeq = last.seq;
  }
}

async function lookAt(folders: ReadonlyMap<string, string>, file: { folder: string; path: string }) {
  const root = folders.get(file.folder) ?? '';
  const path = await requireInside(root, file.path).catch(() => undefined);
  return path === undefined ? undefined : look(path, (await lstatOf(root))?.dev ?? 0n);
}

const entryOf = (item: PlanItem, one: Resource): NewEntry => ({
  ...{ kind: 'resource', what: item.what, bytes: null },
  data: { registered_by: one.registeredBy, resource: JSON.stringify(givenOf(one)) },
});

const givenOf = ({ id, type, owner, workspaceId, parentId, sizeBytes, ttlMs, leaseMs, metadata }: Resource) => ({
  ...{ id, type, owner, workspaceId, parentId, sizeBytes, ttlMs, leaseMs, metadata },
});

/** The registry is in memory, so after a restart there is nothing to bring back: whoever holds it registers it again. */
export function createResourceQuarantine(resources: ResourceStrategyDeps['resources']): QuarantineKind {
  return {
    name: 'resource',
    async restore({ data }) {
      resources.register(JSON.parse(String(data.resource)), String(data.registered_by));
    },
    purge: async () => undefined,
    wasTaken: async () => false,
  };
}
