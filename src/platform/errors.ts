/**
 * One family of errors with one catalogue. A code is public API: it is what clients, scripts and `ragwarden explain` key on.
 * `detail` is for the caller (what happened, what to do next); `context` and `cause` only ever reach the log.
 */
export type ErrorKind = {
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
  /** Exit code of the CLI: 1 failure, 2 usage, 3 partial, 4 check failed, 10 no such thing, 11 locked, 12 bad key or password, 13 unreachable. */
  readonly exitCode: number;
};

const kind = (status: number, title: string, exitCode = 1, retryable = false): ErrorKind => ({
  status,
  title,
  retryable,
  exitCode,
});

export const errorCatalogue = {
  'request/unreadable': kind(400, 'The request could not be read', 2),
  'request/invalid': kind(422, 'The request does not match its schema', 2),
  'request/not-found': kind(404, 'There is nothing here', 10),
  'request/method-not-allowed': kind(405, 'This method is not offered here', 2),
  'request/too-large': kind(413, 'The request is too large', 2),
  'request/unsupported-media-type': kind(415, 'This content type is not understood', 2),
  'request/misdirected': kind(421, 'This host name is not served here', 2),
  'request/too-many-streams': kind(503, 'Too many event streams are open', 1, true),
  'request/precondition-failed': kind(412, 'It has changed since it was read', 1, true),
  'request/headers-too-large': kind(431, 'The headers of the request are too large', 2),
  'request/timeout': kind(408, 'The request did not arrive in time', 1, true),
  'request/idempotency-conflict': kind(422, 'The idempotency key was used for another request', 2),
  'request/aborted': kind(499, 'The caller went away', 130),
  'access/unauthenticated': kind(401, 'Credentials are missing or wrong', 12),
  'access/forbidden': kind(403, 'These credentials do not allow this', 12),
  'access/throttled': kind(429, 'Too many failed attempts', 12, true),
  'access/ambiguous': kind(400, 'Two different credentials were sent', 2),
  'access/issuer-unreachable': kind(503, 'The issuer of the token cannot be asked', 13, true),
  'access/csrf': kind(403, 'The request did not come from the dashboard', 12),
  'access/login-used': kind(401, 'The login link is used up or expired', 12),
  'access/seal-broken': kind(500, 'A sealed secret cannot be opened', 1),
  'feature/disabled': kind(409, 'This part is switched off', 1),
  'conflict/state': kind(409, 'The present state does not allow this', 1),
  'conflict/confirmation-required': kind(409, 'A confirmation is required', 1),
  'settings/unknown': kind(404, 'No such setting', 10),
  'settings/needs-restart': kind(409, 'This setting needs a restart', 1),
  'settings/fixed': kind(409, 'The environment or a flag fixes this setting', 1),
  'config/invalid': kind(422, 'The configuration is not valid', 2),
  'metrics/busy': kind(503, 'Too much is being taken in at once', 1, true),
  'target/unknown': kind(404, 'No such target', 10),
  'target/not-applicable': kind(409, 'There is no such thing for this kind of target', 2),
  'target/unreachable': kind(503, 'The target does not answer', 13, true),
  'target/lifecycle-failed': kind(502, 'The backend could not be stopped or started', 1, true),
  'target/in-use': kind(409, 'Somebody still holds the files of the target', 11, true),
  'target/foreign-path': kind(422, 'The path is outside the registered folders', 2),
  'target/inspection-failed': kind(500, 'The files of the target could not be inspected', 1, true),
  'host/not-sampled': kind(503, 'The host was not looked at yet', 1, true),
  'metrics/store-failed': kind(503, 'The other store of metrics did not answer', 13, true),
  'operation/unknown': kind(404, 'No such operation', 10),
  'operation/cancelled': kind(409, 'The operation was cancelled', 130),
  'operation/busy': kind(409, 'Another operation holds the target', 11, true),
  'operation/interrupted': kind(409, 'The operation was interrupted', 1, true),
  'operation/lease-lost': kind(409, 'Another instance took the work over', 11, true),
  'backup/unavailable': kind(503, 'Backups are unavailable', 1),
  'backup/unknown-point': kind(404, 'No such recovery point', 10),
  'backup/invalid-id': kind(422, 'This is not the id of a recovery point', 2),
  'backup/capture-failed': kind(500, 'The files could not be captured', 1, true),
  'backup/verification-failed': kind(500, 'The recovery point did not verify', 4),
  'repository/missing': kind(404, 'There is no repository at this place', 10),
  'repository/replaced': kind(409, 'Another repository lies at this place', 1),
  'repository/locked': kind(409, 'The repository is locked', 11, true),
  'repository/wrong-password': kind(409, 'The password does not open the repository', 12),
  'repository/damaged': kind(500, 'The repository is damaged', 1),
  'repository/refused': kind(502, 'The store of the repository refuses what it was asked', 12),
  'repository/unreachable': kind(502, 'The store of the repository could not be reached', 13, true),
  'repository/failed': kind(502, 'The repository tool failed', 1, true),
  'repository/invalid-location': kind(422, 'This is not a repository location', 2),
  'restore/blocked': kind(409, 'The folder cannot be restored into as it is', 1),
  'restore/invalid-options': kind(422, 'The point cannot be restored so', 1),
  'restore/unsafe-entry': kind(422, 'The recovery point holds an entry that must not be restored', 1),
  'restore/digest-mismatch': kind(500, 'Restored data differs from what was backed up', 4),
  'restore/server-reappeared': kind(409, 'The backend came back during the restore', 11, true),
  'restore/plan-changed': kind(409, 'The plan no longer matches', 1, true),
  'recovery/unknown-drill': kind(404, 'No such drill', 10),
  'replication/unknown-target': kind(404, 'No such replication target', 10),
  'replication/conflict': kind(409, 'Two different points have one id', 1),
  'replication/not-kept': kind(409, 'Newer points are kept there instead', 1),
  'replication/source-unsound': kind(409, 'What would be copied failed its audit', 4),
  'replication/digest-mismatch': kind(422, 'What arrived is not what was sent', 4),
  'recovery/no-standby': kind(409, 'There is no second place', 10),
  'recovery/failover-failed': kind(409, 'The failover failed'),
  'recovery/unknown-failover': kind(404, 'No such failover', 10),
  'recovery/unknown-checkpoint': kind(404, 'No such checkpoint', 10),
  'storage/full': kind(507, 'There is not enough space', 1, true),
  'storage/unavailable': kind(503, 'The state database does not answer', 13, true),
  'storage/damaged': kind(503, 'A file of the state is damaged', 1),
  'storage/schema-newer': kind(503, 'The data folder was written by a newer version', 1),
  'storage/data-folder-in-use': kind(409, 'Another ragwarden uses this data folder', 11),
  'storage/instance-in-use': kind(503, 'Another ragwarden runs as this instance', 11),
  'listen/port-taken': kind(409, 'The port is taken', 1),
  'listen/needs-token': kind(409, 'Listening beyond this machine needs a token', 2),
  'child/missing-program': kind(503, 'A program that is needed is missing', 1),
  'child/failed': kind(502, 'A child process failed', 1, true),
  'server/unreachable': kind(503, 'ragwarden does not answer', 13, true),
  'outgoing/refused-address': kind(422, 'This address may not be called', 2),
  'outgoing/timeout': kind(504, 'The other side did not answer in time', 13, true),
  'outgoing/failed': kind(502, 'The other side could not be reached', 13, true),
  'gateway/unknown-workspace': kind(404, 'No such workspace behind the gateway', 10),
  'gateway/upstream-unreachable': kind(502, 'The backend could not be reached', 13, true),
  'gateway/upstream-broken': kind(502, 'The backend broke off or answered what is no HTTP', 1, true),
  'gateway/upstream-timeout': kind(504, 'The backend did not answer in time', 13, true),
  'gateway/writes-held': kind(503, 'Inserts are held back for a moment', 1, true),
  'gateway/busy': kind(503, 'The gateway has as many requests as it takes', 1, true),
  'gateway/loop': kind(508, 'The gateway was asked to call itself', 2),
  'alerts/unknown-rule': kind(404, 'No such alert rule', 10),
  'alerts/unknown-alert': kind(404, 'No such alert', 10),
  'analytics/unknown-recommendation': kind(404, 'No such recommendation', 10),
  'analytics/too-many-looks': kind(429, 'As many windows as may be were looked at', 12, true),
  'resource/unknown': kind(404, 'No such resource', 10),
  'resource/too-many': kind(507, 'As many resources are tracked as may be', 1),
  'cleanup/unknown-strategy': kind(404, 'There is no such way to clean up', 10),
  'cleanup/unknown-task': kind(404, 'No such cleanup task', 10),
  'cleanup/unknown-plan': kind(404, 'No such cleanup plan', 10),
  'cleanup/unknown-entry': kind(404, 'The quarantine holds nothing of this id', 10),
  'cleanup/plan-stale': kind(409, 'The plan is too old to be carried out', 1, true),
  'cleanup/timeout': kind(504, 'The cleanup took too long', 1, true),
  'cleanup/not-verified': kind(500, 'What was cleaned up is still there', 4),
  'cleanup/workspace-busy': kind(409, 'The workspace is in use', 11, true),
  'quota/exceeded': kind(429, 'A quota is used up', 1, true),
  'tuning/unknown-revision': kind(404, 'No such revision of the tuning', 10),
  'tuning/rolled-back': kind(502, 'The backend was not healthy with the new values', 1),
  'quota/unavailable': kind(503, 'Nobody can tell whether a quota allows this', 13, true),
  'quota/unknown': kind(404, 'No such quota', 10),
  'quota/unknown-reservation': kind(404, 'No such reservation', 10),
  'quota/too-many': kind(507, 'There are as many quotas or reservations as may be', 1),
  'internal/stopping': kind(503, 'ragwarden is stopping', 1, true),
  'internal/unexpected': kind(500, 'Something went wrong inside ragwarden', 1),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorCatalogue;

/** One violated rule of a request or a setting: where it stands and what is wrong with it. */
export type Violation = { readonly at: string; readonly message: string };

export type AppErrorOptions = {
  readonly cause?: unknown;
  /** Facts for the log only. */
  readonly context?: Record<string, unknown>;
  /** Told to the client with the error. */
  readonly violations?: readonly Violation[];
  readonly retryAfterSeconds?: number;
};

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly detail: string;
  readonly context: Record<string, unknown>;
  readonly violations: readonly Violation[];
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, detail: string, options: AppErrorOptions = {}) {
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = detail;
    this.context = options.context ?? {};
    this.violations = options.violations ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get kind(): ErrorKind {
    return errorCatalogue[this.code];
  }
}

export const isAppError = (err: unknown): err is AppError => err instanceof AppError;

/** The system error code (`ENOENT`, `EADDRINUSE`, …) of whatever was thrown, if it has one. */
export function systemCode(err: unknown): string | undefined {
  if (typeof err !== 'object' || err === null || !('code' in err)) return undefined;
  return typeof err.code === 'string' ? err.code : undefined;
}

/** A sentence about anything that was thrown, for logs and events; never for clients. */
export function describeError(err: unknown): string {
  if (err instanceof AppError) return err.detail;
  if (!(err instanceof Error)) return String(err);
  if (err.message !== '') return err.message;
  // Node says nothing of its own where each of several addresses failed.
  if (err instanceof AggregateError && err.errors.length > 0) return err.errors.map(describeError).join(', ');
  return systemCode(err) ?? err.name;
}

/** Turns a full disk into the one error operators can act on; passes everything else through. */
export function storageError(err: unknown, what: string): unknown {
  const code = systemCode(err);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new AppError('storage/full', `No space left while ${what}. Free space on that file system and try again.`, {
      cause: err,
    });
  return err;
}
