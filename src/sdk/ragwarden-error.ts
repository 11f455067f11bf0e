import type { OperationBody } from './wire.ts';

export type RagwardenErrorFacts = {
  readonly code: string;
  readonly detail: string;
  readonly status?: number | undefined;
  readonly violations?: readonly { readonly at: string; readonly message: string }[] | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly operation?: OperationBody | undefined;
  readonly cause?: unknown;
};

/**
 * Whatever ragwarden refuses, and whatever keeps it from answering. `message` is `detail`.
 * Codes of the server are listed in its reference; two are made here: `server/unreachable` (no answer, or none of ragwarden)
 * and `client/timeout` (no answer in time; work that was begun goes on).
 */
export class RagwardenError extends Error {
  override readonly name = 'RagwardenError';
  /** Stable; what programs decide by, such as `operation/busy`. */
  readonly code: string;
  /** HTTP status of the answer, or of the error with which an operation ended; undefined when there was no answer. */
  readonly status: number | undefined;
  /** What happened and what to do next, for people. */
  readonly detail: string;
  /** Every rule that a refused request violated (422), with its place. */
  readonly violations: readonly { readonly at: string; readonly message: string }[];
  /** Names this request in ragwarden's log. */
  readonly requestId: string | undefined;
  /** When to try again, where the server says so. Seconds. */
  readonly retryAfterSeconds: number | undefined;
  /** The operation that did not succeed, when it was one. */
  readonly operation: OperationBody | undefined;

  constructor(facts: RagwardenErrorFacts) {
    super(facts.detail, facts.cause === undefined ? {} : { cause: facts.cause });
    this.code = facts.code;
    this.status = facts.status;
    this.detail = facts.detail;
    this.violations = facts.violations ?? [];
    this.requestId = facts.requestId;
    this.retryAfterSeconds = facts.retryAfterSeconds;
    this.operation = facts.operation;
  }
}
