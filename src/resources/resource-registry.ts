import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { createDueIndex, nowhere, type Waiting } from './due-index.ts';
import { decideLeak, findNextChange, isIdle, type Leak, type LeakSeverity, leakSeverities } from './leak.ts';
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
  /** Of those that are held. */
  find(id: string): Resource | undefined;
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
  /** Looks at every resource that may be idle or a leak by now. Gives others their turn in between. */
  scan(signal?: AbortSignal): Promise<void>;
  nowMs(): number;
};

const mostReleased = 1_000;
const mostStrangers = 100;
const scannedAtOnce = 10_000;
/** A search comes each minute at the earliest it is worth; half a second more or less decides nothing. */
const dueWidthMs = 500;

type Held = { -readonly [Name in keyof Resource]: Resource[Name] } & Waiting & {
    leak: Leak | undefined;
    strangers: Set<string> | undefined;
  };

const zeros = <Name extends string>(names: readonly Name[]): Record<Name, number> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>; // each name is there

/** Everything that is registered, in memory: a restart forgets it, and who holds something tells it again. */
export function createResourceRegistry(options: {
  clock: Clock;
  /** As the setting is when it is read. */
  mostTracked(): number;
  onLeak?(change: LeakChange): void;
  /** Released or forgotten, by whomever. */
  onGone?(id: string): void;
}): ResourceRegistry {
  const { clock, mostTracked, onLeak, onGone } = options;
  // Epoch milliseconds that go on evenly: a clock that is set must not make leaks of everything.
  const offsetMs = clock.now() - clock.monotonic();
  const nowMs = (): number => Math.round(offsetMs + clock.monotonic());
  const held = new Map<string, Held>();
  // A search looks at what may have changed since the last one, so that it costs nothing while nothing happens.
  const due = createDueIndex<Held>({ widthMs: dueWidthMs, fromMs: nowMs() });
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
    const finding = decideLeak(one, atMs);
    // Told a shorter life than it has had already: the next scan finds it.
    const isNews = finding !== undefined && one.leak === undefined && !findsLeaks;
    if (finding === undefined || isNews) forgetLeak(one, because);
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
    // Used again it is due later, which is seen when it is due now: moving it at each use would cost more.
    const nextMs = isNews ? atMs : findNextChange(one, atMs);
    if (findsLeaks || nextMs < due.dueMsOf(one)) due.put(one, nextMs);
    const status = one.error !== null ? 'error' : one.leak ? 'leaked' : isIdle(one, atMs) ? 'idle' : 'active';
    if (status === one.status) return;
    byStatus[one.status] -= 1;
    byStatus[status] += 1;
    one.status = status;
  };

  const drop = (one: Held, because: RetractedBecause): void => {
    forgetLeak(one, because);
    due.drop(one);
    held.delete(one.id);
    byType[one.type] -= 1;
    byStatus[one.status] -= 1;
    onGone?.(one.id);
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
        ...{ status: 'active', error: null, leak: undefined, strangers: undefined, ...nowhere },
      };
      held.set(one.id, one);
      due.put(one, findNextChange(one, atMs));
      if (released.delete(one.id)) byStatus.cleaned_up -= 1;
      byType[one.type] += 1;
      byStatus.active += 1;
      stats.registered += 1;
      return { resource: one, created: true };
    },
    find: (id) => held.get(id),
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
      const { leak: _, strangers: __, bucket: ___, place: ____, ...facts } = one;
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
      const atMs = nowMs();
      const found = due.take(atMs);
      for (const [looked, one] of found.entries()) {
        // What was released meanwhile is not looked at, and what was put in again is not looked at twice.
        if (held.get(one.id) === one) settle(one, nowMs(), true);
        if ((looked + 1) % scannedAtOnce !== 0) continue;
        await setImmediate();
        if (!signal?.aborted) continue;
        for (const left of found.slice(looked + 1)) if (held.get(left.id) === left) due.put(left, atMs);
        return;
      }
      checkedAtMs = nowMs();
    },
  };
}
