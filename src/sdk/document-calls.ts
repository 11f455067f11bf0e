import type { StartOptions } from './operation-calls.ts';
import { type CallOptions, pathPart, type Transport } from './transport.ts';
import type { CanaryBody, DocumentsBody, OperationBody, OrphanSearchBody, Page } from './wire.ts';

export type DocumentCalls = ReturnType<typeof createDocumentCalls>;

/** The documents of a target, and the question whose answer is known. */
export function createDocumentCalls({ send }: Transport) {
  const path = (target: string, verb: string): string => `/api/v1/targets/${pathPart(target)}/${verb}`;
  return {
    /** How the documents of each workspace are: in flight, stuck, failed, ended. @throws `target/unknown` */
    documents: async (target: string, call?: CallOptions) =>
      (await send(path(target, 'documents'), call)) as Page<DocumentsBody>, // checked by the server
    /**
     * Begins to have the backend take stuck documents up again; `failed` also when only failed ones are left.
     * @throws `operation/busy` while a recovery point is taken or a restore runs
     */
    reprocess: async (
      target: string,
      { workspace, failed, ...call }: StartOptions & { workspace?: string; failed?: boolean } = {},
    ) =>
      (await send(path(target, 'documents/reprocess'), {
        ...call,
        method: 'POST',
        body: { workspace, failed },
      })) as OperationBody, // likewise
    /** What belongs to nothing any more, as the last search found it. @throws `conflict/state` before the first */
    orphans: async (target: string, call?: CallOptions) =>
      (await send(path(target, 'orphans'), call)) as OrphanSearchBody, // likewise
    /** Begins to look for it; the result is an `OrphanSearchBody`. */
    searchOrphans: async (target: string, call?: StartOptions) =>
      (await send(path(target, 'orphans/search'), { ...call, method: 'POST' })) as OperationBody, // likewise
    /** @throws `feature/disabled` without a question in the settings */
    canary: async (target: string, { workspace, ...call }: CallOptions & { workspace?: string } = {}) =>
      (await send(path(target, 'canary'), { ...call, query: { workspace } })) as CanaryBody, // likewise
    /** Asks now. @throws `target/unreachable` */
    runCanary: async (target: string, { workspace, ...call }: CallOptions & { workspace?: string } = {}) =>
      (await send(path(target, 'canary/run'), { ...call, method: 'POST', query: { workspace } })) as CanaryBody, // likewise
    /** Begins to put its document into the backend. @throws `operation/busy` */
    plantCanary: async (target: string, { workspace, ...call }: StartOptions & { workspace?: string } = {}) =>
      (await send(path(target, 'canary/plant'), { ...call, method: 'POST', query: { workspace } })) as OperationBody, // likewise
  };
}
