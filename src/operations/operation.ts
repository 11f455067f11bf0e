import type { Severity } from '../events/index.ts';
import { AppError, type ErrorCode, errorCatalogue, isAppError, storageError } from '../platform/errors.ts';
import type { Progress } from './progress.ts';

/**
 * `running` → `succeeded` | `partial` (some of it) | `failed` | `cancelled` (asked for) | `interrupted` (the process ended).
 * Nothing leaves a final state.
 */
export const operationStates = ['running', 'succeeded', 'partial', 'failed', 'cancelled', 'interrupted'] as const;
export type OperationState = (typeof operationStates)[number];
export type FinalState = Exclude<OperationState, 'running'>;

/** What went wrong, as clients may see it: the catalogue's words, nothing from inside. */
export type OperationError = {
  readonly code: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly retryable: boolean;
};

export type Operation = {
  readonly id: string;
  /** `area.verb`, such as `backup.create`. */
  readonly kind: string;
  readonly targetId: string | null;
  readonly state: OperationState;
  readonly phase: string;
  readonly progress: Progress;
  /** What it was started with; settlers read it. Not told to clients. */
  readonly input: unknown;
  readonly result: unknown;
  readonly error: OperationError | null;
  readonly requestedBy: string;
  readonly instance: string;
  readonly epoch: number;
  readonly heartbeatMs: number;
  readonly cancelRequestedMs: number | null;
  readonly createdMs: number;
  readonly finishedMs: number | null;
  /** While it runs, no other exclusive operation of the same target starts. */
  readonly exclusive: boolean;
};

export const isFinal = (operation: Operation): boolean => operation.state !== 'running';

/** What may be done with it now; the dashboard and the CLI offer exactly this. */
export const allowedActions = (operation: Operation): 'cancel'[] =>
  operation.state === 'running' && operation.cancelRequestedMs === null ? ['cancel'] : [];

/** Text of errors that are not of the catalogue stays in the log; that a disk is full is told, wherever the work met it. */
export function operationError(err: unknown): OperationError {
  const told = storageError(err, 'this was done');
  const known = isAppError(told)
    ? told
    : new AppError('internal/unexpected', 'The log has more under the id of this operation.');
  return { code: known.code, ...publicKind(known.code), detail: known.detail };
}

function publicKind(code: ErrorCode): Pick<OperationError, 'title' | 'status' | 'retryable'> {
  const { title, status, retryable } = errorCatalogue[code];
  return { title, status, retryable };
}

/** A work that ended with an error after it was told to end did end because of that. */
export function decideFailedState(reason: unknown): FinalState {
  if (!isAppError(reason)) return 'failed';
  if (reason.code === 'operation/cancelled') return 'cancelled';
  if (reason.code === 'internal/stopping') return 'interrupted';
  return 'failed';
}

export const severityOfState: Readonly<Record<Exclude<FinalState, 'succeeded'>, Severity>> = {
  partial: 'warning',
  failed: 'error',
  cancelled: 'info',
  interrupted: 'warning',
};

const endWords: Readonly<Record<FinalState, string>> = {
  succeeded: 'succeeded',
  partial: 'ended with a part missing; its result says which',
  failed: 'failed',
  cancelled: 'was cancelled',
  interrupted: 'was interrupted',
};

/** How it ended, for the event log. An error that only repeats the state is left out. */
export function endSentence(operation: Operation): string {
  if (operation.state === 'running') return `${operation.kind} is running.`;
  const words = `${operation.kind} ${endWords[operation.state]}`;
  const { error } = operation;
  return error === null || error.code === 'operation/cancelled' ? `${words}.` : `${words}: ${error.detail}`;
}
