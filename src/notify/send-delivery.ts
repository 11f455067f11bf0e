import type { Clock } from '../platform/clock.ts';
import { describeError } from '../platform/errors.ts';
import type { HttpClient } from '../platform/http-client.ts';
import type { Delivery, SendResult } from './delivery.ts';
import type { MessageAlert } from './message.ts';
import type { Receiver } from './receiver.ts';
import { pushAlerts } from './senders/alertmanager.ts';
import { sendEmail } from './senders/email.ts';
import type { SendContext } from './senders/sender.ts';
import { sendSlack } from './senders/slack.ts';
import { sendWebhook } from './senders/webhook.ts';

/** The ways out. What fails is a result; only an abort of the signal rejects. */
export type Ways = {
  send(receiver: Receiver, delivery: Delivery, signal: AbortSignal): Promise<SendResult>;
  /** Says again what fires, to one that forgets what it does not hear of. */
  push(
    receiver: Receiver & { kind: 'alertmanager' },
    firing: readonly MessageAlert[],
    signal: AbortSignal,
  ): Promise<SendResult>;
};

export function createWays(options: { http: HttpClient; allowPrivate(): boolean; clock: Clock }): Ways {
  const { http, allowPrivate, clock } = options;
  const contextOf = ({ origin }: Receiver, signal: AbortSignal): SendContext => {
    if (origin === 'file') return { http, admit: undefined, clock, signal };
    const guarded = http.forUntrusted({ allowPrivate: allowPrivate() });
    return { http: guarded, admit: guarded.admit, clock, signal };
  };
  const caught = async (signal: AbortSignal, work: () => Promise<SendResult>): Promise<SendResult> => {
    try {
      return await work();
    } catch (err) {
      signal.throwIfAborted();
      // It stands within sentences of others.
      return { outcome: 'failed', status: null, error: describeError(err).replace(/\.$/, '') };
    }
  };
  return {
    send(receiver, delivery, signal) {
      const context = contextOf(receiver, signal);
      return caught(signal, () => {
        switch (receiver.kind) {
          case 'webhook':
            return sendWebhook(receiver, delivery, context);
          case 'slack':
            return sendSlack(receiver, delivery, context);
          case 'email':
            return sendEmail(receiver, delivery, context);
          case 'alertmanager':
            return pushAlerts(receiver, delivery.message.alerts, context);
        }
      });
    },
    push: (receiver, firing, signal) => caught(signal, () => pushAlerts(receiver, firing, contextOf(receiver, signal))),
  };
}
