import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { AppError, type Violation } from '../platform/errors.ts';
import { defaultQuotas } from './default-quotas.ts';
import { deleteDefinition, listDefinitions, writeAdjusted, writeDefinition } from './definition-store.ts';
import type { Holding } from './holding.ts';
import type { Ledger } from './ledger.ts';
import { dropLedger } from './ledger-store.ts';
import { bucketOf, type Counted, comesBack, concerns, denies, isAsked, type Place, type Quota } from './quota.ts';
import { dropViolations } from './violation-store.ts';

export type QuotaDraft = Omit<Quota, 'origin' | 'createdMs' | 'updatedMs'>;

export type Definitions = {
  load(): Promise<void>;
  /** What another process changed counts here too. */
  refresh(): Promise<void>;
  /** In force, the adjusted limit of dynamic ones put in; in the order of their ids. */
  all(): readonly Quota[];
  find(id: string): Quota | undefined;
  /** @throws AppError `quota/unknown` */
  require(id: string): Quota;
  /** As it was defined, before anything was adjusted. */
  baseLimit(id: string): number;
  /** The quotas that a use at this place is a matter of. */
  applied(place: Place, nowMs: number): readonly Holding[];
  /** Of those the ones that are asked before a use. */
  asked(place: Place, nowMs: number): readonly Holding[];
  /** Whether anything counts one of these, and whether it may deny. */
  counts(kinds: readonly Counted[]): { readonly any: boolean; readonly counting: boolean };
  /** @throws AppError `conflict/state`, `request/invalid`, `quota/too-many` */
  create(draft: QuotaDraft, actor: string): Promise<Quota>;
  /** @throws AppError `quota/unknown`, `conflict/state`, `request/invalid` */
  update(draft: QuotaDraft, actor: string): Promise<Quota>;
  /** @throws AppError `quota/unknown`, `conflict/state` */
  remove(id: string, actor: string): Promise<void>;
  /** What a dynamic quota is adjusted to; told as an event. */
  adjust(quota: Quota, limit: number, why: string): Promise<void>;
  /** Those that have ended by themselves go. */
  sweep(): Promise<void>;
  onChange(listener: () => void): void;
};

const mostQuotas = 1_000;
const mostPlaces = 20_000;

export function createDefinitions(options: {
  db: Database;
  clock: Pick<Clock, 'now'>;
  events: EventRecorder;
  ledger: Ledger;
  fromFile: readonly Quota[];
}): Definitions {
  const { db, clock, events, ledger, fromFile } = options;
  let stored = new Map<string, Quota>();
  let adjusted = new Map<string, number>();
  let inForce: readonly Quota[] = [];
  let byId = new Map<string, Quota>();
  const plans = createPlans();
  let nextEndMs = Number.POSITIVE_INFINITY;
  const listeners: (() => void)[] = [];
  let changes = 0;

  /** The file wins over the API, and either over what ragwarden brings along. */
  const rebuild = (): void => {
    changes += 1;
    const bases = new Map<string, Quota>();
    for (const one of [...defaultQuotas, ...stored.values(), ...fromFile]) bases.set(one.id, one);
    const before = byId;
    byId = new Map(
      [...bases.values()]
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .map((base) => {
          const limit = base.type === 'dynamic' ? adjusted.get(base.id) : undefined;
          const now = limit === undefined ? base : { ...base, limit };
          const old = before.get(base.id);
          // The same object while it is the same: what is at hand of it stays.
          return [base.id, old !== undefined && JSON.stringify(old) === JSON.stringify(now) ? old : now];
        }),
    );
    inForce = [...byId.values()];
    nextEndMs = Math.min(...inForce.map(({ endsMs }) => endsMs ?? Number.POSITIVE_INFINITY));
    plans.clear();
    ledger.adopt(inForce);
    for (const listener of listeners) listener();
  };
  const take = (found: Awaited<ReturnType<typeof listDefinitions>>): void => {
    stored = new Map(found.quotas.map((quota) => [quota.id, quota]));
    adjusted = new Map(found.adjusted);
  };
  const baseOf = (id: string): Quota | undefined =>
    fromFile.find((one) => one.id === id) ?? stored.get(id) ?? defaultQuotas.find((one) => one.id === id);
  const require = (id: string): Quota => {
    const found = byId.get(id);
    if (!found) throw new AppError('quota/unknown', `There is no quota "${id}". \`ragwarden quota list\` shows them.`);
    return found;
  };
  const refuseFile = (id: string): void => {
    if (fromFile.some((one) => one.id === id))
      throw new AppError('conflict/state', `The quota "${id}" stands in the file of the settings. Change it there.`);
  };
  const write = async (quota: Quota, actor: string, action: string): Promise<Quota> => {
    requireSound(quota);
    await db.unit(async (tx) => {
      await writeDefinition(tx, quota);
      await told(tx, actor, action, quota);
    });
    stored.set(quota.id, quota);
    adjusted.delete(quota.id);
    rebuild();
    return require(quota.id);
  };
  const told = async (tx: Tx, actor: string, action: string, quota: Quota): Promise<void> => {
    const { id, counts, type, period, limit, burstLimit, shadow, enabled } = quota;
    const data = { counts, type, period, limit, burst_limit: burstLimit, shadow, enabled, action: quota.action };
    await events.audit(tx, { actor, action: `quota.${action}`, object: id, outcome: 'done', data });
    const verb = { create: 'was made', update: 'was changed', delete: 'was removed' }[action] ?? action;
    await events.record(tx, {
      type: `quota.${action}`,
      severity: 'info',
      message: `The quota "${quota.name}" (${id}) ${verb} by ${actor}.`,
      data: { quota_id: id, ...data },
    });
  };
  const planOf = (place: Place, nowMs: number): Plan => {
    if (nowMs >= nextEndMs) {
      plans.clear();
      const still = inForce.filter(({ endsMs }) => endsMs !== null && endsMs > nowMs);
      nextEndMs = Math.min(...still.map(({ endsMs }) => endsMs ?? Number.POSITIVE_INFINITY));
    }
    const found = plans.find(place);
    if (found) return found;
    const applied = inForce
      .filter((quota) => concerns(quota, place, nowMs))
      .map((quota) => ledger.holdingOf(quota, bucketOf(quota, place)));
    const made = { applied, asked: applied.filter(({ quota }) => isAsked(quota)) };
    plans.keep(place, made);
    return made;
  };

  return {
    async refresh() {
      const seen = changes;
      const found = await listDefinitions(db.reader());
      // Changed here meanwhile: what was read is older than that.
      if (changes !== seen) return;
      const before = JSON.stringify([[...stored.values()], [...adjusted]]);
      if (JSON.stringify([found.quotas, [...found.adjusted]]) === before) return;
      take(found);
      rebuild();
    },
    async load() {
      take(await listDefinitions(db.reader()));
      const shelved = fromFile.filter(({ id }) => stored.has(id));
      rebuild();
      if (shelved.length === 0) return;
      await db.unit(async (tx) => {
        for (const { id } of shelved)
          await events.record(tx, {
            type: 'quota.shelved',
            severity: 'warning',
            message: `The quota "${id}" is defined in the file and over the API: the file counts, the other one is laid aside.`,
            data: { quota_id: id },
          });
      });
    },
    all: () => inForce,
    find: (id) => byId.get(id),
    require,
    baseLimit: (id) => baseOf(id)?.limit ?? 0,
    applied: (place, nowMs) => planOf(place, nowMs).applied,
    asked: (place, nowMs) => planOf(place, nowMs).asked,
    counts(kinds) {
      const counted = inForce.filter(({ counts, enabled }) => enabled && kinds.includes(counts));
      return { any: counted.length > 0, counting: counted.some((quota) => !denies(quota)) };
    },
    async create(draft, actor) {
      if (byId.has(draft.id))
        throw new AppError(
          'conflict/state',
          `There is a quota "${draft.id}" already. Change that one, or choose another id.`,
        );
      if (stored.size >= mostQuotas)
        throw new AppError('quota/too-many', `There are ${mostQuotas} quotas, which is as many as may be.`);
      const nowMs = clock.now();
      return write({ ...draft, origin: 'api', createdMs: nowMs, updatedMs: nowMs }, actor, 'create');
    },
    async update(draft, actor) {
      refuseFile(draft.id);
      const before = require(draft.id);
      const nowMs = clock.now();
      return write(
        { ...draft, origin: 'api', createdMs: before.createdMs || nowMs, updatedMs: nowMs },
        actor,
        'update',
      );
    },
    async remove(id, actor) {
      refuseFile(id);
      const quota = require(id);
      if (defaultQuotas.some((one) => one.id === id))
        throw new AppError(
          'conflict/state',
          `The quota "${id}" comes with ragwarden. Switch it off with \`enabled: false\` instead.`,
        );
      await db.unit(async (tx) => {
        await deleteDefinition(tx, id);
        await dropLedger(tx, id);
        await dropViolations(tx, id);
        await told(tx, actor, 'delete', quota);
      });
      stored.delete(id);
      adjusted.delete(id);
      rebuild();
    },
    async adjust(quota, limit, why) {
      await db.unit(async (tx) => {
        await writeAdjusted(tx, quota.id, limit, clock.now());
        const data = { quota_id: quota.id, from: quota.limit, to: limit, defined: baseOf(quota.id)?.limit ?? null };
        await events.audit(tx, { actor: 'ragwarden', action: 'quota.adjust', object: quota.id, outcome: 'done', data });
        await events.record(tx, {
          type: 'quota.adjusted',
          severity: 'info',
          message: `The limit of the dynamic quota "${quota.name}" (${quota.id}) went from ${quota.limit} to ${limit}: ${why}.`,
          data,
        });
      });
      adjusted.set(quota.id, limit);
      rebuild();
    },
    async sweep() {
      const nowMs = clock.now();
      const over = [...stored.values()].filter(({ endsMs }) => endsMs !== null && endsMs <= nowMs);
      if (over.length === 0) return;
      await db.unit(async (tx) => {
        for (const quota of over) {
          await deleteDefinition(tx, quota.id);
          await dropLedger(tx, quota.id);
          await events.record(tx, {
            type: 'quota.ended',
            severity: 'info',
            message: `The quota "${quota.name}" (${quota.id}) ended by itself, as it was meant to.`,
            data: { quota_id: quota.id },
          });
        }
      });
      for (const { id } of over) stored.delete(id);
      rebuild();
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

type Plan = { readonly applied: readonly Holding[]; readonly asked: readonly Holding[] };
type Part = string | null;
type Kept = Place & Plan;
type Plans = {
  find(place: Place): Plan | undefined;
  keep(place: Place, plan: Plan): void;
  clear(): void;
};

/**
 * What was found for each place. One part after the other: a key of all of them would be a new text for each use. Whoever comes again
 * mostly comes to the same place, so the last one of a user is looked at first.
 */
function createPlans(): Plans {
  const latestOf = new Map<Part, Kept>();
  const all = new Map<Part, Map<Part, Map<Part, Map<Part, Kept>>>>();
  let kept = 0;
  const inner = <Value>(of: Map<Part, Map<Part, Value>>, part: Part): Map<Part, Value> => {
    const found = of.get(part) ?? new Map<Part, Value>();
    of.set(part, found);
    return found;
  };
  const clear = (): void => {
    latestOf.clear();
    all.clear();
    kept = 0;
  };
  return {
    find({ targetId, workspace, userId, keyId }) {
      const latest = latestOf.get(userId);
      if (latest === undefined) return undefined;
      if (latest.workspace === workspace && latest.keyId === keyId && latest.targetId === targetId) return latest;
      const found = all.get(userId)?.get(workspace)?.get(keyId)?.get(targetId);
      if (found !== undefined) latestOf.set(userId, found);
      return found;
    },
    keep({ targetId, workspace, userId, keyId }, { asked, applied }) {
      if (kept >= mostPlaces) clear();
      kept += 1;
      const made: Kept = { workspace, keyId, targetId, asked, applied, userId };
      latestOf.set(userId, made);
      inner(inner(inner(all, userId), workspace), keyId).set(targetId, made);
    },
    clear,
  };
}

/** What cannot be meant. @throws AppError `request/invalid` with each of them */
export function requireSound(quota: QuotaDraft): void {
  const violations = findFaults(quota);
  if (violations.length > 0)
    throw new AppError('request/invalid', violations.map(({ at, message }) => `${at} ${message}`).join('; '), {
      violations,
    });
}

export function findFaults(quota: QuotaDraft): readonly Violation[] {
  const faults: Violation[] = [];
  const say = (at: string, message: string): void => void faults.push({ at, message });
  const { type, burstLimit, limit, period, window, mostLimit } = quota;
  if (burstLimit !== null && burstLimit < limit) say('burst_limit', 'lies below the limit');
  if (type === 'hard' && burstLimit !== null) say('burst_limit', 'is not for hard quotas: they end at their limit');
  if (type === 'dynamic' && burstLimit !== null) say('burst_limit', 'is not for dynamic quotas: max_limit bounds them');
  if (type === 'burst' && burstLimit === null) say('burst_limit', 'is needed by a burst quota');
  if (type === 'burst' && (period === 'forever' || window === 'sliding'))
    say(
      'period',
      'of a burst quota must begin anew: what it had above the limit is taken off the next calendar window',
    );
  if (type === 'dynamic' && period === 'forever') say('period', 'of a dynamic quota must begin anew');
  if (type !== 'dynamic' && mostLimit !== null) say('max_limit', 'is for dynamic quotas only');
  if (mostLimit !== null && mostLimit < limit) say('max_limit', 'lies below the limit');
  if (quota.counts === 'concurrent_inserts' && period !== 'forever')
    say('period', 'of what is counted while it lasts is forever');
  if (comesBack(quota) && type !== 'hard' && type !== 'soft') say('quota_type', 'is hard or soft for what comes back');
  if (quota.ratePerMinute !== null && quota.action !== 'throttle') say('rate_per_minute', 'is for throttle only');
  return faults;
}
