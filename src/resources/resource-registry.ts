import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { decideLeak, isIdle, type Leak, type LeakSeverity, leakSeverities } from './leak.ts';
import {
  type NewResource,
  type Resource,
  type ResourceChange,
  type ResourceStatus,
  type ResourceType,
  resourceStatuses,
  resourceTypes,
} from './resource.ts';

export type ResourceFilter = {
  readonly type?: ResourceType | undefined;
  readonly status?: ResourceStatus | undefined;
  readonly owner?: string | undefined;
  readonly workspaceId?: string | undefined;
};

export type ResourceTotals = {
  /** Registered and neither released nor unregistered. */
  readonly tracked: number;
  readonly byType: Readonly<Record<ResourceType, number>>;
  readonly byStatus: Readonly<Record<ResourceStatus, number>>;
  readonly leaks: number;
  readonly leaksByType: Readonly<Record<ResourceType, number>>;
  /** Since the start. */
  readonly registered: number;
  readonly released: number;
  readonly releaseFailures: number;
  readonly leaksFound: number;
  /** When all were last looked at; null before the first time. */
  readonly checkedAtMs: number | null;
};

/** Why a leak is none any more. */
export type RetractedBecause = 'used' | 'sign-of-life' | 'released' | 'unregistered';
export type LeakChange = { readonly leak: Leak; readonly retracted: RetractedBecause | undefined };

export type ResourceRegistry = {
  /**
   * The same id once more from the same owner, as the same type, is a sign of life and takes over what is told now.
   * @throws AppError `resource/too-many`; `conflict/state` when the id is somebody else's
   */
  register(given: NewResource, by: string): { readonly resource: Resource; readonly created: boolean };
  /** Also of one that was released lately. @throws AppError `resource/unknown` */
  require(id: string): Resource;
  /** It was used. @returns whether `by` did not register it and uses it for the first time @throws AppError `resource/unknown` */
  access(id: string, by: string): { readonly resource: Resource; readonly stranger: boolean };
  /** A sign of life of its holder, which is no use of it. @throws AppError `resource/unknown` */
  touch(id: string, change: ResourceChange): Resource;
  /** It was freed, or could not be, for the reason in `failure`; then it stays. @throws AppError `resource/unknown` */
  release(id: string, failure?: string): Resource;
  /** Forgets it. @throws AppError `resource/unknown` */
  unregister(id: string): Resource;
  /** In the order of registration. */
  list(filter: ResourceFilter & { readonly afterSeq: number; readonly limit: number }): readonly Resource[];
  /** The gravest first, then the oldest. */
  leaks(severity?: LeakSeverity): readonly Leak[];
  totals(): ResourceTotals;
  /** Looks at every resource: who is idle, who leaks. Gives others their turn in between. */
  scan(signal?: AbortSignal): Promise<void>;
  nowMs(): number;
};

const mostReleased = 1_000;
const mostStrangers = 100;
const scannedAtOnce = 10_000;

type Held = { -readonly [Name in keyof Resource]: Resource[Name] } & {
  leak: Leak | undefined;
  strangers?: Set<string>;
};

const zeros = <Name extends string>(names: readonly Name[]): Record<Name, number> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>; // each name is there

/** Everything that is registered, in memory: a restart forgets it, and who holds something tells it again. */
export function createResourceRegistry(options: {
  clock: Clock;
  /** As the setting is when it is read. */
  mostTracked(): number;
  onLeak?(change: LeakChange): void;
}): ResourceRegistry {
  const { clock, mostTracked, onLeak } = options;
  // Epoch milliseconds that go on evenly: a clock that is set must not make leaks of everything.
  const offsetMs = clock.now() - clock.monotonic();
  const nowMs = (): number => Math.round(offsetMs + clock.monotonic());
  const held = new Map<string, Held>();
  const released = new Map<string, Resource>();
  const leaking = new Map<string, Leak>();
  const byType = zeros(resourceTypes);
  const byStatus = zeros(resourceStatuses);
  const leaksByType = zeros(resourceTypes);
  const stats = { registered: 0, released: 0, releaseFailures: 0, leaksFound: 0 };
  let checkedAtMs: number | null = null;
  let seq = 0;

  const requireHeld = (id: string): Held => {
    const one = held.get(id);
    if (one) return one;
    throw new AppError(
      'resource/unknown',
      `No resource "${id}" is registered. Whoever still holds it registers it again: a restart of ragwarden forgets all of them.`,
    );
  };

  const forgetLeak = (one: Held, retracted: RetractedBecause): void => {
    const { leak } = one;
    if (leak === undefined) return;
    leaking.delete(one.id);
    leaksByType[one.type] -= 1;
    one.leak = undefined;
    onLeak?.({ leak, retracted });
  };

  /** Status and leak as they are at this moment; only a scan finds leaks that are new. */
  const settle = (one: Held, atMs: number, findsLeaks: boolean, because: RetractedBecause = 'sign-of-life'): void => {
    const finding = findsLeaks || one.leak ? decideLeak(one, atMs) : undefined;
    if (finding === undefined) forgetLeak(one, because);
    else {
      const leak: Leak = { ...finding, resource: one, detectedAtMs: one.leak?.detectedAtMs ?? atMs };
      leaking.set(one.id, leak);
      if (one.leak === undefined) {
        leaksByType[one.type] += 1;
        stats.leaksFound += 1;
        onLeak?.({ leak, retracted: undefined });
      }
      one.leak = leak;
    }
    const status = one.error !== null ? 'error' : one.leak ? 'leaked' : isIdle(one, atMs) ? 'idle' : 'active';
    if (status === one.status) return;
    byStatus[one.status] -= 1;
    byStatus[status] += 1;
    one.status = status;
  };

  const drop = (one: Held, because: RetractedBecause): void => {
    forgetLeak(one, because);
    held.delete(one.id);
    byType[one.type] -= 1;
    byStatus[one.status] -= 1;
  };

  const renew = (one: Held, given: NewResource, atMs: number): Resource => {
    if (one.type !== given.type || one.owner !== given.owner)
      throw new AppError(
        'conflict/state',
        `"${given.id}" is registered as ${one.type} of ${one.owner ?? 'nobody'}. Choose another id, or unregister that one first.`,
      );
    const { workspaceId, parentId, sizeBytes, ttlMs, leaseMs, metadata } = given;
    Object.assign(one, { workspaceId, parentId, sizeBytes, ttlMs, leaseMs, metadata, lastSeenAtMs: atMs });
    settle(one, atMs, false);
    return one;
  };

  return {
    nowMs,
    register(given, by) {
      const atMs = nowMs();
      const known = held.get(given.id);
      if (known) return { resource: renew(known, given, atMs), created: false };
      const most = mostTracked();
      if (held.size >= most)
        throw new AppError(
          'resource/too-many',
          `${held.size} resources are tracked and resources.max_tracked is ${most}: "${given.id}" was not registered. Unregister what is gone, or raise the setting.`,
        );
      seq += 1;
      const one: Held = {
        ...given,
        ...{ seq, registeredBy: by, createdAtMs: atMs, lastAccessedAtMs: atMs, lastSeenAtMs: atMs, accessCount: 0 },
        ...{ status: 'active', error: null, leak: undefined },
      };
      held.set(one.id, one);
      if (released.delete(one.id)) byStatus.cleaned_up -= 1;
      byType[one.type] += 1;
      byStatus.active += 1;
      stats.registered += 1;
      return { resource: one, created: true };
    },
    require: (id) => released.get(id) ?? requireHeld(id),
    access(id, by) {
      const one = requireHeld(id);
      const atMs = nowMs();
      Object.assign(one, { lastAccessedAtMs: atMs, lastSeenAtMs: atMs, accessCount: one.accessCount + 1, error: null });
      settle(one, atMs, false, 'used');
      if (by === one.registeredBy || one.strangers?.has(by) || (one.strangers?.size ?? 0) >= mostStrangers)
        return { resource: one, stranger: false };
      one.strangers ??= new Set();
      one.strangers.add(by);
      return { resource: one, stranger: true };
    },
    touch(id, { sizeBytes, ttlMs, leaseMs }) {
      const one = requireHeld(id);
      const atMs = nowMs();
      one.lastSeenAtMs = atMs;
      if (sizeBytes !== undefined) one.sizeBytes = sizeBytes;
      if (ttlMs !== undefined) one.ttlMs = ttlMs;
      if (leaseMs !== undefined) one.leaseMs = leaseMs;
      settle(one, atMs, false);
      return one;
    },
    release(id, failure) {
      const one = requireHeld(id);
      if (failure !== undefined) {
        stats.releaseFailures += 1;
        one.error = failure;
        settle(one, nowMs(), false);
        return one;
      }
      drop(one, 'released');
      stats.released += 1;
      const { leak: _, strangers: __, ...facts } = one;
      const freed: Resource = { ...facts, status: 'cleaned_up', error: null };
      released.set(id, freed);
      byStatus.cleaned_up += 1;
      const [oldest] = released.keys();
      if (released.size > mostReleased && oldest !== undefined && released.delete(oldest)) byStatus.cleaned_up -= 1;
      return freed;
    },
    unregister(id) {
      const one = requireHeld(id);
      drop(one, 'unregistered');
      return one;
    },
    list({ type, status, owner, workspaceId, afterSeq, limit }) {
      const found: Resource[] = [];
      const among = status === 'cleaned_up' ? [...released.values()].sort((a, b) => a.seq - b.seq) : held.values();
      for (const one of among) {
        if (one.seq <= afterSeq) continue;
        if (type !== undefined && one.type !== type) continue;
        if (status !== undefined && one.status !== status) continue;
        if (owner !== undefined && one.owner !== owner) continue;
        if (workspaceId !== undefined && one.workspaceId !== workspaceId) continue;
        found.push(one);
        if (found.length === limit) break;
      }
      return found;
    },
    leaks(severity) {
      const found = [...leaking.values()].filter((leak) => severity === undefined || leak.severity === severity);
      const rank = (leak: Leak): number => leakSeverities.indexOf(leak.severity);
      return found.sort((a, b) => rank(b) - rank(a) || a.sinceMs - b.sinceMs);
    },
    totals: () => ({
      tracked: held.size,
      byType: { ...byType },
      byStatus: { ...byStatus },
      leaks: leaking.size,
      leaksByType: { ...leaksByType },
      ...stats,
      checkedAtMs,
    }),
    async scan(signal) {
      let looked = 0;
      // A map may change while it is walked: what is added meanwhile is seen too, what is gone is not.
      for (const one of held.values()) {
        settle(one, nowMs(), true);
        looked += 1;
        if (looked % scannedAtOnce !== 0) continue;
        await setImmediate();
        if (signal?.aborted) return;
      }
      checkedAtMs = nowMs();
    },
  };
}
