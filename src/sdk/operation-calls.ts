import { RagwardenError } from './ragwarden-error.ts';
import { followStream, type StreamOptions } from './server-sent.ts';
import { type CallOptions, pathPart, type Transport } from './transport.ts';
import type { OperationBody, Page } from './wire.ts';

export type StartOptions = CallOptions & {
  /** 1 to 255 visible characters. The same key, within a day, finds the work that it began instead of beginning it again. */
  readonly idempotencyKey?: string;
};

export type WaitOptions = CallOptions & {
  /** Milliseconds; unless told, as long as it takes. */
  readonly timeoutMs?: number;
  /** Told about every answer on the way. */
  readonly onProgress?: (operation: OperationBody) => void;
};

/** One answer is held back so long, so that a proxy in between does not lose its patience. Seconds. */
const waitPerCallSeconds = 20;
const waitWithProgressSeconds = 1;

export type OperationCalls = ReturnType<typeof createOperationCalls>;

export function createOperationCalls({ send, open }: Transport) {
  const path = (id: string): string => `/api/v1/operations/${pathPart(id)}`;
  // The server checks every answer against the schema that this type is made of.
  const get = async (id: string, options: CallOptions & { waitSeconds?: number } = {}): Promise<OperationBody> =>
    (await send(path(id), options)) as OperationBody;

  return {
    /** Long work, newest first. */
    list: async (
      query: {
        state?: OperationBody['state'];
        kind?: string;
        targetId?: string;
        cursor?: string;
        /** 1 to 500; 50 unless told. */
        limit?: number;
      } = {},
      options: CallOptions = {},
    ): Promise<Page<OperationBody>> => {
      const { targetId, ...rest } = query;
      const found = await send('/api/v1/operations', { ...options, query: { ...rest, target_id: targetId } });
      return found as Page<OperationBody>; // as above
    },

    /** @throws RagwardenError `operation/unknown` */
    get: (id: string, options?: CallOptions): Promise<OperationBody> => get(id, options),

    /**
     * The operation each time it moves on, until it has ended; however it ended, the last one says so.
     * @throws RagwardenError `operation/unknown`
     */
    async *stream(id: string, options: StreamOptions = {}): AsyncGenerator<OperationBody, void> {
      for await (const { event, data } of followStream(open, `${path(id)}/stream`, {}, undefined, options)) {
        if (event !== 'operation') continue;
        const operation = JSON.parse(data) as OperationBody; // as above
        yield operation;
        if (operation.state !== 'running') return;
      }
    },

    /** Asks it to end; it may have done its work before it heard that. */
    cancel: async (id: string, options: CallOptions = {}): Promise<OperationBody> =>
      (await send(`${path(id)}/cancel`, { ...options, method: 'POST' })) as OperationBody, // as above

    /**
     * Waits for its end, by answers that the server holds back.
     * @returns an operation that succeeded, wholly or in part (`state`)
     * @throws RagwardenError with the operation and the code of its failure; `operation/cancelled`, `operation/interrupted`;
     *   `client/timeout` when it goes on after `timeoutMs`
     */
    async wait(operation: string | OperationBody, options: WaitOptions = {}): Promise<OperationBody> {
      const { signal, onProgress, timeoutMs = Number.POSITIVE_INFINITY } = options;
      const deadline = performance.now() + timeoutMs;
      let seen = typeof operation === 'string' ? await get(operation, { signal }) : operation;
      for (;;) {
        onProgress?.(seen);
        if (seen.state === 'succeeded' || seen.state === 'partial') return seen;
        if (seen.state !== 'running') throw failureOf(seen);
        const leftSeconds = (deadline - performance.now()) / 1000;
        if (leftSeconds <= 0)
          throw new RagwardenError({
            code: 'client/timeout',
            detail: `Operation ${seen.id} goes on after ${timeoutMs} ms. Ask for it later by its id.`,
            operation: seen,
          });
        const longest = onProgress ? waitWithProgressSeconds : waitPerCallSeconds;
        seen = await get(seen.id, { signal, waitSeconds: Math.max(1, Math.min(longest, Math.floor(leftSeconds))) });
      }
    },
  };
}

const failureOf = (operation: OperationBody): RagwardenError =>
  new RagwardenError({
    code: operation.error?.code ?? `operation/${operation.state}`,
    status: operation.error?.status,
    detail: operation.error?.detail ?? `Operation ${operation.id} was ${operation.state}.`,
    operation,
  });
