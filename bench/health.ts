import { rmSync } from 'node:fs';
import { createWarden } from '../src/app/index.ts';
import { createLightragDatabase } from '../src/backup/postgres/lightrag-database.fixture.ts';
import { readConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { startRedis } from '../test/setup/redis-server.ts';
import { temporaryFolder } from './processes.ts';
import { startDatabase } from './product.ts';
import { type Bench, median } from './report.ts';

/** A fresh look at everything, with the servers and the sample up, and what was last seen, read again and again. */
export const health: Bench = {
  name: 'health',
  async run(size) {
    const [rounds, warmUp, reads] = size === 'full' ? [40, 10, 2_000] : [2, 1, 20];
    const dataDir = temporaryFolder();
    const cluster = await startDatabase();
    const redis = await startRedis();
    const rag = await createLightragDatabase({ server: cluster.url('postgres') });
    await rag.fill('acme', 100);
    const env = {
      ...{ RAGWARDEN_DATA_DIR: dataDir, RAGWARDEN_PORT: '0', LIGHTRAG_METRICS_PORT: '0' },
      ...{ RAGWARDEN_GATEWAY_ENABLED: 'false', BACKUP_ENABLED: 'false', RAGWARDEN_LOG_LEVEL: 'silent' },
      ...{ DATABASE_URL: cluster.url(rag.connection.database), REDIS_URI: redis.url() },
    };
    const warden = createWarden({ reading: readConfig({ env, cwd: dataDir }), log: silentLogger, command: 'up' });
    try {
      const { health: looked } = await warden.start();
      const first = await looked.freshReport();
      const ill = first.checks.filter(({ result }) => result.status === 'unhealthy');
      if (ill.length > 0)
        throw new Error(`not all is up: ${ill.map(({ name, result }) => `${name}: ${result.message}`).join(' ')}`);
      const wall: number[] = [];
      const cpu: number[] = [];
      // The first rounds load the drivers and are compiled.
      for (let i = -warmUp; i < rounds; i += 1) {
        const [before, wallMs] = [process.cpuUsage(), performance.now()];
        await looked.freshReport();
        const tookMs = performance.now() - wallMs;
        const { user, system } = process.cpuUsage(before);
        if (i < 0) continue;
        wall.push(tookMs);
        cpu.push((user + system) / 1_000);
      }
      const startedMs = performance.now();
      for (let i = 0; i < reads; i += 1) looked.report();
      const readMs = (performance.now() - startedMs) / reads;
      return {
        row: 'F469, P17',
        target:
          'a fresh look at PostgreSQL, Redis and the backend within 100 ms and 10 ms of CPU; what was last seen within 1 ms',
        method: `Median of ${rounds} fresh looks in one process, each with a new connection to PostgreSQL and to Redis and a probe of the sample; ${reads} readings.`,
        columns: ['', 'ms'],
        lines: [
          ['fresh, wall', median(wall)],
          ['fresh, CPU', median(cpu)],
          ['as last seen', readMs],
        ],
        figures: [
          { what: 'a fresh look at everything', value: median(wall), limit: 100, unit: 'ms' },
          { what: 'its CPU', value: median(cpu), limit: 10, unit: 'ms' },
          { what: 'reading what was last seen', value: readMs, limit: 1, unit: 'ms' },
          { what: 'readings', value: 1_000 / readMs, unit: 'per second' },
        ],
      };
    } finally {
      await warden.stop('measured');
      await redis.remove();
      await cluster.remove();
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
};
