/**
 * Where recovery points are kept: one encrypted repository per location, its password file and its recovery kit.
 * `repository.ts` is the port, restic lies behind it.
 * Invariants: a password file is never overwritten; a lock is removed only when its holder is proved to be dead; no secret is
 * part of an argument list, an error or a log line.
 */
export { ensurePasswordFile } from './keys.ts';
export {
  type LocationKind,
  type LocationOrigin,
  parseRepositoryLocation,
  type RepositoryLocation,
} from './location.ts';
export { parseRecoveryKit, type RecoveryKit, recoveryKit } from './recovery-kit.ts';
export type {
  BackupRequest,
  BackupResult as StoredBackup,
  BackupWarning,
  CheckResult,
  CopyProgress,
  LockHolder,
  OpenResult,
  PipedProgram,
  Progress,
  Repository,
  RepositoryLock,
  RepositoryStats,
  Snapshot,
  SnapshotEntry,
} from './repository.ts';
export { createResticRepository, type ResticOptions } from './restic.ts';
