import { followStream, type StreamOptions } from './server-sent.ts';
import type { Call, CallOptions, Query, Transport } from './transport.ts';
import type { AuditEntryBody, AuditVerdictBody, EventAnalyticsBody, EventBody, Page } from './wire.ts';

export type EventFilter = {
  /** Types such as `target.status-changed`; `backup.*` is every one that begins so. */
  readonly types?: readonly string[];
  readonly severities?: readonly EventBody['severity'][];
  readonly targetId?: string;
  readonly workspace?: string;
  readonly operationId?: string;
  /** `backup`, `replication`, `recovery`, `health`, `alert`, `quota`, `cleanup`, `tuning`, `access`, `lifecycle`. */
  readonly kinds?: readonly NonNullable<EventBody['kind']>[];
  /** `target`, or `target:workspace`. */
  readonly graphId?: string;
  /** All that began with one request or operation: `correlation_id` of an event, or `requestId` of an error. */
  readonly correlationId?: string;
  readonly actor?: string;
};

export type EventQuery = EventFilter & {
  /** Inclusive. */
  readonly since?: Date;
  /** Exclusive. */
  readonly until?: Date;
  readonly order?: 'newest' | 'oldest';
  readonly cursor?: string;
  /** 1 to 500; 100 unless told. */
  readonly limit?: number;
};

export type EventStreamOptions = EventFilter &
  StreamOptions & {
    /** `seq` of the last event that is known already; unless told, what happens from the call on. */
    readonly after?: number;
    /** Told when the server's numbering began anew, as after its state was brought back: load the list again. */
    readonly onRefresh?: () => void;
  };

export type AuditQuery = {
  readonly actor?: string;
  readonly action?: string;
  readonly correlationId?: string;
  /** Inclusive. */
  readonly since?: Date;
  /** Exclusive. */
  readonly until?: Date;
  readonly cursor?: string;
  /** 1 to 500; 100 unless told. */
  readonly limit?: number;
};

export type EventRange = {
  /** Inclusive. */
  readonly since?: Date;
  /** Exclusive. */
  readonly until?: Date;
};

/** What another program did; it is kept as `<kind>.told.<eventType>`. */
export type ToldEvent = {
  readonly kind: 'backup' | 'replication' | 'recovery';
  readonly eventType: string;
  readonly graphId?: string | undefined;
  readonly replicationTargetId?: string | undefined;
  readonly checkpointId?: string | undefined;
  readonly severity?: EventBody['severity'] | undefined;
  readonly message?: string | undefined;
  /** JSON of 16 KiB at most; never a secret. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
};

export type VerifyOptions = CallOptions & {
  /** Where the heads that recovery points noted are read; `catalogue` unless told. `repository` takes a while. */
  readonly against?: 'catalogue' | 'repository' | 'nothing';
  /** A head that you noted. */
  readonly expected?: { readonly seq: number; readonly hash: string };
};

/** Lines may be silent while the server reads; more than a minute is no server. */
const exportSilenceMs = 60_000;

const filterOf = (filter: EventFilter) => ({
  type: filter.types?.join(','),
  severity: filter.severities?.join(','),
  kind: filter.kinds?.join(','),
  target_id: filter.targetId,
  workspace: filter.workspace,
  operation_id: filter.operationId,
  graph_id: filter.graphId,
  correlation_id: filter.correlationId,
  actor: filter.actor,
});
const rangeOf = ({ since, until }: EventRange) => ({ since: since?.toISOString(), until: until?.toISOString() });

/** What happened, and who asked for what. */
export function createEventCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  const list = ({ cursor, limit, order, ...query }: EventQuery = {}, call?: CallOptions) =>
    send<Page<EventBody>>('/api/v1/events', {
      ...call,
      query: { ...filterOf(query), ...rangeOf(query), order, cursor, limit },
    });

  async function* lines<T>(path: string, query: Query, { signal }: CallOptions): AsyncGenerator<T, void> {
    const accept = 'application/x-ndjson';
    const text = await transport.open(path, {
      query,
      signal,
      accept,
      lastEventId: undefined,
      silenceMs: exportSilenceMs,
    });
    let rest = '';
    for await (const chunk of text ?? []) {
      const parts = `${rest}${chunk}`.split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) yield JSON.parse(line) as T; // as above
    }
  }

  return {
    events: {
      /** What happened, newest first unless told otherwise. */
      list,
      /**
       * What happens from now on, or after an event that is known, each event once and in order. A lost connection is made
       * again, and what happened meanwhile is told first.
       * @throws RagwardenError when it cannot begin, or when the server refuses to go on (as after a token was revoked)
       */
      async *stream(query: EventStreamOptions = {}): AsyncGenerator<EventBody, void> {
        const { signal, onRefresh } = query;
        // Where "now" is must be known before the first connection, or what happens during a second one would be missed.
        const after = query.after ?? (await list({ limit: 1 }, { signal })).items[0]?.seq ?? 0;
        const path = '/api/v1/events/stream';
        for await (const { event, data } of followStream(transport.open, path, filterOf(query), String(after), query)) {
          if (event === 'event')
            yield JSON.parse(data) as EventBody; // checked where it is made
          else if (event === 'refresh') onRefresh?.();
        }
      },
      /** Every event of a range, oldest first, as they come in. Rejects in the middle when the answer breaks off. */
      export: (query: EventFilter & EventRange = {}, call: CallOptions = {}) =>
        lines<EventBody>('/api/v1/events/export', { ...filterOf(query), ...rangeOf(query) }, call),
      /** Counts by kind, severity and type over time, and the reasons told most; the last 24 hours unless told. */
      analytics: (
        { bucketSeconds, ...query }: EventFilter & EventRange & { readonly bucketSeconds?: number } = {},
        call?: CallOptions,
      ) =>
        send<EventAnalyticsBody>('/api/v1/events/analytics', {
          ...call,
          query: { ...filterOf(query), ...rangeOf(query), bucket_seconds: bucketSeconds },
        }),
      /** Tells of what another program did; a service token is enough. @throws `target/unknown` */
      tell: (event: ToldEvent, call?: CallOptions) =>
        send<EventBody>('/api/v1/events', {
          ...call,
          method: 'POST',
          body: {
            kind: event.kind,
            event_type: event.eventType,
            graph_id: event.graphId,
            replication_target_id: event.replicationTargetId,
            checkpoint_id: event.checkpointId,
            severity: event.severity,
            message: event.message,
            details: event.details,
          },
        }),
    },
    audit: {
      /** Who asked for what, newest first. */
      list: ({ correlationId, ...query }: AuditQuery = {}, call?: CallOptions) =>
        send<Page<AuditEntryBody>>('/api/v1/audit', {
          ...call,
          query: { ...query, ...rangeOf(query), correlation_id: correlationId },
        }),
      /** All of it with its hashes, oldest first, as it comes in. */
      export: (
        { actor, action, ...range }: EventRange & { readonly actor?: string; readonly action?: string } = {},
        call: CallOptions = {},
      ) => lines<AuditEntryBody>('/api/v1/audit/export', { actor, action, ...rangeOf(range) }, call),
      /** Reads the whole trail, checks its chain of hashes, and compares it with what recovery points noted of it. */
      verify: ({ against, expected, ...call }: VerifyOptions = {}) =>
        send<AuditVerdictBody>('/api/v1/audit/verify', {
          ...call,
          query: { against, expected_seq: expected?.seq, expected_hash: expected?.hash },
        }),
    },
  };
}
