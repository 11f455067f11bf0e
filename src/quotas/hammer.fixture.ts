/**
 * Run as a process of its own, to be killed: uses one hard quota as fast as it can, and prints a dot for every use that was
 * granted, once it was. `node hammer.fixture.ts <file or postgres URL> <name of the instance>`
 */
import { writeSync } from 'node:fs';
import { stateMigrations } from '../migrations/index.ts';
import { systemClock } from '../platform/clock.ts';
import { openPostgres, openSqlite } from '../platform/database/index.ts';
import { systemCode } from '../platform/errors.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { anyPlace } from './quota.ts';
import { createQuotas } from './quotas.ts';

const [, script, place = '', instance = ''] = process.argv;
if (script?.endsWith('hammer.fixture.ts')) {
  const db = place.startsWith('postgres')
    ? await openPostgres({ name: 'state', url: place, steps: stateMigrations, instance, log: silentLogger })
    : openSqlite({ name: 'state', path: place, synchronous: 'FULL', log: silentLogger, lockTimeoutMs: 20_000 });
  const quotas = createQuotas({
    ...{ db, instance, clock: systemClock, random: systemRandom, log: silentLogger, fromFile: [] },
    events: {
      ...{ record: async () => 0, audit: async () => 0, listAudit: async () => [] },
      auditHead: async () => ({ seq: 0, hash: '' }),
    },
  });
  await quotas.definitions.load();
  let ends = false;
  process.on('SIGTERM', () => {
    ends = true;
  });
  /** At once, so that a kill swallows none; a pipe that is full for the moment takes nothing, and is no fault. */
  const say = async (): Promise<void> => {
    for (;;)
      try {
        writeSync(1, '.');
        return;
      } catch (err) {
        if (systemCode(err) !== 'EAGAIN') throw err;
        await systemClock.sleep(5);
      }
  };
  const lane = async (): Promise<void> => {
    while (!ends) {
      const spent = await quotas.spend(anyPlace, { tokens: 1 }, () => true);
      if (spent.granted) await say();
      // Turned away: somebody may give something back.
      else await systemClock.sleep(20);
    }
  };
  const flushing = setInterval(() => void quotas.ledger.flush().catch(() => undefined), 200);
  await Promise.all(Array.from({ length: 4 }, lane));
  clearInterval(flushing);
  await quotas.ledger.flush({ everything: true });
  await db.close();
}
