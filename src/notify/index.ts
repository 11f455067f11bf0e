/**
 * What is told to people and programs outside: who gets it, when, and what became of it.
 * Owns the tables `notify_alert` (what was told last of each key), `notify_group` (what each receiver heard of), `notify_delivery` (the
 * outbox, with attempts), `notify_receiver`, `notify_receiver_state` and `notify_silence`. Invariants: what was told in a unit that
 * committed is delivered or visibly not; a delivery that may have arrived is sent again under the same id, never dropped.
 */
export type { AttemptSeen } from './delivery-jobs.ts';
export type { Notification, NotificationSeverity, Notifier } from './notification.ts';
export { createNotifier } from './notifier.ts';
export { createNotify, type Notify } from './notify.ts';
export { boundedDeliveries, boundedSilences } from './notify-growth.ts';
export { notifyRoutes } from './notify-routes.ts';
export type { KnownReceiver } from './receivers.ts';
