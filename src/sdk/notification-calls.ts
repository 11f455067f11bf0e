import { type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  DeliveriesBody,
  DeliveryBody,
  NewReceiverBody,
  Page,
  ReceiverBody,
  ReceiverTestBody,
  SilenceBody,
} from './wire.ts';

export type NewSilence = {
  /** `severity=warning`, `team!=web`, `target=prod-*`; all of them hold. */
  readonly matchers: readonly string[];
  /** Now unless told. */
  readonly from?: Date;
  readonly until: Date;
  readonly comment: string;
};

type Every = { readonly sendResolved?: boolean; readonly timeoutSeconds?: number };
/** Secrets go in and never come out; in a change, those left out stay. */
export type NewReceiver = Every &
  (
    | { readonly kind: 'webhook'; readonly url?: string; readonly signingKey?: string }
    | { readonly kind: 'slack'; readonly url?: string; readonly channel?: string }
    | {
        readonly kind: 'email';
        readonly host: string;
        readonly port?: number;
        readonly tls?: 'starttls' | 'implicit';
        readonly username?: string;
        readonly password?: string;
        readonly from: string;
        readonly to: readonly string[];
      }
    | {
        readonly kind: 'alertmanager';
        readonly url: string;
        readonly bearerToken?: string;
        readonly username?: string;
        readonly password?: string;
      }
  );

const silenceBody = ({ matchers, from, until, comment }: NewSilence) => ({
  ...{ matchers, comment },
  from: from?.toISOString(),
  until: until.toISOString(),
});

function receiverBody(receiver: NewReceiver): Record<string, unknown> {
  const { sendResolved, timeoutSeconds, ...rest } = receiver;
  const named: Record<string, unknown> = { send_resolved: sendResolved, timeout_seconds: timeoutSeconds };
  for (const [name, value] of Object.entries(rest))
    named[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  return named;
}

/** Who is told of alerts, what is held back, and what became of each notification. */
export function createNotificationCalls({ send }: Transport) {
  const base = '/api/v1/metrics/alerts';
  const silence = (id: string): string => `${base}/silences/${pathPart(id)}`;
  const receiver = (id: string): string => `${base}/receivers/${pathPart(id)}`;
  // The server checks every answer against the schemas that these types are made of.
  return {
    /** Newest first; only those that hold something back now or later unless `all`. */
    silences: async ({
      all,
      limit,
      cursor,
      ...call
    }: CallOptions & { all?: boolean; limit?: number; cursor?: string } = {}) =>
      (await send(`${base}/silences`, {
        ...call,
        query: { state: all ? 'all' : 'live', limit, cursor },
      })) as Page<SilenceBody>,
    /** @throws `request/not-found` */
    silence: async (id: string, call?: CallOptions) => (await send(silence(id), call)) as SilenceBody,
    createSilence: async (wanted: NewSilence, call?: CallOptions) =>
      (await send(`${base}/silences`, { ...call, method: 'POST', body: silenceBody(wanted) })) as SilenceBody,
    /** @throws `request/not-found`, `conflict/state` when it is over */
    changeSilence: async (id: string, wanted: NewSilence, call?: CallOptions) =>
      (await send(silence(id), { ...call, method: 'PUT', body: silenceBody(wanted) })) as SilenceBody,
    /** Ends it now. @throws `request/not-found` */
    expireSilence: async (id: string, call?: CallOptions) =>
      (await send(silence(id), { ...call, method: 'DELETE' })) as SilenceBody,
    receivers: async (call?: CallOptions) => (await send(`${base}/receivers`, call)) as Page<ReceiverBody>,
    /** @throws `request/not-found` */
    receiver: async (id: string, call?: CallOptions) => (await send(receiver(id), call)) as ReceiverBody,
    /** A signing key that was made is told this once. @throws `conflict/state`, `outgoing/refused-address` */
    createReceiver: async (id: string, wanted: NewReceiver, call?: CallOptions) =>
      (await send(`${base}/receivers`, {
        ...call,
        method: 'POST',
        body: { id, receiver: receiverBody(wanted) },
      })) as NewReceiverBody,
    /** @throws `request/not-found`, `conflict/state` for one of the file, `outgoing/refused-address` */
    changeReceiver: async (id: string, wanted: NewReceiver, call?: CallOptions) =>
      (await send(receiver(id), { ...call, method: 'PUT', body: { receiver: receiverBody(wanted) } })) as ReceiverBody,
    removeReceiver: async (id: string, call?: CallOptions): Promise<void> => {
      await send(receiver(id), { ...call, method: 'DELETE' });
    },
    /** Takes one into use again that was switched off. */
    enableReceiver: async (id: string, call?: CallOptions) =>
      (await send(`${receiver(id)}/enable`, { ...call, method: 'POST' })) as ReceiverBody,
    /** Sends a notification now and says what came of it. */
    testReceiver: async (id: string, call?: CallOptions) =>
      (await send(`${receiver(id)}/test`, { ...call, method: 'POST' })) as ReceiverTestBody,
    /** Newest first, with their attempts. */
    deliveries: async ({
      state,
      receiver: receiverId,
      limit,
      cursor,
      ...call
    }: CallOptions & { state?: DeliveryBody['state']; receiver?: string; limit?: number; cursor?: string } = {}) =>
      (await send(`${base}/deliveries`, {
        ...call,
        query: { state, receiver: receiverId, limit, cursor },
      })) as DeliveriesBody,
    /** @throws `request/not-found` */
    delivery: async (id: string, call?: CallOptions) =>
      (await send(`${base}/deliveries/${pathPart(id)}`, call)) as DeliveryBody,
    /** Has a dead letter tried again. @throws `request/not-found`, `conflict/state` when it arrived */
    retryDelivery: async (id: string, call?: CallOptions) =>
      (await send(`${base}/deliveries/${pathPart(id)}/retry`, { ...call, method: 'POST' })) as DeliveryBody,
  };
}
