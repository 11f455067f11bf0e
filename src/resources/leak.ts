import type { Resource, ResourceType } from './resource.ts';

export const leakSeverities = ['low', 'medium', 'high', 'critical'] as const;
export type LeakSeverity = (typeof leakSeverities)[number];

/** Age beyond which a resource of this type must be in use, in seconds; as document 003 has them. */
export const leakAfterSeconds: Readonly<Record<ResourceType, number>> = {
  memory: 3_600,
  file_handle: 1_800,
  network_connection: 600,
  database_connection: 300,
  async_task: 1_800,
  thread: 3_600,
  process: 3_600,
  cache: 3_600,
  lock: 3_600,
  temporary_file: 900,
};

const actions: Readonly<Record<ResourceType, string>> = {
  memory: 'Drop the references to it, or bound what holds it.',
  file_handle: 'Close it, in a `finally` or with `using`.',
  network_connection: 'Close it, or give it back to its pool; set an idle timeout.',
  database_connection:
    'End its transaction and give it back to its pool; look for a session that is idle in transaction.',
  async_task: 'Cancel it, and give it a timeout or a signal.',
  thread: 'Tell it to end and wait for it.',
  process: 'End it by its id and collect its exit code.',
  cache: 'Empty it, or bound it by count, size or age.',
  lock: 'Release it, and take it with a time limit.',
  temporary_file: 'Delete it, or say whose it is by a sign of life.',
};

export type LeakRule = 'age' | 'ttl' | 'lease';
export type LeakFinding = { readonly rule: LeakRule; readonly severity: LeakSeverity; readonly sinceMs: number };

/** A resource without a live owner. */
export type Leak = LeakFinding & { readonly resource: Resource; readonly detectedAtMs: number };

const severityOf = (ratio: number): LeakSeverity =>
  ratio > 5 ? 'critical' : ratio > 3 ? 'high' : ratio > 2 ? 'medium' : 'low';

/** Unused for longer than half of the age that its type allows. */
export const isIdle = ({ type, lastAccessedAtMs }: Resource, nowMs: number): boolean =>
  nowMs - lastAccessedAtMs > (leakAfterSeconds[type] * 1_000) / 2;

/**
 * Whether a resource is a leak at `nowMs`, and how grave. Whoever told how long it lives is judged by that: past its TTL, or past its
 * lease without a sign of life. All others are leaks when older than their type allows and unused for half of that time.
 */
export function decideLeak(resource: Resource, nowMs: number): LeakFinding | undefined {
  const { type, createdAtMs, lastAccessedAtMs, lastSeenAtMs, ttlMs, leaseMs } = resource;
  if (ttlMs === null && leaseMs === null) {
    const limitMs = leakAfterSeconds[type] * 1_000;
    const ageMs = nowMs - createdAtMs;
    if (ageMs <= limitMs || !isIdle(resource, nowMs)) return undefined;
    const sinceMs = Math.max(createdAtMs + limitMs, lastAccessedAtMs + limitMs / 2);
    return { rule: 'age', severity: severityOf(ageMs / limitMs), sinceMs };
  }
  const overTtl = ttlMs === null ? 0 : (nowMs - createdAtMs) / ttlMs;
  const overLease = leaseMs === null ? 0 : (nowMs - lastSeenAtMs) / leaseMs;
  if (leaseMs !== null && overLease > 1 && overLease >= overTtl)
    return { rule: 'lease', severity: severityOf(overLease), sinceMs: lastSeenAtMs + leaseMs };
  if (ttlMs !== null && overTtl > 1)
    return { rule: 'ttl', severity: severityOf(overTtl), sinceMs: createdAtMs + ttlMs };
  return undefined;
}

/** Where severity follows from the ratio of age and limit. */
const ratios = [1, 2, 3, 5];

/**
 * The time until which, if nothing is heard of the resource, neither `isIdle` nor `decideLeak` says anything else than at `nowMs`.
 * Infinity: they never will. Only which of two rules is named may change before.
 */
export function findNextChange(resource: Resource, nowMs: number): number {
  const { type, createdAtMs, lastAccessedAtMs, lastSeenAtMs, ttlMs, leaseMs } = resource;
  const limitMs = leakAfterSeconds[type] * 1_000;
  const idleMs = lastAccessedAtMs + limitMs / 2;
  let nextMs = idleMs >= nowMs ? idleMs : Number.POSITIVE_INFINITY;
  const consider = (fromMs: number, stepMs: number, notBeforeMs: number): void => {
    for (const ratio of ratios) {
      const atMs = Math.max(notBeforeMs, fromMs + ratio * stepMs);
      if (atMs < nowMs) continue;
      if (atMs < nextMs) nextMs = atMs;
      return;
    }
  };
  if (ttlMs === null && leaseMs === null) consider(createdAtMs, limitMs, idleMs);
  if (ttlMs !== null) consider(createdAtMs, ttlMs, 0);
  if (leaseMs !== null) consider(lastSeenAtMs, leaseMs, 0);
  return nextMs;
}

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;

/** One sentence for people: what is wrong with it. */
export function describeLeak({ rule, resource }: Leak, nowMs: number): string {
  const { id, type, owner, createdAtMs, lastAccessedAtMs, lastSeenAtMs, ttlMs, leaseMs } = resource;
  const what = `${type} "${id}"${owner === null ? '' : ` of ${owner}`}`;
  switch (rule) {
    case 'age':
      return `${what} is ${seconds(nowMs - createdAtMs)} old and was not used for ${seconds(nowMs - lastAccessedAtMs)}.`;
    case 'ttl':
      return `${what} was to live for ${seconds(ttlMs ?? 0)} and is ${seconds(nowMs - createdAtMs)} old.`;
    case 'lease':
      return `${what} gave no sign of life for ${seconds(nowMs - lastSeenAtMs)}; one was due every ${seconds(leaseMs ?? 0)}.`;
  }
}

/** What to do about it; what is grave says so first. */
export const suggestAction = ({ severity, resource }: Leak): string =>
  severity === 'high' || severity === 'critical' ? `Now: ${actions[resource.type]}` : actions[resource.type];
