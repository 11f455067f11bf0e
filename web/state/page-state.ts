import { computed, effect, signal } from '@preact/signals';
import type { ActiveAlerts } from '../api/alert-wire.ts';
import type { Drill, Objectives, Repository, Sources, Timeline } from '../api/recovery-wire.ts';
import type { BackupStatus, Health, HostHealth, Operation, Page, Point, Target } from '../api/wire.ts';
import { connection, endEvents, followEvents } from './event-feed.ts';
import { followSwitches } from './follow-switches.ts';
import { appendHostPoint, type HostPoint } from './host-history.ts';
import { notePhases, type PhasesSeen } from './phases.ts';
import { createPoll, type Poll } from './poll.ts';
import { api, readSwitches, session, switches } from './session.ts';
import { timelineDays, urlState, type View } from './url.ts';

export const health = createPoll<Health>({ load: (on) => api.get('health', on), everyMs: () => 5_000 });
export const targets = createPoll<Page<Target>>({
  load: (on) => api.get('api/v1/targets', on),
  everyMs: () => 3_000,
});
export const host = createPoll<HostHealth>({
  load: (on) => api.get('api/v1/monitoring/health', on),
  everyMs: () => 3_000,
});
export const backup = createPoll<BackupStatus>({
  load: (on) => api.get('api/v1/backup/status', on),
  everyMs: () => 5_000,
});
export const points = createPoll<Page<Point>>({
  load: (on) => api.get('api/v1/backup/points?limit=50', on),
  everyMs: () => 5_000,
});
/** What follows changes with points and drills, and is asked for anew when one is told of. */
export const timeline = createPoll<Timeline>({
  load: (on) => api.get(`api/v1/backup/timeline?days=${timelineDays(urlState.peek())}`, on),
  everyMs: () => 60_000,
});
export const drills = createPoll<Page<Drill>>({
  load: (on) => api.get('api/v1/recovery/drills?limit=50', on),
  everyMs: () => 60_000,
});
export const objectives = createPoll<{ items: Objectives[] }>({
  load: (on) => api.get('api/v1/recovery/objectives', on),
  everyMs: () => 15_000,
});
/** Opens the repository, which is a program and maybe a network away. */
export const repository = createPoll<Repository>({
  load: (on) => api.get('api/v1/repository', on),
  everyMs: () => 300_000,
});
/** Changes with the settings, hardly ever. */
export const sources = createPoll<Sources>({
  load: (on) => api.get('api/v1/backup/sources', on),
  everyMs: () => 300_000,
});
/** The newest work; what runs is looked at once a second. */
export const operations = createPoll<Page<Operation>>({
  load: (on) => api.get('api/v1/operations?limit=10', on),
  everyMs: (page) => (page?.items.some((one) => one.state === 'running') ? 1_000 : 4_000),
});

/** How many alerts fire, told beside the way to them in every view; the list itself is asked for by its view. */
export const firing = createPoll<Pick<ActiveAlerts, 'firing'>>({
  load: (on) => api.get('api/v1/metrics/alerts/active?state=pending', on),
  everyMs: () => 15_000,
});

export const phasesSeen = signal<PhasesSeen>(new Map());
export const hostHistory = signal<readonly HostPoint[]>([]);

/** The server's time, ticking each second: ages are told by the clock that the instants came from. */
export const nowMs = signal(Date.now());
let aheadMs = 0;

const recovery = [operations, backup, points, timeline, drills, objectives] as const;
/** The head of every view tells of the targets. */
const polls: Readonly<Record<View, readonly Poll<unknown>[]>> = {
  overview: [targets, host, repository, sources, ...recovery],
  health: [targets, host],
  alerts: [targets],
  traffic: [targets, operations],
  metrics: [targets],
  events: [targets],
  resources: [targets, operations],
  analytics: [targets],
  quotas: [targets],
  cleanup: [targets, operations],
  replication: [targets, operations],
  failover: [targets, objectives, operations],
  tuning: [targets, operations],
};

/** What an event of this kind makes worth asking for at once. */
function refreshAfter(type: string): void {
  void health.refresh();
  if (type.startsWith('alert.')) void firing.refresh();
  if (type.startsWith('target.')) void targets.refresh();
  if (type.startsWith('host.')) void host.refresh();
  if (/^(backup|restore|operation|recovery)\./.test(type)) refreshRecovery();
  if (type.startsWith('repository.')) void repository.refresh();
}

export function refreshRecovery(): void {
  for (const poll of [...recovery, targets]) void poll.refresh();
}

/** Polls what the session may see, and nothing while the tab is hidden. */
export function startPage(): void {
  const hidden = signal(document.hidden);
  document.addEventListener('visibilitychange', () => {
    hidden.value = document.hidden;
  });
  setInterval(() => {
    if (!document.hidden) nowMs.value = Date.now() + aheadMs;
  }, 1_000);

  effect(() => {
    const now = health.value.value;
    if (!now) return;
    aheadMs = Date.parse(now.timestamp) - Date.now();
    nowMs.value = Date.now() + aheadMs;
    document.title = `${now.status} · ragwarden`;
  });
  effect(() => {
    const metrics = host.value.value?.metrics;
    if (metrics) hostHistory.value = appendHostPoint(hostHistory.peek(), metrics);
  });

  effect(() => {
    const list = operations.value.value?.items;
    if (list) phasesSeen.value = notePhases(phasesSeen.peek(), list);
  });
  // What ended has changed what the other routes tell, whether or not an event says so.
  const endings = computed(
    () => (operations.value.value?.items ?? []).filter((one) => one.finished_at !== null)[0]?.id,
  );
  effect(() => {
    if (endings.value === undefined) return;
    for (const poll of [points, timeline, drills, objectives, repository]) void poll.refresh();
  });
  const days = computed(() => timelineDays(urlState.value));
  effect(() => {
    if (days.value > 0) void timeline.refresh();
  });

  effect(() => {
    const { state } = session.value;
    if (state === 'unknown' || hidden.value) {
      health.stop();
      return;
    }
    // Somebody who logged in sees more of it, and somebody who logged out less.
    health.stop();
    health.start();
  });
  const view = computed(() => urlState.value.view);
  effect(() => {
    const now = session.value;
    const isAdmin = now.state === 'known' && now.who.role === 'admin';
    const wanted = new Set(isAdmin && !hidden.value ? [firing, ...polls[view.value]] : []);
    for (const poll of new Set([firing, ...Object.values(polls).flat()]))
      if (wanted.has(poll)) poll.start();
      else poll.stop({ forget: !isAdmin });
    if (!isAdmin) hostHistory.value = [];
  });
  followSwitches({
    read: readSwitches,
    wanted: computed(() => session.value.state === 'known' && session.value.who.role === 'admin' && !hidden.value),
    isLost: computed(() => health.problem.value !== undefined),
    connection,
  });
  // Opening a point changes the address too, and is no reason to connect anew.
  const severity = computed(() => urlState.value.severity);
  effect(() => {
    const now = session.value;
    const isAdmin = now.state === 'known' && now.who.role === 'admin';
    // With other switches there may be a stream.
    void switches.value;
    if (isAdmin && !hidden.value) void followEvents(severity.value, (event) => refreshAfter(event.type));
    else endEvents({ forget: !isAdmin });
  });
  effect(() => {
    // The stream says first when the server went away or came back.
    if (connection.value === 'live') void health.refresh();
  });
}
