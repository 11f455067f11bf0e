/** Run by a test as a process of its own, to be killed: starts an operation, prints its id in phase `moving`, and goes on. */
import { writeSync } from 'node:fs';
import { createEventLog } from '../events/index.ts';
import { stateMigrations } from '../migrations/index.ts';
import { systemClock } from '../platform/clock.ts';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createOperations } from './index.ts';

const path = process.argv[2];
if (path !== undefined && process.argv[1]?.endsWith('killed-operation.fixture.ts')) {
  const db = openSqlite({ name: 'state', path, synchronous: 'FULL', log: silentLogger });
  await migrate(db, stateMigrations);
  const events = createEventLog({ db, clock: systemClock, instance: 'warden' });
  const operations = createOperations({ db, clock: systemClock, log: silentLogger, events, instance: 'warden' });
  await operations.start({
    kind: 'restore.run',
    targetId: 'default',
    input: { point: 'rp_7' },
    requestedBy: 'admin',
    async run(context) {
      await context.phase('moving');
      writeSync(1, `${context.id}\n`);
      await systemClock.sleep(600_000);
    },
  });
}
