import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { findAlert, writeAlert } from './alert-store.ts';
import { boundedNotification, decideTold, type Notifier } from './notification.ts';
import { findSilences } from './silence.ts';
import { type SilenceTables, selectLiveSilences } from './silence-store.ts';

/** @param onTold after the commit of whatever there may be something to send for */
export function createNotifier(options: { db: Database; clock: Clock; onTold(): void }): Notifier {
  const { db, clock, onTold } = options;
  return {
    async tell(tx, given) {
      const told = boundedNotification(given);
      const known = await findAlert(tx, told.key);
      const kept = decideTold(known, told, clock.now());
      if (kept === undefined || JSON.stringify(kept) === JSON.stringify(known)) return;
      await writeAlert(tx, kept);
      tx.afterCommit(onTold);
    },
    async acknowledge(tx, key, by, note) {
      const known = await findAlert(tx, key);
      if (known?.status !== 'firing') return false;
      await writeAlert(tx, { ...known, acknowledged: { by, atMs: clock.now(), note } });
      tx.afterCommit(onTold);
      return true;
    },
    silencedBy: async (labels, nowMs) =>
      findSilences(await selectLiveSilences(db.reader<SilenceTables>(), nowMs), labels, nowMs),
  };
}
