import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { type DrillAnswer, drillAnswer, pageOf, pathPart, read } from './answers.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatDuration, formatFacts, formatInstant, formatTable } from './format.ts';
import type { Colours } from './terminal.ts';
import { coloured } from './words.ts';

type TargetFlags = RemoteFlags & { readonly target?: string };

const resultAnswer = z.object({ drill_id: z.string(), verdict: z.string() });

/** @returns 4 when the drill did not pass */
export async function runDrill(
  context: CommandContext,
  kind: 'restore' | 'chaos',
  point: string | undefined,
  flags: TargetFlags & { choice?: string },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const first = await api.call('/api/v1/recovery/drills', {
      method: 'POST',
      body: {
        kind,
        ...(flags.target === undefined ? {} : { target: flags.target }),
        ...(point === undefined ? {} : { backup_id: point }),
        ...(flags.choice === undefined ? {} : { choice: flags.choice }),
      },
    });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (operation.result === null) {
      if (flags.json) printJson(terminal, document);
      reportFailure(context, operation);
      return exitCodeOfOperation(operation);
    }
    const { drill_id: id, verdict } = read(resultAnswer, operation.result);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet)
      terminal.out(
        describeDrill(read(drillAnswer, await api.call(`/api/v1/recovery/drills/${pathPart(id)}`)), terminal.colours),
      );
    return verdict === 'passed' ? exitCodes.ok : exitCodes.checkFailed;
  });
}

export async function listDrills(
  context: CommandContext,
  flags: TargetFlags & { kind?: string; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const query = { target: flags.target, kind: flags.kind, limit: flags.limit ?? 50 };
    const document = await api.call('/api/v1/recovery/drills', { query });
    if (flags.json) printJson(terminal, document);
    else {
      const { items, next_cursor: more } = read(pageOf(drillAnswer), document);
      if (items.length === 0) terminal.note('No drill was ever run. `ragwarden drill run` rehearses a restore now.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'drill' },
              { title: 'begun' },
              { title: 'kind' },
              { title: 'point' },
              { title: 'verdict' },
              { title: 'restore', align: 'right' },
            ],
            items.map((one) => [
              one.drill_id,
              formatInstant(one.started_at),
              one.kind,
              one.backup_id,
              coloured(terminal.colours, one.verdict ?? 'running'),
              one.rto_seconds === null ? '-' : formatDuration(one.rto_seconds * 1_000),
            ]),
          ),
        );
      if (more !== null && !flags.quiet) terminal.note('There are more; --limit shows up to 500.');
    }
    return exitCodes.ok;
  });
}

export async function showDrill(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`/api/v1/recovery/drills/${pathPart(id)}`);
    if (flags.json) printJson(terminal, document);
    else terminal.out(describeDrill(read(drillAnswer, document), terminal.colours));
    return exitCodes.ok;
  });
}

/** The document itself, to standard output or into a new file. */
export async function saveEvidence(
  context: CommandContext,
  id: string,
  flags: RemoteFlags & { output?: string },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`/api/v1/recovery/drills/${pathPart(id)}/evidence`);
    if (flags.output === undefined) printJson(terminal, document);
    else {
      await writeFile(resolve(context.cwd, flags.output), `${JSON.stringify(document, null, 2)}\n`, { flag: 'wx' });
      if (!flags.quiet) terminal.note(`The evidence lies in ${flags.output}.`);
    }
    return exitCodes.ok;
  });
}

function describeDrill(drill: DrillAnswer, colours: Colours): string {
  const facts: [string, string][] = [
    ['drill', `${drill.drill_id} (${drill.kind})`],
    ['point', `${drill.backup_id} of ${drill.target_id}`],
    ['begun', `${formatInstant(drill.started_at)} by ${drill.requested_by}`],
    ['verdict', coloured(colours, drill.verdict ?? 'running')],
  ];
  if (drill.size_bytes !== null) facts.push(['size', `${formatBytes(drill.size_bytes)} in ${drill.file_count} files`]);
  if (drill.rto_seconds !== null) facts.push(['restore', `would take ${formatDuration(drill.rto_seconds * 1_000)}`]);
  const phases =
    drill.phases.length === 0
      ? []
      : [
          '',
          formatTable(
            [{ title: 'phase' }, { title: 'component' }, { title: 'took', align: 'right' }, { title: 'in a restore' }],
            drill.phases.map((one) => [
              one.name,
              one.component ?? '-',
              formatDuration(one.seconds * 1_000),
              one.times_in_restore === 0 ? 'no' : one.times_in_restore === 1 ? 'once' : `${one.times_in_restore} times`,
            ]),
          ),
        ];
  return [formatFacts(facts), ...phases, ...drill.reasons.map((reason) => `reason: ${reason}`)].join('\n');
}
