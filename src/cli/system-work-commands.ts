import { stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { withTarFiles } from '../platform/tar.ts';
import { pageOf, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { findFindings } from './doctor/run-doctor.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatInstant, formatTable, plural } from './format.ts';
import { coloured } from './words.ts';

const planned = z.object({ file: z.string(), bytes: z.number(), action: z.string(), reason: z.string() });
const folderAnswer = z.object({
  folder: z.string(),
  unreadable: z.string().nullable(),
  rotation: z.array(planned),
  cleanup: z.array(planned),
});

/** What would be done with each log, and why. */
async function showPlan(
  context: CommandContext,
  api: ApiClient,
  flags: RemoteFlags,
  what: 'rotation' | 'cleanup',
  query: { all?: string | undefined; days_to_keep?: number | undefined },
): Promise<number> {
  const { terminal } = context;
  const document = await api.call('/api/v1/system/logs', { query });
  if (flags.json) printJson(terminal, document);
  else {
    const { items } = read(pageOf(folderAnswer), document);
    if (items.length === 0) terminal.note('There is no log to look after: see `log.file` and `logs.folders`.');
    for (const one of items) if (one.unreadable !== null) terminal.note(`${one.folder}: ${one.unreadable}`);
    const rows = items.flatMap((one) => one[what]);
    if (rows.length > 0)
      terminal.out(
        formatTable(
          [{ title: 'log' }, { title: 'size', align: 'right' }, { title: 'would' }, { title: 'because it' }],
          rows.map((one) => [one.file, formatBytes(one.bytes), one.action, one.reason]),
        ),
      );
  }
  return exitCodes.ok;
}

const failed = z.array(z.object({ file: z.string(), reason: z.string() }));
const rotationAnswer = z.object({
  rotated_files: z.array(
    z.object({ original: z.string(), rotated: z.string(), size_mb: z.number(), note: z.string().nullable() }),
  ),
  compressed_files: z.array(z.string()),
  failed_files: failed,
});
const cleanupAnswer = z.object({
  deleted_files: z.array(z.object({ file: z.string(), size_mb: z.number(), age_days: z.number() })),
  freed_space_mb: z.number(),
  failed_files: failed,
});

async function runWork(
  context: CommandContext,
  api: ApiClient,
  flags: RemoteFlags,
  path: string,
  body: object,
  tell: (result: unknown) => readonly string[],
): Promise<number> {
  const { terminal } = context;
  const begun = await api.call(path, { method: 'POST', body });
  const { document, operation } = await followOperation(context, api, begun, flags.quiet === true);
  if (flags.json) printJson(terminal, document);
  else if (operation.state === 'succeeded' || operation.state === 'partial') {
    if (!flags.quiet) for (const line of tell(operation.result)) terminal.out(line);
  } else reportFailure(context, operation);
  return exitCodeOfOperation(operation);
}

const tellFailed = (files: z.infer<typeof failed>): string[] =>
  files.map(({ file, reason }) => `not done  ${file}: ${reason}`);

export function rotateLogs(
  context: CommandContext,
  flags: RemoteFlags & { all?: boolean; dryRun?: boolean },
): Promise<number> {
  return withApi(context, flags, async (api) => {
    if (flags.dryRun) return showPlan(context, api, flags, 'rotation', { all: flags.all ? 'true' : undefined });
    const body = { all: flags.all === true };
    return runWork(context, api, flags, '/api/v1/system/logs/rotate', body, (result) => {
      const done = read(rotationAnswer, result);
      const lines = [
        ...done.rotated_files.map(
          (one) => `set aside  ${one.original} → ${one.rotated}${one.note === null ? '' : ` (${one.note})`}`,
        ),
        ...done.compressed_files.map((file) => `compressed  ${file}`),
        ...tellFailed(done.failed_files),
      ];
      return lines.length === 0 ? ['No log is large or old enough.'] : lines;
    });
  });
}

export async function cleanupLogs(
  context: CommandContext,
  flags: RemoteFlags & YesFlag & { days?: number; dryRun?: boolean },
): Promise<number> {
  if (!flags.dryRun) requireSomebodyOrYes(context, flags, 'Logs are deleted');
  return withApi(context, flags, async (api) => {
    if (flags.dryRun) return showPlan(context, api, flags, 'cleanup', { days_to_keep: flags.days });
    const question = 'Logs that nobody has written to for long are deleted (`--dry-run` shows which).';
    if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
    return runWork(context, api, flags, '/api/v1/system/logs/cleanup', { days_to_keep: flags.days }, (result) => {
      const done = read(cleanupAnswer, result);
      return [
        ...done.deleted_files.map((one) => `deleted  ${one.file} (${plural(one.age_days, 'day')} old)`),
        ...tellFailed(done.failed_files),
        `${done.freed_space_mb} MiB came free.`,
      ];
    });
  });
}

const validationAnswer = z.object({
  valid: z.boolean(),
  validation_details: z.object({
    findings: z.array(z.object({ severity: z.string(), place: z.string(), message: z.string(), mend: z.string() })),
    files: z.array(z.object({ file: z.string(), read: z.boolean() })),
  }),
});

/** @returns 4 when they are not right */
export function validateSettings(
  context: CommandContext,
  flags: RemoteFlags & { type?: string; strict?: boolean },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/system/config/validate', {
      method: 'POST',
      query: { config_type: flags.type, strict_mode: flags.strict ? 'true' : undefined },
    });
    const { valid, validation_details: details } = read(validationAnswer, document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet || !valid) {
      for (const { severity, place, message, mend } of details.findings) {
        terminal.out(`${coloured(terminal.colours, severity)}  ${place}: ${message}`);
        terminal.out(`         ${terminal.colours.dim('→')} ${mend}`);
      }
      if (details.findings.length === 0) terminal.out('Nothing to complain of.');
      if (details.files.length === 0 && flags.type !== 'ragwarden')
        terminal.note('The backend’s own settings were not looked at: name its file with target.env_file.');
    }
    return valid ? exitCodes.ok : exitCodes.checkFailed;
  });
}

const restartAnswer = z.object({ name: z.string(), outcome: z.string() });

/** @returns 3 when a run has not ended in time; its job begins anew when it has */
export async function restartJobs(
  context: CommandContext,
  names: readonly string[],
  flags: RemoteFlags & YesFlag & { wait?: number; force?: boolean },
): Promise<number> {
  const { terminal } = context;
  const waitSeconds = Math.min(600, flags.wait ?? 30);
  requireSomebodyOrYes(context, flags, 'Background jobs begin anew');
  return withApi(context, flags, async (api) => {
    const which = names.length === 0 ? 'every background job' : names.join(', ');
    const question = `Begun anew: ${which}. What runs is ${flags.force ? 'told to give up' : 'awaited'}.`;
    if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
    const document = await api.call('/api/v1/system/services/restart', {
      method: 'POST',
      body: {
        ...(names.length === 0 ? {} : { names }),
        wait_seconds: waitSeconds,
        force: flags.force === true,
      },
      timeoutMs: (waitSeconds + 30) * 1_000,
    });
    const { items } = read(pageOf(restartAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet)
      terminal.out(
        formatTable(
          [{ title: 'job' }, { title: 'outcome' }],
          items.map((one) => [one.name, one.outcome]),
        ),
      );
    return items.some((one) => one.outcome === 'waiting') ? exitCodes.partial : exitCodes.ok;
  });
}

const statsAnswer = z.object({
  namespaces: z.record(
    z.string(),
    z.object({
      id: z.string(),
      consequence: z.string(),
      confirm_needed: z.boolean(),
      size_bytes: z.number().nullable(),
      last_cleared: z.string().nullable(),
    }),
  ),
});
const clearedAnswer = z.object({ success: z.boolean(), message: z.string(), bytes_freed: z.number() });

/** Says what each costs, and asks where somebody can answer. @returns 3 when one could not be cleared */
export function clearCaches(
  context: CommandContext,
  names: readonly string[],
  flags: RemoteFlags & { dryRun?: boolean; yes?: boolean },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const stats = await api.call('/api/system/cache/stats');
    const known = Object.values(read(statsAnswer, stats).namespaces);
    if (flags.dryRun) {
      if (flags.json) printJson(terminal, stats);
      else
        terminal.out(
          formatTable(
            [
              { title: 'cache' },
              { title: 'size', align: 'right' },
              { title: 'last cleared' },
              { title: 'clearing it' },
            ],
            known.map((one) => [
              `${one.id}${one.confirm_needed ? ' (only when named)' : ''}`,
              formatBytes(one.size_bytes),
              one.last_cleared === null ? 'never' : formatInstant(one.last_cleared),
              one.consequence,
            ]),
          ),
        );
      return exitCodes.ok;
    }
    const dear = known.filter((one) => one.confirm_needed && names.includes(one.id));
    let confirm = flags.yes === true;
    if (dear.length > 0 && !confirm) {
      for (const one of dear) terminal.note(`${one.id}: ${one.consequence}`);
      requireSomebodyOrYes(context, flags, 'It costs what is told above');
      confirm = (await terminal.ask('Type yes to clear it: ', context.signal)).trim() === 'yes';
      if (!confirm) return exitCodes.failure;
    }
    const document = await api.call('/api/system/cache/clear', {
      method: 'POST',
      query: {
        cache_types: names.length === 0 ? undefined : names.join(','),
        confirm: confirm ? 'true' : undefined,
      },
      timeoutMs: 120_000,
    });
    const answer = read(clearedAnswer, document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet || !answer.success)
      terminal.out(`${answer.message} ${formatBytes(answer.bytes_freed)} came free.`);
    return answer.success ? exitCodes.ok : exitCodes.partial;
  });
}

/** The server's part, and beside it what `ragwarden doctor` finds on this machine. */
export function saveBundle(context: CommandContext, flags: RemoteFlags & { output?: string }): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const packed = await api.bytes('/api/v1/system/bundle');
    const nowMs = Date.now();
    const archive = await promisify(gunzip)(packed);
    const folder = archive.toString('utf8', 0, archive.indexOf(0)).split('/')[0] ?? 'ragwarden-bundle';
    const doctor = await findFindings(context, flags);
    const content = `${JSON.stringify(doctor, null, 2)}\n`;
    const whole = withTarFiles(archive, [{ path: `${folder}/doctor.json`, content }], nowMs);
    const file = resolve(context.cwd, flags.output ?? `${folder}.tar.gz`);
    if (await stat(file).catch(() => undefined))
      throw new AppError('config/invalid', `${file} is there already. Name another file.`);
    await writeFile(file, await promisify(gzip)(whole), { mode: 0o600, flag: 'wx' });
    if (flags.json) printJson(terminal, { file });
    else if (!flags.quiet)
      terminal.out(`${file}\nSecrets are taken out; look through it all the same before you hand it on.`);
    return exitCodes.ok;
  });
}
