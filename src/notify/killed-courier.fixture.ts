/**
 * Run by a test as a process of its own, to be killed: tells of something, decides who hears of it, prints `decided`, and with `send` goes
 * on to send it.
 */
import { writeSync } from 'node:fs';
import { createEventLog } from '../events/index.ts';
import { stateMigrations } from '../migrations/index.ts';
import { systemClock } from '../platform/clock.ts';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { createSeal } from '../platform/seal.ts';
import { createNotify } from './notify.ts';
import { firing, route, webhook } from './test-notify.ts';

const [, script, path, url = '', then] = process.argv;
if (path !== undefined && script?.endsWith('killed-courier.fixture.ts')) {
  const db = openSqlite({ name: 'state', path, synchronous: 'FULL', log: silentLogger });
  await migrate(db, stateMigrations);
  const notify = createNotify({
    ...{ db, http: createHttpClient(), clock: systemClock, random: systemRandom, log: silentLogger, instance: 'main' },
    events: createEventLog({ db, clock: systemClock, instance: 'main' }),
    config: () => ({
      receivers: [webhook('hook', url)],
      routes: [],
      fallback: route({ groupWaitMs: 0 }),
      giveUpMs: 86_400_000,
      allowPrivate: false,
    }),
    seal: createSeal({ given: undefined, file: `${path}.seal.key`, random: systemRandom }),
  });
  await db.unit((tx) => notify.notifier.tell(tx, firing('cpu')));
  await notify.planner.runOnce();
  writeSync(1, 'decided\n');
  if (then === 'send') await notify.courier.runOnce();
  await systemClock.sleep(600_000);
}
