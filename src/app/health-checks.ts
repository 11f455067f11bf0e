import type { BackupStatus } from '../backup/index.ts';
import type { TargetKind } from '../config/index.ts';
import type { CheckResult, HealthCheck, HealthWord } from '../health/index.ts';
import type { HostHealth, HostSample } from '../host/index.ts';
import type { RemoteWrite } from '../metrics/index.ts';
import { type Clock, isoInstant } from '../platform/clock.ts';
import type { Jobs } from '../platform/jobs.ts';
import type { Heartbeat, LowDisk } from '../system/index.ts';
import type { StatusWord, WatchedTarget } from '../targets/index.ts';
import type { DiskForecast } from './disk-forecast.ts';

const wordOf: Record<StatusWord, HealthWord> = {
  HEALTHY: 'healthy',
  DEGRADED: 'degraded',
  OFFLINE: 'unhealthy',
  UNKNOWN: 'unknown',
};

const wellWords: Readonly<Record<TargetKind, string>> = {
  lightrag: 'It answers, and its documents and pipeline can be read.',
  graphrag: 'Its project can be read, and the last run ended well.',
  custom: 'It answers as its settings say that it should.',
};

export const targetCheck = (watched: WatchedTarget): HealthCheck => ({
  name: `target ${watched.target.id}`,
  kind: 'application',
  about: 'watched',
  neededFor: ['answer', 'ingest'],
  targetId: watched.target.id,
  tellsChanges: true,
  refresh: () => watched.probe(),
  read() {
    const status = watched.status();
    const seen = watched.observation();
    return {
      status: wordOf[status.word],
      message:
        status.reasons.map((reason) => reason.message).join(' ') ||
        (status.word === 'HEALTHY' ? wellWords[watched.target.kind] : ''),
      atMs: seen?.atMs,
      ...(seen?.latencyMs === undefined ? {} : { observedValue: Math.round(seen.latencyMs), observedUnit: 'ms' }),
      ...(status.word === 'DEGRADED' && status.reasons.some(({ code }) => notTheBackend.has(code))
        ? { blocks: ['answer', 'ingest'] as const }
        : {}),
    };
  },
});

/** Somebody answers, such as a proxy before a backend that is gone: nobody is answered by it, and nothing taken in. */
const notTheBackend: ReadonlySet<string> = new Set(['server-error', 'not-understood']);

/** Without a target the host may be fine, but nothing is looked after. */
export const nothingWatched: HealthCheck = {
  name: 'target',
  about: 'watched',
  neededFor: ['answer', 'ingest'],
  read: () => ({
    status: 'unknown',
    message: 'No target is configured: set RAGWARDEN_TARGET_URL and WORKING_DIR.',
    atMs: undefined,
  }),
};

export const hostCheck = (
  read: () => HostHealth,
  latest: () => HostSample | undefined,
  forecast: () => DiskForecast | undefined,
): HealthCheck => ({
  name: 'host',
  kind: 'system',
  about: 'watched',
  read() {
    const health = read();
    const { fullAtMs, fillsSoon } = forecast() ?? {};
    const full = fullAtMs === undefined ? null : isoInstant(fullAtMs);
    const reasons = fillsSoon
      ? [...health.reasons, `As it went over six hours, the file system with the data is full at ${full}.`]
      : health.reasons;
    return {
      status: fillsSoon && health.overall === 'healthy' ? 'degraded' : health.overall,
      message: reasons.join(' ') || 'CPU, memory and disks are below their thresholds.',
      ...hostFigures(health, latest()),
      ...(forecast() === undefined ? {} : { details: { disk_full_at: full } }),
    };
  },
});

/** The fields of document 002. */
function hostFigures(
  { checks }: HostHealth,
  sample: HostSample | undefined,
): Pick<CheckResult, 'atMs' | 'checks' | 'metrics'> {
  const single = ({ status, severity, percent }: HostHealth['checks']['cpu']) => ({
    ...{ status, severity, percent: percent ?? null },
  });
  const singles = { cpu: single(checks.cpu), memory: single(checks.memory), disk: single(checks.disk) };
  if (sample === undefined) return { atMs: undefined, checks: singles };
  const { cpu, memory, network } = sample;
  const disk = sample.dataDisk ?? sample.rootDisk;
  const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
  const gib = (bytes: number): number => Math.round((bytes / 2 ** 30) * 100) / 100;
  return {
    atMs: sample.takenAtMs,
    checks: singles,
    metrics: {
      cpu: { usage_percent: cpu.percent, core_count: cpu.logicalCount, load_average: cpu.loadAverage[0] },
      memory: {
        ...{
          total_mb: mib(memory.totalBytes),
          available_mb: mib(memory.availableBytes),
          used_mb: mib(memory.usedBytes),
        },
        usage_percent: memory.percent,
      },
      ...(disk === undefined
        ? {}
        : {
            disk: {
              ...{ total_gb: gib(disk.totalBytes), free_gb: gib(disk.freeBytes), used_gb: gib(disk.usedBytes) },
              usage_percent: disk.percent,
            },
          }),
      ...(network === undefined
        ? {}
        : {
            network: {
              ...{ bytes_sent: network.total.bytesSent, bytes_recv: network.total.bytesReceived },
              packets_sent: network.total.packetsSent ?? null,
              packets_recv: network.total.packetsReceived ?? null,
            },
          }),
    },
  };
}

/** Recovery: a point that meets the objective exists and was verified. While the first one is on its way, unknown. */
export const backupCheck = (
  targetId: string,
  read: () => BackupStatus | undefined,
  clock: Clock,
  startedMs: number,
): HealthCheck => ({
  name: `backup ${targetId}`,
  about: 'watched',
  targetId,
  read() {
    const status = read();
    if (!status) return { status: 'unknown', message: 'Not looked at yet.', atMs: undefined };
    const atMs = status.newestVerified?.takenMs;
    if (!status.availability.available)
      return { status: 'degraded', message: `Backups are unavailable: ${status.availability.reason}`, atMs };
    // Points that are taken hide that nothing is forgotten, freed or checked any more.
    if (status.rpo.met && status.upkeep.length > 0)
      return { status: 'degraded', message: status.upkeep.join(' '), atMs };
    if (status.rpo.met) return { status: 'healthy', message: 'A verified point meets the objective.', atMs };
    if (status.error !== null) return { status: 'degraded', message: status.error, atMs };
    const { newest } = status;
    const partial =
      newest?.status === 'partial'
        ? `No recovery point that is whole was taken yet: ${newest.id} is partial, and \`ragwarden backup show ${newest.id}\` says what it lacks.`
        : undefined;
    if (!status.newestVerified && clock.now() - startedMs < 600_000)
      return { status: 'unknown', message: partial ?? 'The first recovery point is not taken yet.', atMs };
    return {
      status: 'degraded',
      message: !status.newestVerified
        ? (partial ?? 'There is no verified recovery point.')
        : status.rpo.measuredMs === null
          ? 'The only verified points were dated in the future, by a clock that was wrong then; how old they are is unknown.'
          : 'The newest verified point is older than the objective allows.',
      atMs,
    };
  },
});

/** Our own background work. Late, it degrades; readiness is not its business, since requests are answered all the same. */
export const jobsCheck = (jobs: Jobs, clock: Clock): HealthCheck => ({
  name: 'background jobs',
  about: 'own',
  read() {
    const atMs = clock.now();
    const late = jobs.states(atMs).filter((state) => state.late !== null);
    if (late.length === 0) return { status: 'healthy', message: 'All background jobs keep their time.', atMs };
    return { status: 'degraded', message: late.map((state) => `${state.name}: ${state.late}.`).join(' '), atMs };
  },
});

/** Single calls get lost; when several in a row do, whoever should watch us does not. */
const unheardCalls = 3;

export const heartbeatCheck = (heartbeat: Heartbeat): HealthCheck => ({
  name: 'heartbeat',
  about: 'own',
  read() {
    const { complete, reason, callError, callFailures, lastSuccessMs } = heartbeat.status();
    const atMs = lastSuccessMs ?? undefined;
    if (complete === undefined) return { status: 'healthy', message: 'The first round is not over yet.', atMs };
    if (!complete) return { status: 'degraded', message: `Nobody is called: ${reason}.`, atMs };
    if (callError !== null)
      return {
        status: callFailures >= unheardCalls ? 'degraded' : 'healthy',
        message: `The heartbeat URL was not reached ${callFailures} time(s) in a row: ${callError}`,
        atMs,
      };
    return { status: 'healthy', message: 'Every round was reported.', atMs };
  },
});

/** The disk that our own state lies on. Requests are answered as long as that can be, so readiness does not change. */
export const ownDiskCheck = (disk: LowDisk): HealthCheck => ({
  name: 'own disk',
  kind: 'system',
  about: 'own',
  read() {
    const { level, freeBytes, givenUp, atMs } = disk.status();
    if (level === 'enough') return { status: 'healthy', message: 'The disk of the data folder has space.', atMs };
    const given = givenUp.length > 0 ? ` Given up: ${givenUp.join('; ')}.` : '';
    const points = level === 'very-low' ? ' No recovery point is begun.' : '';
    return {
      status: 'degraded',
      message: `The disk of the data folder is ${level === 'low' ? 'getting full' : 'nearly full'} (${freeBytes ?? 0} bytes are free).${points}${given}`,
      atMs,
    };
  },
});

/** A request that fails now and then is no finding; one minute of nothing else is. */
const unreachedMs = 60_000;
const lateMs = 300_000;
/** Samples that were lost are told for a while, since nothing brings them back. */
const toldMs = 600_000;

/** A store that gets our metrics. What it lacks our own tiers have, so this degrades and never more. */
export const remoteStoreCheck = (remoteWrite: RemoteWrite, name: string, clock: Clock): HealthCheck => ({
  name: `remote write ${name}`,
  kind: 'external',
  about: 'own',
  read() {
    const nowMs = clock.now();
    const store = remoteWrite.stores().find((one) => one.name === name);
    const atMs = store?.lastSuccessMs ?? undefined;
    const degraded = (message: string) => ({ status: 'degraded' as const, message, atMs });
    if (store === undefined) return { status: 'unknown', message: 'It is not written to.', atMs };
    const { failingSinceMs, lastError, oldestMs, samples, lastLoss, url } = store;
    if (failingSinceMs !== null && nowMs - failingSinceMs >= unreachedMs)
      return degraded(
        `${url} takes no samples since ${isoInstant(failingSinceMs)}; ${samples} wait. ${lastError ?? ''}`,
      );
    if (lastLoss !== null && nowMs - lastLoss.atMs < toldMs)
      return degraded(`Samples for ${url} were lost at ${isoInstant(lastLoss.atMs)}: ${lastLoss.reason}`);
    if (oldestMs !== undefined && nowMs - oldestMs > lateMs)
      return degraded(`${url} is ${Math.round((nowMs - oldestMs) / 1_000)} s behind; ${samples} samples wait.`);
    return {
      status: 'healthy',
      message: atMs === undefined ? `Nothing was sent to ${url} yet.` : `${url} takes samples.`,
      atMs,
    };
  },
});
