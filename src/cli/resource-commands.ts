import { z } from 'zod';
import { pageOf, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatBytes, formatTable } from './format.ts';

const base = '/api/v1/metrics/resources';

const summaryAnswer = z.looseObject({
  total_resources: z.number(),
  max_tracked: z.number(),
  total_leaks: z.number(),
  resources_by_type: z.record(z.string(), z.number()),
  leaks_by_type: z.record(z.string(), z.number()),
  observed_leaks: z.looseObject({ suspected: z.number(), confirmed: z.number() }).nullable(),
});

/** What programs registered, in numbers by type, and what was seen from outside. */
export async function summarizeResources(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/summary`);
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const summary = read(summaryAnswer, document);
    terminal.out(
      `${summary.total_resources} of at most ${summary.max_tracked} registered, ${summary.total_leaks} without a live owner`,
    );
    const types = Object.entries(summary.resources_by_type).filter(([, count]) => count > 0);
    if (types.length > 0)
      terminal.out(
        formatTable(
          [{ title: 'type' }, { title: 'registered', align: 'right' }, { title: 'leaks', align: 'right' }],
          types.map(([type, count]) => [type, String(count), String(summary.leaks_by_type[type] ?? 0)]),
        ),
      );
    const seen = summary.observed_leaks;
    terminal.out(
      seen === null
        ? 'Processes are not looked at.'
        : `Of processes and servers: ${seen.confirmed} leaks confirmed, ${seen.suspected} suspected.`,
    );
    return exitCodes.ok;
  });
}

const resourceAnswer = z.looseObject({
  resource_id: z.string(),
  resource_type: z.string(),
  status: z.string(),
  owner: z.string().nullable(),
  size_bytes: z.number().nullable(),
  last_accessed: z.string(),
});

export async function listResources(
  context: CommandContext,
  flags: RemoteFlags & { type?: string; status?: string; owner?: string; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const query = new URLSearchParams({
      ...(flags.type === undefined ? {} : { resource_type: flags.type }),
      ...(flags.status === undefined ? {} : { status: flags.status }),
      ...(flags.owner === undefined ? {} : { owner: flags.owner }),
      limit: String(flags.limit ?? 100),
    });
    const document = await api.call(`${base}?${query}`);
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(resourceAnswer), document);
      if (items.length === 0) terminal.note('Nothing is registered.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'id' },
              { title: 'type' },
              { title: 'status' },
              { title: 'owner' },
              { title: 'size', align: 'right' },
              { title: 'last used' },
            ],
            items.map((one) => [
              one.resource_id,
              one.resource_type,
              one.status,
              one.owner ?? '-',
              one.size_bytes === null ? '-' : formatBytes(one.size_bytes),
              one.last_accessed,
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });
}

const amount = (value: number | null, unit: string): string =>
  value === null ? '-' : unit === 'bytes' ? formatBytes(value) : String(Math.round(value * 10) / 10);

const seriesAnswer = z.looseObject({
  subject: z.string(),
  measure: z.string(),
  unit: z.string(),
  value: z.number().nullable(),
  floors: z.number(),
  level: z.string(),
});

/** What is looked at of processes and servers. */
export async function listObserved(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/observed`);
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const answer = z.looseObject({ unseen: z.array(z.object({ source: z.string(), reason: z.string() })) });
    for (const { source, reason } of read(answer, document).unseen) terminal.note(`${source} is not seen: ${reason}`);
    const { items } = read(pageOf(seriesAnswer), document);
    if (items.length === 0) terminal.note('Nothing was seen yet.');
    else
      terminal.out(
        formatTable(
          [
            { title: 'subject' },
            { title: 'measure' },
            { title: 'now', align: 'right' },
            { title: 'seen for', align: 'right' },
            { title: 'leak' },
          ],
          items.map((one) => [
            one.subject,
            one.measure,
            amount(one.value, one.unit),
            `${one.floors / 4} h`,
            one.level === 'none' ? '-' : one.level,
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

const observedAnswer = z.looseObject({
  subject: z.string(),
  measure: z.string(),
  level: z.string(),
  severity: z.string(),
  confidence: z.number(),
  description: z.string(),
  suggested_action: z.string(),
  closest_harmless_story: z.string().nullable(),
});
const leaksAnswer = z.looseObject({
  total: z.number(),
  items: z.array(
    z.looseObject({
      resource_id: z.string(),
      severity: z.string(),
      description: z.string(),
      suggested_action: z.string(),
    }),
  ),
  observed: z.array(observedAnswer),
});

/** Leaks that programs told by what they registered, and leaks that were seen; 4 when there is a confirmed one of either. */
export async function listLeaks(
  context: CommandContext,
  flags: RemoteFlags & { severity?: string; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const query = new URLSearchParams({
      ...(flags.severity === undefined ? {} : { severity: flags.severity }),
      limit: String(flags.limit ?? 50),
    });
    const document = await api.call(`${base}/leaks?${query}`);
    const { total, items, observed } = read(leaksAnswer, document);
    if (flags.json) printJson(terminal, document);
    else {
      for (const one of observed) {
        terminal.out(`${one.level} ${one.severity}: ${one.description}`);
        terminal.out(`  ${one.suggested_action}`);
        terminal.out(
          `  confidence ${Math.round(100 * one.confidence)} %${one.closest_harmless_story === null ? '' : `, against: ${one.closest_harmless_story}`}; ragwarden leaks evidence '${one.subject}' ${one.measure}`,
        );
      }
      for (const one of items) {
        terminal.out(`registered ${one.severity}: ${one.description}`);
        terminal.out(`  ${one.suggested_action}`);
      }
      if (items.length < total) terminal.note(`${total - items.length} more; --limit shows up to 100.`);
      if (total === 0 && observed.length === 0) terminal.note('No leaks.');
    }
    return total > 0 || observed.some(({ level }) => level === 'confirmed') ? exitCodes.checkFailed : exitCodes.ok;
  });
}

const evidenceAnswer = z.looseObject({
  subject: z.string(),
  measure: z.string(),
  unit: z.string(),
  level: z.string(),
  leak: observedAnswer.nullable(),
  points: z.array(z.looseObject({ at: z.string(), value: z.number(), up_seconds: z.number() })),
});
const mostRows = 24;
const barWidth = 40;

/** One measure over the last three days, as a column of bars. */
export async function showEvidence(
  context: CommandContext,
  subject: string,
  measure: string,
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/observed/evidence?${new URLSearchParams({ subject, measure })}`);
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const { leak, points, unit } = read(evidenceAnswer, document);
    terminal.out(leak === null ? `Nothing leaks here, over ${points.length / 4} h.` : leak.description);
    const most = Math.max(1e-9, ...points.map(({ value }) => value));
    const every = Math.max(1, Math.ceil(points.length / mostRows));
    terminal.out(
      formatTable(
        [{ title: 'at' }, { title: 'lowest', align: 'right' }, { title: '' }],
        points
          .filter((_, at) => at % every === 0)
          .map(({ at, value }) => [at, amount(value, unit), '#'.repeat(Math.round((barWidth * value) / most))]),
      ),
    );
    return exitCodes.ok;
  });
}
