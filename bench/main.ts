// Measures the product against references, each in the same run. `npm run bench -- [NAME …] [--tiny] [--write]`
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { alertEvaluation } from './alert-evaluation.ts';
import { analytics } from './analytics.ts';
import { apiRoute } from './api-route.ts';
import { backup } from './backup.ts';
import { cleanup } from './cleanup.ts';
import { databaseDump } from './database-dump.ts';
import { events } from './events.ts';
import { gateway } from './gateway.ts';
import { health } from './health.ts';
import { hostSample } from './host-sample.ts';
import { idle } from './idle.ts';
import { leakDetection } from './leaks/leak-detection.ts';
import { resourceScan } from './leaks/resource-scan.ts';
import { lensReading } from './lens-reading.ts';
import { managers } from './managers.ts';
import { manyUsers } from './many-users.ts';
import { metricIntake } from './metric-intake.ts';
import { metricRecording } from './metric-recording.ts';
import { metricStorage } from './metric-storage.ts';
import { notify } from './notify.ts';
import { operationWrapper } from './operation-wrapper.ts';
import { built } from './processes.ts';
import { shareAmongBenches } from './product.ts';
import { quotaHammer } from './quota-hammer.ts';
import { quotas } from './quotas.ts';
import { recovery } from './recovery.ts';
import { replication } from './replication.ts';
import { type Bench, isMet, renderReport, Skipped } from './report.ts';
import { restore } from './restore.ts';
import { failoverRounds } from './rounds/failover-rounds.ts';
import { healthRounds } from './rounds/health-rounds.ts';
import { recoveryRounds } from './rounds/recovery-rounds.ts';
import { scatteredEdits } from './scattered-edits.ts';
import { startToReady } from './start-to-ready.ts';
import { wholePoint } from './whole-point.ts';
import { withSections } from './written-page.ts';

const benches: readonly Bench[] = [
  startToReady,
  idle,
  managers,
  hostSample,
  health,
  events,
  apiRoute,
  gateway,
  manyUsers,
  backup,
  databaseDump,
  wholePoint,
  restore,
  replication,
  recovery,
  recoveryRounds,
  failoverRounds,
  healthRounds,
  scatteredEdits,
  metricRecording,
  metricStorage,
  notify,
  operationWrapper,
  lensReading,
  metricIntake,
  alertEvaluation,
  leakDetection,
  resourceScan,
  cleanup,
  quotas,
  quotaHammer,
  analytics,
];
const page = join(import.meta.dirname, '../docs/benchmarks.md');

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { tiny: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
  });
  const unknown = positionals.find((name) => !benches.some((bench) => bench.name === name));
  if (unknown !== undefined) {
    console.error(`There is no bench "${unknown}". There are: ${benches.map((bench) => bench.name).join(', ')}.`);
    return 2;
  }
  if (process.platform !== 'linux' || !existsSync(built('main.js'))) {
    console.error('The figures are taken on Linux, of what `npm run build` built.');
    return 2;
  }
  const size = values.tiny ? 'tiny' : 'full';
  const loadBefore = loadavg();
  const stopCommon = values.tiny ? shareAmongBenches() : undefined;
  const parts: string[] = [];
  const failed: string[] = [];
  for (const bench of benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    const beganMs = performance.now();
    try {
      const report = await bench.run(size);
      const text = renderReport(report);
      parts.push(text);
      console.log(`${text}\n`);
      const figures = report.figures.map((figure) => ({ ...figure, met: isMet(figure) }));
      console.log(
        `${JSON.stringify({ bench: bench.name, size, seconds: (performance.now() - beganMs) / 1_000, figures })}\n`,
      );
    } catch (err) {
      const reason = err instanceof Error ? err.message : String(err);
      parts.push(`## ${bench.name}\n\nNot measured: ${reason}`);
      console.error(`${bench.name}: ${reason}`);
      if (err instanceof Skipped) console.log(JSON.stringify({ bench: bench.name, size, skipped: reason }));
      else failed.push(bench.name);
    }
  }
  await stopCommon?.();
  if (values.write)
    writeFileSync(page, withSections(readFileSync(page, 'utf8'), parts, machine(loadBefore, positionals)));
  return failed.length === 0 ? 0 : 1;
}

function machine(load: readonly number[], names: readonly string[]): string {
  const [first] = cpus();
  return [
    `Taken on ${new Date().toISOString().slice(0, 10)} with \`npm run bench${names.length === 0 ? '' : ` -- ${names.join(' ')}`}\`:`,
    `${cpus().length} cores (${first?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release().split('.').slice(0, 2).join('.')}, Node.js ${process.versions.node};`,
    `load average ${load.map((one) => one.toFixed(2)).join(' ')} before the run.`,
  ].join('\n');
}

process.exitCode = await main();
// Whatever a failed bench left running ends with this process.
process.exit();
