import type { Tx } from '../platform/database/index.ts';
import type { Quota } from './quota.ts';
import type { Violation } from './violation-store.ts';

/** Tells people about a quota whose action is `escalate`; wired in app/. */
export type QuotaAlarm = {
  raise(
    tx: Tx,
    what: { readonly quota: Quota; readonly violation: Violation; readonly message: string },
  ): Promise<void>;
  resolve(tx: Tx, what: { readonly quota: Quota; readonly violation: Violation }): Promise<void>;
};
