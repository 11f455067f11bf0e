import { growthAnswer, jobAnswer, pageOf, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatBytes, formatDuration, formatInstant, formatTable } from './format.ts';

/** @returns 4 when a job is stuck or overdue */
export async function showJobs(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  const { green, red, yellow } = terminal.colours;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/system/jobs');
    const { items } = read(pageOf(jobAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet)
      terminal.out(
        formatTable(
          [
            { title: 'job' },
            { title: 'every', align: 'right' },
            { title: 'runs', align: 'right' },
            { title: 'failed', align: 'right' },
            { title: 'last run' },
            { title: 'state' },
          ],
          items.map((job) => [
            job.name,
            formatDuration(job.interval_seconds * 1_000),
            String(job.runs),
            String(job.failures),
            job.last_finished_at === null ? 'never' : formatInstant(job.last_finished_at),
            job.late !== null
              ? red(`late: ${job.late}`)
              : job.last_error !== null
                ? yellow(`last run failed: ${job.last_error}`)
                : green(job.running ? 'at work' : 'ok'),
          ]),
        ),
      );
    return items.some((job) => job.late !== null) ? exitCodes.checkFailed : exitCodes.ok;
  });
}

/** @returns 4 when something lies above its cap */
export async function showGrowth(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/system/growth');
    const { items } = read(pageOf(growthAnswer), document);
    const shown = (unit: string, amount: number | null, none: string): string =>
      amount === null ? none : unit === 'bytes' ? formatBytes(amount) : String(amount);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet)
      terminal.out(
        formatTable(
          [
            { title: 'kind' },
            { title: 'used', align: 'right' },
            { title: 'cap', align: 'right' },
            { title: '%', align: 'right' },
            { title: 'last trimmed' },
            { title: 'setting' },
          ],
          items.map((one) => [
            one.kind,
            shown(one.unit, one.used, 'not yet'),
            shown(one.unit, one.cap, 'none'),
            one.percent === null ? '-' : String(one.percent),
            one.last_trimmed_at === null ? 'never' : formatInstant(one.last_trimmed_at),
            one.setting,
          ]),
        ),
      );
    return items.some((one) => (one.percent ?? 0) > 100) ? exitCodes.checkFailed : exitCodes.ok;
  });
}
