import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig, settingEntries } from '../config/index.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createWarden, type StartedWarden, type Warden } from './warden.ts';

/** Each variable that says how often something is done, the job that does it, and seconds unlike all others. */
const drives: readonly (readonly [variable: string, job: string, seconds: number])[] = [
  ['RAGWARDEN_HEALTH_INTERVAL', 'health tcp gone', 10],
  ['RAGWARDEN_SAMPLE_INTERVAL', 'host sampler', 3],
  ['RAGWARDEN_PROBE_INTERVAL', 'probe default', 5],
  ['RAGWARDEN_DIRECTORY_SIZES_INTERVAL', 'user directories', 7],
  ['LIGHTRAG_METRICS_COLLECTION_INTERVAL', 'workspace sizes', 11],
  ['RAGWARDEN_HEARTBEAT_INTERVAL', 'heartbeat', 9],
  ['RAGWARDEN_METRICS_AGGREGATION_INTERVAL', 'metric rollup', 4],
  ['RAGWARDEN_METRICS_CLEANUP_INTERVAL', 'metric cleanup', 6],
  ['RAGWARDEN_CANARY_INTERVAL', 'canary default', 12],
  ['RAGWARDEN_LEAK_CHECK_INTERVAL', 'leak scan', 8],
  ['RAGWARDEN_ALERT_EVALUATION_INTERVAL', 'alert evaluation', 10],
  ['RAGWARDEN_OBSERVE_INTERVAL', 'leak observation', 13],
  ['RAGWARDEN_ORPHAN_CHECK_INTERVAL', 'orphan search', 2],
  ['RAGWARDEN_RESOURCE_CLEANUP_INTERVAL', 'resource sweep', 10],
  ['RAGWARDEN_CLEANUP_CHECK_INTERVAL', 'cleanup tasks', 14],
  ['RAGWARDEN_QUOTA_CHECK_INTERVAL', 'quotas', 6],
  ['RAGWARDEN_ANALYTICS_INTERVAL', 'analytics', 12],
  ['RAGWARDEN_TUNING_CHECK_INTERVAL', 'tuning', 11],
  ['LIGHTRAG_REPLICATION_HEALTH_CHECK_INTERVAL', 'replication', 9],
];

let dataDir: string;
let warden: Warden;
let started: StartedWarden;
const clock = createFakeClock();

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'ragwarden-intervals-'));
  const env = {
    ...Object.fromEntries(drives.map(([variable, , seconds]) => [variable, String(seconds)])),
    RAGWARDEN_DATA_DIR: dataDir,
    RAGWARDEN_PORT: '0',
    LIGHTRAG_METRICS_PORT: '0',
    RAGWARDEN_GATEWAY_ENABLED: 'false',
    RAGWARDEN_HEARTBEAT_URL: 'http://127.0.0.1:9/alive',
    // Nobody answers there, which is soon known.
    RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9',
    WORKING_DIR: join(dataDir, 'rag'),
    RAGWARDEN_CANARY_QUESTION: 'Who keeps the lamp?',
    RAGWARDEN_CANARY_EXPECTED: 'Ottilie',
    RAGWARDEN_BACKUP_AT_START: 'false',
    RAGWARDEN_BACKUP_JITTER: '0',
  };
  writeFileSync(
    join(dataDir, 'ragwarden.yaml'),
    'backup: {frequency_seconds: 7200}\nhealth: {tcp: [{id: gone, host: 127.0.0.1, port: 9}]}\n',
  );
  warden = createWarden({ reading: readConfig({ env, cwd: dataDir }), log: silentLogger, command: 'serve', clock });
  started = await warden.start();
});
afterAll(async () => {
  await warden.stop('the test is over');
  rmSync(dataDir, { recursive: true, force: true });
});

const job = (name: string) => {
  const found = started.jobs.states(clock.now()).find((one) => one.name === name);
  if (!found) throw new Error(`there is no job "${name}"`);
  return found;
};
/**
 * Runs do real work, which takes its own time; the fake clock stands still meanwhile. All of them, since one may wake another:
 * what an inspection found is probed at once.
 */
const atRest = async (): Promise<void> => {
  const running = () =>
    started.jobs
      .states(clock.now())
      .filter((one) => one.running)
      .map((one) => one.name);
  await expect.poll(running).toEqual([]);
};

/** When each job began, as the clock goes on second by second. */
async function begun(names: readonly string[], seconds: number): Promise<Map<string, number[]>> {
  const seen = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let second = 0; second < seconds; second += 1) {
    await clock.advance(1_000);
    await atRest();
    for (const name of names) {
      const at = job(name).lastStartedAt;
      const starts = seen.get(name);
      if (starts && at !== null && starts.at(-1) !== at) starts.push(at);
    }
  }
  return seen;
}

describe('each interval variable drives the job that it names', () => {
  test('and at that interval', async () => {
    const names = drives.map(([, name]) => name);
    await atRest();
    const seen = await begun(names, 36);
    for (const [variable, name, seconds] of drives) {
      // The first runs come when they are ready, not at their interval.
      const starts = (seen.get(name) ?? []).slice(-3);
      const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0));
      expect(new Set(gaps), `${variable} → ${name}`).toEqual(new Set([seconds * 1_000]));
    }
  });

  test('and what a variable says is not changed over the API', async () => {
    await expect(
      started.settings.patch({ 'target.probe_interval_seconds': 2 }, { actor: 'test' }),
    ).rejects.toMatchObject({ code: 'settings/fixed' });
  });

  test('every interval among the settings is one of these, or the distance between two dates', () => {
    const intervals = settingEntries.filter(([, { key }]) => /interval|frequency/.test(key));
    const others = intervals.filter(([, one]) => !drives.some(([name]) => one.env.some((env) => env.name === name)));
    expect(others.map(([, { key }]) => key).sort()).toEqual([
      'backup.check_interval_days',
      'backup.frequency_seconds',
      'backup.prune_interval_days',
      'cleanup.workspace_interval_minutes',
      'drill.frequency_seconds',
      'logs.interval_seconds',
      'notify.group_interval_seconds',
      'notify.repeat_interval_seconds',
      'recovery.checkpoint_interval_seconds',
      'replication.interval_seconds',
      'replication.verify_interval_seconds',
    ]);
  });

  test.each([
    ['BACKUP_FREQUENCY', '7200', 7_200_000],
    ['LIGHTRAG_AUTO_BACKUP_INTERVAL', '2', 7_200_000],
    ['LIGHTRAG_AUTO_BACKUP_INTERVAL', '0.5', 1_800_000],
  ])('%s=%s is the interval of the schedule', async (variable, value, ms) => {
    const { config } = readConfig({ env: { [variable]: value }, cwd: dataDir });
    expect(config.backup.frequencyMs).toBe(ms);
  });

  test('the schedule takes its date from it: one interval after the start, when nothing is taken at the start', async () => {
    const dueIn = async (): Promise<number | null> => {
      const { nextMs, availability } = await started.schedule.status('default');
      // Where restic is missing nothing is due.
      return availability.available && nextMs !== null ? nextMs - Date.UTC(2026, 0, 1) : null;
    };
    const restic = (await dueIn()) !== null;
    expect(await dueIn()).toBe(restic ? 7_200_000 : null);
    await started.settings.patch({ 'backup.frequency_seconds': 600, 'backup.retention_days': 3 }, { actor: 'test' });
    expect(await dueIn()).toBe(restic ? 600_000 : null);
    expect(started.backup.policy).toMatchObject({ frequencyMs: 600_000, retentionDays: 3 });
  });
});
