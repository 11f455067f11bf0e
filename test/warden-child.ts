// The whole product in a process of its own, from source, with a hook that ends it at one named boundary.
// Arguments: data folder, name of the boundary or an empty string, `kill` or `hold`.

import { createWarden } from '../src/app/index.ts';
import { readConfig } from '../src/config/index.ts';
import { createLogger } from '../src/platform/logging.ts';
import { impatientClock } from './impatient-clock.ts';

const [dataDir = '', boundary = ''] = process.argv.slice(2);
const reading = readConfig({
  env: {
    // A thread that most tests have no use for.
    RAGWARDEN_GATEWAY_ENABLED: 'false',
    RAGWARDEN_GATEWAY_PORT: '0',
    ...Object.fromEntries(
      Object.entries(process.env)
        .filter(([name]) => name.startsWith('TEST_'))
        .map(([name, value]) => [name.slice(5), value]),
    ),
    RAGWARDEN_DATA_DIR: dataDir,
    RAGWARDEN_PORT: '0',
    LIGHTRAG_METRICS_PORT: '0',
  },
  cwd: dataDir,
});
const warden = createWarden({
  reading,
  command: 'up',
  sampleSize: 'tiny',
  log: createLogger({ level: 'info' }),
  clock: impatientClock,
  step: (name) => {
    if (name === boundary) process.kill(process.pid, 'SIGKILL');
  },
});
const started = await warden.start();
process.stdout.write(
  `${JSON.stringify({ event: 'ready', api: started.api, metrics: started.metrics, gateway: started.gateway })}\n`,
);
process.on('SIGTERM', () => {
  void warden.stop('SIGTERM').then(() => process.exit(0));
});
