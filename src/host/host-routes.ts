import { z } from 'zod';
import { type Clock, isoInstant } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { DiskSample } from './disk-reader.ts';
import type { HostSample, ProcessSample, UserDirectorySizes } from './host.ts';
import { decideHostHealth, type HostCheck, type HostHealth, type HostThresholds } from './host-health.ts';
import type { HostSampler } from './host-sampler.ts';

// Sizes are bytes, shares percent from 0 to 100. What could not be read is null, never 0.
const bytes = z.number().describe('bytes');
const percent = z.number().describe('0 to 100');

const diskBody = z.object({ total: bytes, used: bytes, free: bytes, percent });
const processBody = z.object({
  pid: z.number().int(),
  cpu_percent: z.number().nullable().describe('100 is one core'),
  memory_percent: percent,
  memory_info: z.object({ rss: bytes, vms: bytes }),
  threads: z.number().int(),
  open_files: z.number().int().nullable(),
  connections: z.number().int().nullable().describe('open sockets of every kind'),
});

export const systemSchema = z.object({
  timestamp: z.string(),
  uptime_seconds: z.number().describe('of the machine'),
  cpu: z.object({
    percent,
    count: z.number().int(),
    physical_count: z.number().int().nullable(),
    load_avg: z.array(z.number()).length(3),
    per_cpu: z.array(percent.nullable()),
  }),
  memory: z.object({
    total: bytes,
    available: bytes,
    used: bytes,
    percent,
    swap_total: bytes,
    swap_used: bytes,
    swap_percent: percent,
  }),
  /** Of the file system of `/`; null when it did not answer. */
  disk: diskBody
    .extend({
      data_dir: diskBody
        .extend({
          path: z.string(),
          user_directories: z.record(z.string(), bytes).optional(),
          user_directories_measured_at: z.string().optional(),
        })
        .optional(),
      mounts: z.array(diskBody.extend({ path: z.string() })),
    })
    .nullable(),
  network: z.object({
    bytes_sent: bytes,
    bytes_recv: bytes,
    packets_sent: z.number(),
    packets_recv: z.number(),
    errin: z.number(),
    errout: z.number(),
    dropin: z.number(),
    dropout: z.number(),
  }),
  process: processBody,
  /** The backend's process; null where it is not known or not on this machine. */
  target_process: processBody.nullable(),
});
export type SystemBody = z.infer<typeof systemSchema>;

const checkBody = z.object({
  status: z.enum(['healthy', 'warning', 'unknown']),
  percent: percent.nullable().optional(),
});

/** A stranger gets the words; percentages, reasons and metrics are for admins. */
export const hostHealthSchema = z.object({
  status: z.enum(['healthy', 'degraded', 'critical', 'unknown']),
  timestamp: z.string(),
  checks: z.object({ cpu: checkBody, memory: checkBody, disk: checkBody }),
  reasons: z.array(z.string()).optional(),
  metrics: systemSchema.nullable().optional(),
});
export type HostHealthBody = z.infer<typeof hostHealthSchema>;

export const userStorageSchema = z.object({
  user_id: z.string(),
  metrics: z.object({ storage: z.object({ size_bytes: bytes, size_mb: z.number().describe('mebibytes') }) }),
});
export type UserStorageBody = z.infer<typeof userStorageSchema>;

const diskOf = ({ totalBytes, usedBytes, freeBytes, percent: full }: DiskSample): z.infer<typeof diskBody> => ({
  total: totalBytes,
  used: usedBytes,
  free: freeBytes,
  percent: full,
});

const processOf = (seen: ProcessSample): z.infer<typeof processBody> => ({
  pid: seen.pid,
  cpu_percent: seen.cpuPercent ?? null,
  memory_percent: seen.memoryPercent,
  memory_info: { rss: seen.residentBytes, vms: seen.virtualBytes },
  threads: seen.threads,
  open_files: seen.openFiles ?? null,
  connections: seen.connections ?? null,
});

/** The body of `GET /api/v1/monitoring/system`. */
export function systemBody(sample: HostSample, directories?: UserDirectorySizes): SystemBody {
  const { cpu, memory, rootDisk, dataDisk } = sample;
  const total = sample.network.total;
  return {
    timestamp: isoInstant(sample.takenAtMs),
    uptime_seconds: sample.uptimeSeconds,
    cpu: {
      percent: cpu.percent,
      count: cpu.logicalCount,
      physical_count: cpu.physicalCount ?? null,
      load_avg: [...cpu.loadAverage],
      per_cpu: cpu.perCore.map((core) => core.percent ?? null),
    },
    memory: {
      total: memory.totalBytes,
      available: memory.availableBytes,
      used: memory.usedBytes,
      percent: memory.percent,
      swap_total: memory.swapTotalBytes,
      swap_used: memory.swapUsedBytes,
      swap_percent: memory.swapPercent,
    },
    disk: rootDisk
      ? {
          ...diskOf(rootDisk),
          ...(dataDisk
            ? {
                data_dir: {
                  path: dataDisk.path,
                  ...diskOf(dataDisk),
                  ...(directories
                    ? {
                        user_directories: Object.fromEntries(directories.bytesByName),
                        user_directories_measured_at: isoInstant(directories.measuredAtMs),
                      }
                    : {}),
                },
              }
            : {}),
          mounts: sample.disks.map((disk) => ({ path: disk.path, ...diskOf(disk) })),
        }
      : null,
    network: {
      bytes_sent: total.bytesSent,
      bytes_recv: total.bytesReceived,
      packets_sent: total.packetsSent,
      packets_recv: total.packetsReceived,
      errin: total.errorsIn,
      errout: total.errorsOut,
      dropin: total.dropsIn,
      dropout: total.dropsOut,
    },
    process: processOf(sample.process),
    target_process: sample.targetProcess ? processOf(sample.targetProcess) : null,
  };
}

/**
 * The body of `GET /api/v1/monitoring/health`.
 * @param details for admins; without them only words leave the house
 */
export function healthBody(
  health: HostHealth,
  nowMs: number,
  details?: { metrics: SystemBody | null },
): HostHealthBody {
  const check = ({ status, percent: share }: HostCheck): z.infer<typeof checkBody> =>
    details ? { status, percent: share ?? null } : { status };
  return {
    status: health.overall,
    timestamp: isoInstant(nowMs),
    checks: { cpu: check(health.checks.cpu), memory: check(health.checks.memory), disk: check(health.checks.disk) },
    ...(details ? { reasons: [...health.reasons], metrics: details.metrics } : {}),
  };
}

/** The storage part of `GET /api/v1/monitoring/user/{user_id}`; undefined when there is no such user directory. */
export function userBody(userId: string, directories: UserDirectorySizes): UserStorageBody | undefined {
  const size = directories.bytesByName.get(userId);
  if (size === undefined) return undefined;
  return { user_id: userId, metrics: { storage: { size_bytes: size, size_mb: size / 1_048_576 } } };
}

export type HostRoutesDeps = {
  /** False: nothing is sampled, and the routes say so. */
  readonly enabled: boolean;
  readonly sampler: HostSampler;
  readonly clock: Clock;
  /** Read at each request, since thresholds can be changed while running. */
  thresholds(): HostThresholds;
};

/** What the sampler last saw. Asking never measures anything. */
export const hostRoutes =
  ({ enabled, sampler, clock, thresholds }: HostRoutesDeps): RoutePlugin =>
  async (app) => {
    app.addHook('preHandler', async () => {
      if (!enabled)
        throw new AppError(
          'feature/disabled',
          'Monitoring is switched off by MONITORING_ENABLED (monitoring.enabled).',
        );
    });

    const notSampled = (what: string): AppError =>
      new AppError('host/not-sampled', sampler.unavailable() ?? `${what} Ask again in a moment.`, {
        retryAfterSeconds: 1,
      });
    const tags = ['monitoring'];

    app.get(
      '/api/v1/monitoring/system',
      {
        config: { access: 'admin', activity: 'read host' },
        schema: { tags, summary: 'CPU, memory, disks, network and processes', response: { 200: systemSchema } },
      },
      async () => {
        const sample = sampler.latest();
        if (sample === undefined) throw notSampled('The host was not sampled yet.');
        return systemBody(sample, sampler.userDirectories());
      },
    );

    app.get(
      '/api/v1/monitoring/health',
      {
        config: { access: 'public', activity: 'read host health' },
        schema: { tags, summary: 'Whether CPU, memory and disks are well', response: { 200: hostHealthSchema } },
      },
      async (request) => {
        const nowMs = clock.now();
        const sample = sampler.latest();
        const health = decideHostHealth(sample, thresholds(), sampler.recent(), {
          nowMs,
          staleAfterMs: sampler.staleAfterMs(),
        });
        if (request.principal?.role !== 'admin') return healthBody(health, nowMs);
        const metrics = sample === undefined ? null : systemBody(sample, sampler.userDirectories());
        return healthBody(health, nowMs, { metrics });
      },
    );

    app.get(
      '/api/v1/monitoring/user/:user_id',
      {
        config: { access: 'admin', activity: 'read user storage' },
        schema: {
          tags,
          summary: 'Storage of one user directory',
          params: z.object({ user_id: z.string() }),
          response: { 200: userStorageSchema },
        },
      },
      async (request) => {
        const directories = sampler.userDirectories();
        if (directories === undefined) throw notSampled('User directories were not measured yet.');
        // Only names that the walk found are looked up; the id never becomes a path.
        const body = userBody(request.params.user_id, directories);
        if (body === undefined)
          throw new AppError('request/not-found', 'There is no such user directory below the data folder.');
        return body;
      },
    );
  };
