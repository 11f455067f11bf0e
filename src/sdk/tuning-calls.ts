import type { StartOptions } from './operation-calls.ts';
import { type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  AdviceBody,
  ApplyPlanBody,
  EffectiveBody,
  LightragConfigBody,
  OperationBody,
  Page,
  ParameterBody,
  ProviderBody,
  ProviderSwitchBody,
  RevisionBody,
  RunningValueBody,
  TuningChangeBody,
  TuningChangedBody,
  TuningCheckBody,
  TuningDriftBody,
  TuningValue,
} from './wire.ts';

/** Null takes a value away; what is left out stays as it is. */
export type TuningValues = Readonly<Record<string, TuningValue | null>>;

/** A user, a workspace, or with neither everybody who set nothing. */
export type TuningScope = { readonly user?: string; readonly graphId?: string };

/** `confirm`: what an index would suffer was seen, and is meant. */
export type Meant = { readonly reason?: string; readonly confirm?: boolean };

const scopeOf = ({ user, graphId }: TuningScope) => ({ user, graph_id: graphId });

// The server checks every answer against the schemas that these types are made of.
export function createTuningCalls({ send }: Transport) {
  const root = '/api/v1/tuning';
  const own = '/api/v1/config/lightrag';
  const configAt = (path: string) => ({
    get: async (options?: CallOptions): Promise<LightragConfigBody> =>
      (await send(path, options)) as LightragConfigBody,
    /** All of them or none. @throws RagwardenError `request/invalid` with every violation */
    set: async (
      values: TuningValues,
      { reason, confirm, ...call }: CallOptions & Meant = {},
    ): Promise<LightragConfigBody> =>
      (await send(path, { ...call, method: 'PUT', query: { reason, confirm }, body: values })) as LightragConfigBody,
    reset: async ({ reason, confirm, ...call }: CallOptions & Meant = {}): Promise<{ readonly message: string }> =>
      (await send(path, { ...call, method: 'DELETE', query: { reason, confirm } })) as { message: string },
  });
  return {
    /** Of whoever calls. */
    own: configAt(own),
    /** Of everybody who set nothing; for administrators. */
    default: configAt(`${own}/default`),
    parameters: async (options?: CallOptions): Promise<Page<ParameterBody>> =>
      (await send(`${root}/parameters`, options)) as Page<ParameterBody>,
    effective: async ({ user, graphId, ...call }: CallOptions & TuningScope = {}): Promise<Page<EffectiveBody>> =>
      (await send(`${root}/effective`, {
        ...call,
        query: scopeOf({ ...(user === undefined ? {} : { user }), ...(graphId === undefined ? {} : { graphId }) }),
      })) as Page<EffectiveBody>,
    set: async (
      values: TuningValues,
      { user, graphId, reason, confirm, ...call }: CallOptions & TuningScope & Meant = {},
    ): Promise<TuningChangedBody> =>
      (await send(`${root}/values`, {
        ...call,
        method: 'PUT',
        body: { user, graph_id: graphId, values, reason: reason ?? null, confirm: confirm ?? false },
      })) as TuningChangedBody,
    /** Without user and workspace: all that anybody set. */
    reset: async ({
      user,
      graphId,
      reason,
      confirm,
      ...call
    }: CallOptions & TuningScope & Meant = {}): Promise<TuningChangedBody> =>
      (await send(`${root}/values`, {
        ...call,
        method: 'DELETE',
        query: { user, graph_id: graphId, reason, confirm },
      })) as TuningChangedBody,
    check: async (
      values: TuningValues,
      { user, graphId, ...call }: CallOptions & TuningScope = {},
    ): Promise<TuningCheckBody> =>
      (await send(`${root}/check`, {
        ...call,
        method: 'POST',
        body: { user, graph_id: graphId, values },
      })) as TuningCheckBody,
    /** What applying would write, and what it does to the index. */
    plan: async ({ targetId, ...call }: CallOptions & { targetId?: string } = {}): Promise<ApplyPlanBody> =>
      (await send(`${root}/plan`, { ...call, query: { target_id: targetId } })) as ApplyPlanBody,
    /** Begins to write it and to restart the backend. @throws RagwardenError `conflict/confirmation-required`, `operation/busy` */
    apply: async ({
      targetId,
      confirm,
      ...call
    }: StartOptions & { targetId?: string; confirm?: boolean } = {}): Promise<OperationBody> =>
      (await send(`${root}/apply`, {
        ...call,
        method: 'POST',
        body: { target_id: targetId, confirm: confirm ?? false },
      })) as OperationBody,
    /** The providers of models that the backend can be switched to, as the settings name them. */
    providers: async (options?: CallOptions): Promise<Page<ProviderBody>> =>
      (await send(`${root}/providers`, options)) as Page<ProviderBody>,
    /**
     * Has the backend ask another provider, and everything put back when that fails (`success` is false then). Resolves when it is
     * over; with `waitSeconds`, after that time with the operation that goes on.
     * @throws RagwardenError `request/invalid`, `conflict/confirmation-required`, `conflict/state`, `operation/busy`
     */
    switchProvider: async (
      provider: string,
      {
        targetId,
        confirm,
        ...call
      }: StartOptions & { targetId?: string; confirm?: boolean; waitSeconds?: number } = {},
    ): Promise<ProviderSwitchBody | OperationBody> =>
      (await send('/api/system/provider/switch', {
        ...call,
        method: 'POST',
        body: { provider, target_id: targetId, confirm: confirm ?? false },
      })) as ProviderSwitchBody | OperationBody,
    /** What differs between what somebody set and what the backends run with. */
    drift: async (options?: CallOptions): Promise<TuningDriftBody> =>
      (await send(`${root}/drift`, options)) as TuningDriftBody,
    /** What the figures of the backends suggest; nothing that was not measured. `windowSeconds` 600 to 604800, a day unless told. */
    advice: async ({ windowSeconds, ...call }: CallOptions & { windowSeconds?: number } = {}): Promise<AdviceBody> =>
      (await send(`${root}/advice`, { ...call, query: { window: windowSeconds } })) as AdviceBody,
    /** What the backends are seen to run with, and where that was seen. */
    running: async (options?: CallOptions): Promise<Page<RunningValueBody>> =>
      (await send(`${root}/running`, options)) as Page<RunningValueBody>,
    /** Newest first. `limit` 1 to 500, 100 unless told. */
    revisions: async ({
      limit,
      cursor,
      ...call
    }: CallOptions & { limit?: number; cursor?: string } = {}): Promise<Page<RevisionBody>> =>
      (await send(`${root}/revisions`, { ...call, query: { limit, cursor } })) as Page<RevisionBody>,
    revision: async (revision: number, options?: CallOptions): Promise<RevisionBody> =>
      (await send(`${root}/revisions/${pathPart(String(revision))}`, options)) as RevisionBody,
    /** Between the states after two revisions; 0 is before the first. */
    diff: async (from: number, to: number, options?: CallOptions): Promise<Page<TuningChangeBody>> =>
      (await send(`${root}/diff`, { ...options, query: { from, to } })) as Page<TuningChangeBody>,
    /** The state after a revision comes back, as a new one. */
    rollback: async (
      revision: number,
      { reason, confirm, ...call }: CallOptions & Meant = {},
    ): Promise<TuningChangedBody & { readonly left_out: readonly string[] }> =>
      (await send(`${root}/revisions/${pathPart(String(revision))}/rollback`, {
        ...call,
        method: 'POST',
        body: { reason: reason ?? null, confirm: confirm ?? false },
      })) as TuningChangedBody & { left_out: string[] },
  };
}
