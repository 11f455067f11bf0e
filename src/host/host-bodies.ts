import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import type { DiskSample } from './disk-reader.ts';
import type { ContainerSample, HostSample, ProcessSample, UserDirectorySizes } from './host.ts';
import type { HostCheck, HostHealth } from './host-health.ts';
import type { Pressure, PressureReading, Stall } from './pressure.ts';

// Sizes are bytes, shares percent from 0 to 100. What could not be read is null, never 0.
const bytes = z.number().describe('bytes');
const percent = z.number().describe('0 to 100');

const diskBody = z.object({ total: bytes, used: bytes, free: bytes, percent });
const processBody = z.object({
  pid: z.number().int(),
  cpu_percent: z.number().nullable().describe('100 is one core'),
  memory_percent: percent,
  memory_info: z.object({ rss: bytes, vms: bytes.nullable() }),
  threads: z.number().int().nullable(),
  open_files: z.number().int().nullable(),
  connections: z.number().int().nullable().describe('open sockets of every kind'),
});

const stallBody = z.object({
  avg10: percent,
  avg60: percent,
  avg300: percent,
  total_us: z.number().describe('microseconds, only grows'),
});
const stallsBody = z
  .object({ some: stallBody, full: stallBody.nullable() })
  .nullable()
  .describe('share of the last 10, 60 and 300 s in which at least one task waited (some), or none got on (full)');
const pressureBody = z.object({ cpu: stallsBody, memory: stallsBody, io: stallsBody });

const containerBody = z.object({
  path: z.string().describe('of the control group'),
  version: z.union([z.literal(1), z.literal(2)]).describe('of control groups'),
  memory: z
    .object({
      limit: bytes.nullable(),
      used: bytes.describe('bytes, without the file cache that can be dropped at once'),
      percent: percent.nullable().describe('of the limit, 0 to 100'),
      swap_limit: bytes.nullable(),
      swap_used: bytes.nullable(),
      oom_kills: z.number().int().nullable().describe('processes ended for want of memory'),
    })
    .nullable(),
  cpu: z
    .object({
      limit_cores: z.number().nullable(),
      used_cores: z.number().nullable(),
      percent: percent.nullable().describe('of the limit, 0 to 100'),
      usage_seconds: z.number(),
      periods: z.number().int().nullable(),
      throttled_periods: z.number().int().nullable(),
      throttled_seconds: z.number().nullable(),
    })
    .nullable(),
  processes: z.object({ count: z.number().int().nullable(), limit: z.number().int().nullable() }).nullable(),
  pressure: pressureBody.nullable(),
});

export const systemSchema = z
  .object({
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
    /** Null when it could not be read. */
    network: z
      .object({
        bytes_sent: bytes,
        bytes_recv: bytes,
        packets_sent: z.number().nullable(),
        packets_recv: z.number().nullable(),
        errin: z.number(),
        errout: z.number(),
        dropin: z.number(),
        dropout: z.number(),
      })
      .nullable(),
    process: processBody,
    /** The backend's process; null where it is not known or not on this machine. */
    target_process: processBody.nullable(),
    /** Null where the kernel keeps no account of waiting. */
    pressure: pressureBody.nullable(),
    /** The container (pod, unit) ragwarden runs in; null on the bare machine. What stands above stays the machine's. */
    container: containerBody.nullable(),
    /** That of the backend, where it is another one and can be seen. */
    target_container: containerBody.nullable(),
  })
  .meta({ id: 'HostSample' });
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
  metrics: z.object({
    storage: z
      .object({ size_bytes: bytes, size_mb: z.number().describe('mebibytes') })
      .nullable()
      .describe('Null when there is no such directory.'),
    usage: z
      .object({
        requests: z.number().int().describe('To the backend.'),
        errors: z.number().int(),
        llm_calls: z.number().int(),
        prompt_tokens: z.number().int(),
        completion_tokens: z.number().int(),
        cost_usd: z.number(),
        first_seen: z.iso.datetime(),
        last_seen: z.iso.datetime(),
      })
      .nullable()
      .describe('What passed the gateway, or was told, since ragwarden started; null when nothing did.'),
  }),
});
export type UserStorageBody = z.infer<typeof userStorageSchema>;
export type UserUsage = Readonly<NonNullable<UserStorageBody['metrics']['usage']>>;

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
  memory_info: { rss: seen.residentBytes, vms: seen.virtualBytes ?? null },
  threads: seen.threads ?? null,
  open_files: seen.openFiles ?? null,
  connections: seen.connections ?? null,
});

const stallsOf = (reading: PressureReading | undefined): z.infer<typeof stallsBody> => {
  const stallOf = ({ avg10, avg60, avg300, totalUs }: Stall): z.infer<typeof stallBody> => ({
    avg10,
    avg60,
    avg300,
    total_us: totalUs,
  });
  return reading ? { some: stallOf(reading.some), full: reading.full ? stallOf(reading.full) : null } : null;
};

const pressureOf = (pressure: Pressure | undefined): z.infer<typeof pressureBody> | null =>
  pressure ? { cpu: stallsOf(pressure.cpu), memory: stallsOf(pressure.memory), io: stallsOf(pressure.io) } : null;

const containerOf = (seen: ContainerSample | undefined): z.infer<typeof containerBody> | null =>
  seen
    ? {
        path: seen.path,
        version: seen.version,
        memory: seen.memory
          ? {
              limit: seen.memory.limitBytes ?? null,
              used: seen.memory.usedBytes,
              percent: seen.memory.percent ?? null,
              swap_limit: seen.memory.swapLimitBytes ?? null,
              swap_used: seen.memory.swapUsedBytes ?? null,
              oom_kills: seen.memory.oomKills ?? null,
            }
          : null,
        cpu: seen.cpu
          ? {
              limit_cores: seen.cpu.limitCores ?? null,
              used_cores: seen.cpu.usedCores ?? null,
              percent: seen.cpu.percent ?? null,
              usage_seconds: seen.cpu.usageSeconds,
              periods: seen.cpu.periods ?? null,
              throttled_periods: seen.cpu.throttledPeriods ?? null,
              throttled_seconds: seen.cpu.throttledSeconds ?? null,
            }
          : null,
        processes: seen.processes ? { count: seen.processes.count ?? null, limit: seen.processes.limit ?? null } : null,
        pressure: pressureOf(seen.pressure),
      }
    : null;

/** The body of `GET /api/v1/monitoring/system`. */
export function systemBody(sample: HostSample, directories?: UserDirectorySizes): SystemBody {
  const { cpu, memory, rootDisk, dataDisk } = sample;
  const total = sample.network?.total;
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
    network: total
      ? {
          bytes_sent: total.bytesSent,
          bytes_recv: total.bytesReceived,
          packets_sent: total.packetsSent ?? null,
          packets_recv: total.packetsReceived ?? null,
          errin: total.errorsIn,
          errout: total.errorsOut,
          dropin: total.dropsIn,
          dropout: total.dropsOut,
        }
      : null,
    process: processOf(sample.process),
    target_process: sample.targetProcess ? processOf(sample.targetProcess) : null,
    pressure: pressureOf(sample.pressure),
    container: containerOf(sample.container),
    target_container: containerOf(sample.targetContainer),
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

/** Undefined when nothing is known about such a user. */
export function userBody(
  userId: string,
  directories: UserDirectorySizes | undefined,
  usage: UserUsage | undefined,
): UserStorageBody | undefined {
  const size = directories?.bytesByName.get(userId);
  if (size === undefined && usage === undefined) return undefined;
  const storage = size === undefined ? null : { size_bytes: size, size_mb: size / 1_048_576 };
  return { user_id: userId, metrics: { storage, usage: usage ? { ...usage } : null } };
}
