/**
 * Long work: started with a row in the database, followed by phase and progress, cancelled, waited for, and settled at the
 * next start when the process ended in the middle.
 * Owns the tables `operation` and `idempotency_key`, and the leases `target:…` and `instance:…`. Invariants: of the exclusive
 * operations of one target one runs; nothing leaves a final state; an end is written by the one who holds the work.
 */
export type { Operation, OperationError, OperationState } from './operation.ts';
export {
  idempotencyOf,
  type OperationBody,
  operationAnswers,
  operationBody,
  preferredWait,
  respondWithOperation,
} from './operation-answer.ts';
export { boundedIdempotencyKeys, boundedOperations } from './operation-growth.ts';
export { createOperationRetention } from './operation-jobs.ts';
export { operationRoutes } from './operation-routes.ts';
export type { OperationFilter } from './operation-store.ts';
export { createOperations, type Idempotency, type Operations, type StartOptions } from './operations.ts';
export type { Progress, ProgressUpdate } from './progress.ts';
export type { OperationContext } from './running.ts';
export type { SettledOutcome, Settlers } from './settling.ts';
