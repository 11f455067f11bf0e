import { signal } from '@preact/signals';
import { messageOf } from '../api/client.ts';
import type { BackupStatus, Operation, Point, RestorePlan } from '../api/wire.ts';
import { operations, refreshRecovery } from './page-state.ts';
import { api } from './session.ts';

/** What the last press of a button came to when it was refused. */
export const refusal = signal<string | undefined>(undefined);

/** Starts something, and shows at once what it became; a refusal is told in the server's words. */
async function begin(path: string, body?: unknown): Promise<Operation | undefined> {
  refusal.value = undefined;
  try {
    return await api.post<Operation>(path, body);
  } catch (err) {
    refusal.value = messageOf(err);
    return undefined;
  } finally {
    refreshRecovery();
  }
}

const pointPath = (id: string): string => `api/v1/backup/points/${encodeURIComponent(id)}`;

export const takePoint = (targetId: string): Promise<unknown> => begin('api/v1/backup/trigger', { target: targetId });
export const verifyPoint = (id: string): Promise<unknown> => begin(`${pointPath(id)}/verify`);
export const confirmKit = (): Promise<unknown> => begin('api/v1/backup/recovery-kit/confirm');
export const cancelOperation = (id: string): Promise<unknown> =>
  begin(`api/v1/operations/${encodeURIComponent(id)}/cancel`);

const restorePath = (id: string): string => `api/v1/backup/restore/${encodeURIComponent(id)}`;

/** Changes nothing. */
export const planRestore = (id: string): Promise<RestorePlan> =>
  api.post<RestorePlan>(restorePath(id), { plan_only: true });

/** Carries out exactly the plan that was shown; the server refuses when things have changed since. */
export async function startRestore(plan: RestorePlan): Promise<Operation> {
  const started = await api.post<Operation>(restorePath(plan.backup_id), { plan_id: plan.plan_id, confirm: true });
  void operations.refresh();
  return started;
}

export const runningFor = (list: readonly Operation[], targetId: string): Operation | undefined =>
  list.find((one) => one.state === 'running' && one.target_id === targetId);

const doing: Readonly<Record<string, string>> = {
  'backup.create': 'A recovery point is being taken',
  'backup.verify': 'A recovery point is being verified',
  'backup.restore': 'A restore is under way',
  'repository.forget': 'Old recovery points are being forgotten',
  'repository.prune': 'The repository is being pruned',
  'repository.check': 'The repository is being checked',
};

export const nameOfKind: Readonly<Record<string, string>> = {
  'backup.create': 'Taking a recovery point',
  'backup.verify': 'Verifying a recovery point',
  'backup.restore': 'Restoring',
  'repository.forget': 'Forgetting old recovery points',
  'repository.prune': 'Freeing space in the repository',
  'repository.check': 'Checking the repository',
  'repository.unlock': 'Removing stale locks',
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
