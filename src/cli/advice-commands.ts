import { z } from 'zod';
import { pageOf, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatBytes, formatInstant, formatTable } from './format.ts';
import { describeClass } from './tuning-commands.ts';

const value = z.union([z.number(), z.boolean(), z.string()]);
const proposal = z.object({
  graph_id: z.string(),
  rule: z.string(),
  class: z.string(),
  changes: z.array(z.object({ parameter: z.string(), from: value, to: value })),
  already_set: z.boolean(),
  because: z.string(),
  evidence: z.array(z.object({ what: z.string(), value, unit: z.string().nullable() })),
  effect: z.string(),
  withdrawn_when: z.string(),
});
const adviceAnswer = z.object({
  items: z.array(proposal),
  backends: z.array(
    z.object({
      graph_id: z.string(),
      from: z.string(),
      fine: z.array(z.string()),
      unknown: z.array(z.object({ rule: z.string(), missing: z.array(z.string()) })),
    }),
  ),
});
const runningAnswer = z.object({
  graph_id: z.string(),
  parameter: z.string(),
  value: value.nullable(),
  found_in: z.string().nullable(),
  wanted: value.nullable(),
});

/** Each proposal with its figures and the command that sets it; nothing is changed. */
export async function advise(
  context: CommandContext,
  flags: RemoteFlags & { window?: number; verbose?: boolean },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const query = flags.window === undefined ? {} : { window: flags.window };
    const document = await api.call('/api/v1/tuning/advice', { query });
    const { items, backends } = read(adviceAnswer, document);
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    for (const one of items) terminal.out(`${describeProposal(one)}\n`);
    for (const { graph_id: graphId, from, fine, unknown } of backends) {
      if (flags.quiet) continue;
      terminal.note(
        `${graphId}, traffic since ${formatInstant(from)}: ${items.filter((one) => one.graph_id === graphId).length} proposals, ${fine.length} rules find nothing to change, ${unknown.length} cannot tell${flags.verbose ? ':' : ' (-v says why).'}`,
      );
      if (!flags.verbose) continue;
      for (const rule of fine) terminal.note(`  ${rule}: nothing to change`);
      for (const { rule, missing } of unknown) for (const one of missing) terminal.note(`  ${rule}: not known: ${one}`);
    }
    if (backends.length === 0 && !flags.quiet) terminal.note('No backend is watched whose parameters are known.');
    return exitCodes.ok;
  });
}

function describeProposal(one: z.infer<typeof proposal>): string {
  const changes = one.changes.map(({ parameter, from, to }) => `${parameter}: ${from} → ${to}`);
  const pairs = one.changes.map(({ parameter, to }) => `${parameter}=${to}`);
  return [
    `${one.graph_id}: ${changes.join(', ')}   [${one.rule}]`,
    `  ${one.because}`,
    ...one.evidence.map(({ what, value: figure, unit }) => `    ${what}: ${shown(figure, unit)}`),
    `  effect: ${one.effect}`,
    `  to change it: ${describeClass(one.class)}`,
    `  ends when: ${one.withdrawn_when}`,
    one.already_set
      ? '  it is set and waits: ragwarden tune apply'
      : `  ragwarden tune set ${pairs.join(' ')} --reason "${one.rule}"`,
  ].join('\n');
}

function shown(figure: z.infer<typeof value>, unit: string | null): string {
  if (typeof figure !== 'number') return String(figure);
  switch (unit) {
    case 'ms':
      return `${Math.round(figure)} ms`;
    case 'share':
      return `${Math.round(figure * 1_000) / 10} %`;
    case 'bytes':
      return formatBytes(figure);
    default:
      return String(Math.round(figure * 100) / 100);
  }
}

const places: Readonly<Record<string, string>> = {
  backend: 'says the backend',
  'environment-file': 'environment file',
  'settings-file': 'settings.yaml',
  index: 'the index',
  'backend-default': 'not in its file: its own default',
};

export async function showRunning(context: CommandContext, flags: RemoteFlags & { all?: boolean }): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/tuning/running');
    const { items } = read(pageOf(runningAnswer), document);
    const listed = items.filter(({ value: found }) => flags.all === true || found !== null);
    if (flags.json) printJson(terminal, document);
    else if (listed.length === 0) terminal.note('Nothing can be seen of what the backends run with.');
    else
      terminal.out(
        formatTable(
          ['backend', 'parameter', 'runs with', 'seen in', 'set here'].map((title) => ({ title })),
          listed.map((one) => [
            one.graph_id,
            one.parameter,
            one.value === null ? '(not seen)' : String(one.value),
            one.found_in === null ? '' : (places[one.found_in] ?? one.found_in),
            one.wanted === null ? '' : String(one.wanted),
          ]),
        ),
      );
    return exitCodes.ok;
  });
}
