import {
  type BackupStatusAnswer,
  backupStatusAnswer,
  type FactAnswer,
  type HealthAnswer,
  type HostAnswer,
  healthAnswer,
  hostAnswer,
  type PointAnswer,
  pageOf,
  pointAnswer,
  pointBytes,
  read,
  type TargetAnswer,
  targetAnswer,
} from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes, ServerRefusal } from './exit-code.ts';
import { formatBytes, formatDistance, formatDuration, formatInstant, formatTable, plural } from './format.ts';
import type { Colours } from './terminal.ts';
import { type Picture, watch } from './watch.ts';
import { coloured } from './words.ts';

/** A part that is switched off, or has not looked yet, is null with the reason beside it. */
type Part = { readonly document: unknown; readonly missing?: string };

type StatusParts = Readonly<Record<'health' | 'targets' | 'backup' | 'points' | 'host', Part>>;

export async function showStatus(context: CommandContext, flags: RemoteFlags & { watch?: boolean }): Promise<number> {
  if (flags.watch) return watch(context, flags, async (api) => pictureOf(await readParts(api)));
  return withApi(context, flags, async (api) => {
    const { terminal } = context;
    const parts = await readParts(api);
    const { document, render } = pictureOf(parts);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) terminal.out(render(terminal.colours));
    const { status } = read(healthAnswer, parts.health.document);
    return ['degraded', 'unhealthy', 'critical'].includes(status) ? exitCodes.checkFailed : exitCodes.ok;
  });
}

function pictureOf(parts: StatusParts): Picture {
  const health = read(healthAnswer, parts.health.document);
  const targets = parts.targets.document === null ? [] : read(pageOf(targetAnswer), parts.targets.document).items;
  const points = parts.points.document === null ? [] : read(pageOf(pointAnswer), parts.points.document).items;
  const backup = parts.backup.document === null ? undefined : read(backupStatusAnswer, parts.backup.document);
  return {
    document: Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.document])),
    essence: [
      health.status,
      health.checks.map(({ name, status }) => [name, status]),
      targets.map(targetEssence),
      backup && [backup.status, backup.available, backup.error, backup.warnings, backup.backup_count, backup.rpo.met],
      points.map((point) => [point.backup_id, point.status, point.verified_at]),
    ],
    render: (colours) => renderStatus(health, parts, colours, Date.now()),
  };
}

/** What is news about a target; when it was seen and how fast it answered differs each time. */
export const targetEssence = ({ observed_at: _, latency_ms: __, sizes, ...rest }: TargetAnswer): unknown => [
  rest,
  sizes.map(({ store, bytes, files }) => [store, bytes, files]),
];

async function readParts(api: ApiClient): Promise<StatusParts> {
  const part = async (path: string, query?: Record<string, number>): Promise<Part> => {
    try {
      return { document: await api.call(path, query ? { query } : {}) };
    } catch (err) {
      // These say that there is nothing to show, not that asking failed.
      if (err instanceof ServerRefusal && ['feature/disabled', 'host/not-sampled', 'target/unknown'].includes(err.code))
        return { document: null, missing: err.detail };
      throw err;
    }
  };
  const [health, targets, backup, points, host] = await Promise.all([
    part('/health'),
    part('/api/v1/targets'),
    part('/api/v1/backup/status'),
    part('/api/v1/backup/points', { limit: 3 }),
    part('/api/v1/monitoring/system'),
  ]);
  return { health, targets, backup, points, host };
}

function renderStatus(health: HealthAnswer, parts: StatusParts, colours: Colours, nowMs: number): string {
  const { bold, dim, yellow } = colours;
  const lines = [`${bold('Overall')}  ${coloured(colours, health.status)}`];
  for (const check of health.checks)
    if (check.status !== 'healthy') lines.push(`  ${coloured(colours, check.status)}  ${check.name}: ${check.message}`);

  const targets = parts.targets.document === null ? [] : read(pageOf(targetAnswer), parts.targets.document).items;
  for (const target of targets) lines.push('', ...renderTarget(target, colours, nowMs));
  if (targets.length === 0) lines.push('', `${bold('Target')}   ${parts.targets.missing ?? 'none is configured'}`);

  const host = parts.host.document === null ? undefined : read(hostAnswer, parts.host.document);
  lines.push(
    '',
    ...(host ? renderHost(host, colours) : [`${bold('Host')}     ${dim(parts.host.missing ?? 'not looked at yet')}`]),
  );

  const backup = parts.backup.document === null ? undefined : read(backupStatusAnswer, parts.backup.document);
  const points = parts.points.document === null ? [] : read(pageOf(pointAnswer), parts.points.document).items;
  lines.push(
    '',
    ...(backup
      ? renderBackup(backup, points, colours, nowMs)
      : [`${bold('Backup')}   ${dim(parts.backup.missing ?? 'none')}`]),
  );
  for (const warning of backup?.warnings ?? []) lines.push(`  ${yellow('warning')}  ${warning}`);
  return lines.join('\n');
}

/** `kind 1.5.7, 12 documents processed, …`: what is known of one target, a line each. */
export function renderTarget(target: TargetAnswer, colours: Colours, nowMs: number): string[] {
  const { bold, dim, yellow } = colours;
  const lines = [
    `${bold('Target')}   ${target.id}  ${coloured(colours, target.status)}${target.sample ? `  ${yellow('(the bundled sample)')}` : ''}`,
  ];
  for (const reason of target.reasons) lines.push(`  ${reason.message}`);
  const version = target.core_version === null ? '' : ` ${target.core_version}`;
  const api = target.api_version === null ? '' : ` (API ${target.api_version})`;
  const seen =
    target.observed_at === null ? 'not probed yet' : `seen ${formatDistance(Date.parse(target.observed_at), nowMs)}`;
  lines.push(
    `  ${target.kind ?? target.configured_kind ?? 'unknown kind'}${version}${api}${placeOf(target)}  ${dim(seen)}`,
  );
  if (target.documents) {
    const counts = Object.entries(target.documents).filter(([, count]) => count > 0);
    lines.push(
      `  documents  ${counts.length === 0 ? 'none' : counts.map(([status, count]) => `${count} ${status.toLowerCase()}`).join(', ')}`,
    );
  }
  if (target.pipeline)
    lines.push(
      `  pipeline   ${target.pipeline.busy ? `busy: ${target.pipeline.job_name}` : 'idle'}${target.pipeline.recovery_required ? ', asks for recovery' : ''}`,
    );
  lines.push(...target.facts.map(renderFact));
  for (const size of target.sizes)
    lines.push(
      `  ${size.store.padEnd(9)}  ${formatBytes(size.bytes)} in ${plural(size.files, 'file')}  ${dim(`counted ${formatDistance(Date.parse(size.counted_at), nowMs)}`)}`,
    );
  return lines;
}

const placeOf = ({ endpoints, stores }: TargetAnswer): string => {
  const places = endpoints.length > 0 ? endpoints.map(({ url }) => url) : stores.map(({ path }) => path);
  return places.length === 0 ? '' : ` ${endpoints.length > 0 ? 'at' : 'in'} ${places.join(', ')}`;
};

/** A line of what only this kind of target has. */
export function renderFact({ name, value, unit }: FactAnswer): string {
  const written =
    value === null
      ? 'unknown'
      : typeof value === 'number' && unit === 'bytes'
        ? formatBytes(value)
        : typeof value === 'number' && unit === 'seconds'
          ? formatDuration(value * 1_000)
          : String(value);
  return `  ${name.replaceAll('_', ' ').padEnd(9)}  ${written}`;
}

function renderHost(host: HostAnswer, colours: Colours): string[] {
  const { bold } = colours;
  const load = host.cpu.load_avg.map((value) => value.toFixed(2)).join(' ');
  const lines = [
    `${bold('Host')}     CPU ${host.cpu.percent.toFixed(0)} % of ${plural(host.cpu.count, 'core')}, load ${load}, up ${formatDuration(host.uptime_seconds * 1_000)}`,
    `  memory     ${formatBytes(host.memory.used)} of ${formatBytes(host.memory.total)} (${host.memory.percent.toFixed(0)} %)`,
  ];
  const disks = host.disk?.mounts ?? [];
  // A folder of the same file system says the same again.
  for (const mount of disks.filter(
    (one, index) => disks.findIndex((other) => other.total === one.total && other.used === one.used) === index,
  ))
    lines.push(
      `  disk       ${mount.path}  ${formatBytes(mount.free)} free of ${formatBytes(mount.total)} (${mount.percent.toFixed(0)} % used)`,
    );
  return lines;
}

function renderBackup(
  backup: BackupStatusAnswer,
  points: readonly PointAnswer[],
  colours: Colours,
  nowMs: number,
): string[] {
  const { bold, red } = colours;
  const next =
    backup.status === 'running'
      ? 'running now'
      : backup.next_backup === null
        ? 'none planned'
        : `next ${formatDistance(Math.max(backup.next_backup * 1_000, nowMs), nowMs)}`;
  const lines = [`${bold('Backup')}   ${plural(backup.backup_count, 'recovery point')}, ${next}`];
  if (!backup.available) lines.push(`  ${red('unavailable')}: ${backup.unavailable_reason ?? ''}`);
  else if (backup.error !== undefined) lines.push(`  ${red('the last run failed')}: ${backup.error}`);
  const measured = backup.rpo.measured_seconds;
  lines.push(
    `  objective  lose ${formatDuration(backup.rpo.objective_seconds * 1_000)} at most: ${
      measured === null
        ? 'no verified point yet'
        : `${formatDuration(measured * 1_000)} at present, ${backup.rpo.met ? 'met' : red('missed')}`
    }`,
  );
  if (points.length > 0)
    lines.push(
      ...pointTable(points, colours)
        .split('\n')
        .map((line) => `  ${line}`),
    );
  return lines;
}

export function pointTable(points: readonly PointAnswer[], colours: Colours): string {
  return formatTable(
    [
      { title: 'point' },
      { title: 'taken' },
      { title: 'files', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'state' },
      { title: 'grade' },
      { title: 'verified' },
    ],
    points.map((point) => [
      point.backup_id,
      formatInstant(point.timestamp),
      String(point.user_data.file_count),
      formatBytes(pointBytes(point)),
      coloured(colours, point.forgotten_at === null ? point.status : 'forgotten'),
      point.grade === null ? '-' : coloured(colours, point.grade),
      point.verified_at === null ? 'no' : 'yes',
    ]),
  );
}
