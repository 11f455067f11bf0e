import { signal } from '@preact/signals';
import { messageOf } from '../api/client.ts';
import type { UpkeepKind } from '../api/recovery-wire.ts';
import type { ReceivedPoint } from '../api/replication-wire.ts';
import type { BackupStatus, Operation, Point, RestorePlan } from '../api/wire.ts';
import { operations, refreshRecovery } from './page-state.ts';
import type { RestoreRequest } from './restore-choice.ts';
import { api } from './session.ts';

/** What the last press of a button came to when it was refused. */
export const refusal = signal<string | undefined>(undefined);

/** Does something, and shows at once what it became; a refusal is told in the server's words. */
async function act(call: () => Promise<unknown>): Promise<void> {
  refusal.value = undefined;
  try {
    await call();
  } catch (err) {
    refusal.value = messageOf(err);
  } finally {
    refreshRecovery();
  }
}

const begin = (path: string, body?: unknown): Promise<void> => act(() => api.post(path, body));

const pointPath = (id: string): string => `api/v1/backup/points/${encodeURIComponent(id)}`;

export const takePoint = (targetId: string): Promise<void> => begin('api/v1/backup/trigger', { target: targetId });
export const verifyPoint = (id: string): Promise<void> => begin(`${pointPath(id)}/verify`);
export const pinPoint = (id: string, pinned: boolean): Promise<void> =>
  act(() => api[pinned ? 'put' : 'delete'](`${pointPath(id)}/pin`));
export const switchSchedule = (on: boolean): Promise<void> => begin(`api/v1/backup/${on ? 'start' : 'stop'}`);
export const runDrill = (targetId: string): Promise<void> => begin('api/v1/recovery/drills', { target: targetId });
export const runUpkeep = (kind: UpkeepKind, targetId: string | undefined): Promise<void> =>
  begin(`api/v1/repository/${kind}`, kind === 'forget' ? { target: targetId } : undefined);
export const confirmKit = (): Promise<void> => begin('api/v1/backup/recovery-kit/confirm');
export const cancelOperation = (id: string): Promise<void> =>
  begin(`api/v1/operations/${encodeURIComponent(id)}/cancel`);

/** Makes a point that another ragwarden sent one of ours. @param password of the repository it came from; it goes no further */
export const adoptReceived = (one: ReceivedPoint, password: string): Promise<Operation> =>
  api.post('api/v1/backup-replication/backup/snapshots/received/adopt', {
    ...{ password, backup_id: one.backup_id, graph_id: one.graph_id, sender: one.sender },
  });

const restorePath = (id: string): string => `api/v1/backup/restore/${encodeURIComponent(id)}`;

/** Changes nothing. */
export const planRestore = (id: string, request: RestoreRequest): Promise<RestorePlan> =>
  api.post<RestorePlan>(restorePath(id), { ...request, plan_only: true });

/** Carries out exactly the plan that was shown; the server refuses when things have changed since. */
export async function startRestore(plan: RestorePlan, request: RestoreRequest): Promise<Operation> {
  const started = await api.post<Operation>(restorePath(plan.backup_id), {
    ...request,
    plan_id: plan.plan_id,
    confirm: true,
  });
  void operations.refresh();
  return started;
}

/** What keeps other work off the target; a drill reads the repository and its own scratch folder, and does not. */
export const runningFor = (list: readonly Operation[], targetId: string): Operation | undefined =>
  list.find((one) => one.state === 'running' && one.target_id === targetId && one.kind !== 'recovery.drill');

const doing: Readonly<Record<string, string>> = {
  'backup.create': 'A recovery point is being taken',
  'backup.verify': 'A recovery point is being verified',
  'backup.restore': 'A restore is under way',
  'repository.forget': 'Old recovery points are being forgotten',
  'repository.prune': 'The repository is being pruned',
  'repository.check': 'The repository is being checked',
  'recovery.failover': 'A failover is under way',
  'replication.adopt': 'A received point is being adopted',
};

export const nameOfKind: Readonly<Record<string, string>> = {
  'backup.create': 'Taking a recovery point',
  'backup.verify': 'Verifying a recovery point',
  'backup.restore': 'Restoring',
  'repository.forget': 'Forgetting old recovery points',
  'repository.prune': 'Freeing space in the repository',
  'repository.check': 'Checking the repository',
  'repository.unlock': 'Removing stale locks',
  'recovery.drill': 'Drill: rehearsing a restore',
  'documents.reprocess': 'Taking up documents again',
  'cleanup.run': 'Cleaning up',
  'cleanup.undo': 'Bringing back what was cleaned up',
  'tuning.apply': 'Applying the tuning',
  'tuning.guarded-apply': 'Applying the tuning behind a recovery point',
  'tuning.provider-switch': 'Switching the provider of models',
  'replication.sync': 'Copying recovery points',
  'replication.verify': 'Verifying a copy',
  'replication.heal': 'Healing a copy',
  'replication.prune': 'Freeing room at a copy',
  'replication.adopt': 'Adopting a received point',
  'recovery.failover': 'Failing over',
  'recovery.reseed': 'Reseeding the place that was left',
  'recovery.validate-checkpoint': 'Validating a checkpoint',
  'canary.plant': "Planting the canary's document",
  'backup.rebuild-catalogue': 'Making the catalogue from the repository',
};

/** Why a point cannot be taken now; undefined when it can. */
export function whyNoNewPoint(status: BackupStatus | undefined, running: Operation | undefined): string | undefined {
  if (status === undefined) return 'Not known yet whether backups are available.';
  if (!status.enabled) return 'Backups are switched off.';
  if (!status.available) return status.unavailable_reason ?? 'Backups are unavailable.';
  return running === undefined ? undefined : `${doing[running.kind] ?? 'Something else is under way'}.`;
}

/** Why this cannot be done with a point now; the server says what is allowed. */
export function whyNot(
  action: 'restore' | 'verify',
  point: Pick<Point, 'allowed_actions'>,
  status: BackupStatus | undefined,
  running: Operation | undefined,
): string | undefined {
  if (!point.allowed_actions.includes(action))
    return action === 'restore' ? 'This point cannot be restored.' : 'This point cannot be verified.';
  if (status && !status.available) return status.unavailable_reason ?? 'Backups are unavailable.';
  return running === undefined ? undefined : `${doing[running.kind] ?? 'Something else is under way'}.`;
}

/** Why a drill cannot begin now; undefined when it can. */
export function whyNoDrill(status: BackupStatus | undefined, list: readonly Operation[]): string | undefined {
  if (status === undefined) return 'Not known yet whether backups are available.';
  if (!status.available) return status.unavailable_reason ?? 'Backups are unavailable.';
  if (status.backup_count === 0) return 'There is no point to rehearse yet.';
  const running = list.find(
    (one) => one.state === 'running' && one.kind === 'recovery.drill' && one.target_id === status.target_id,
  );
  return running === undefined ? undefined : 'A drill is under way.';
}

/** Why the repository cannot be checked, forgotten in or pruned now; undefined when it can. */
export function whyNoUpkeep(
  kind: UpkeepKind,
  status: BackupStatus | undefined,
  list: readonly Operation[],
): string | undefined {
  if (status === undefined) return 'Not known yet whether backups are available.';
  if (!status.available) return status.unavailable_reason ?? 'Backups are unavailable.';
  const isRunning = list.some((one) => one.state === 'running' && one.kind === `repository.${kind}`);
  return isRunning ? 'It is under way.' : undefined;
}
