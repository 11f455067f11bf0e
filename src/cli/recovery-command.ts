import { type ObjectivesAnswer, objectivesAnswer, pageOf, type RpoAnswer, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatDuration, formatFacts, formatInstant } from './format.ts';
import type { Colours } from './terminal.ts';
import { coloured } from './words.ts';

/** @returns 4 when an objective is missed, or no drill has passed for too long */
export async function showRecovery(
  context: CommandContext,
  flags: RemoteFlags & { readonly target?: string },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/recovery/objectives', { query: { target: flags.target } });
    const { items } = read(pageOf(objectivesAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet)
      terminal.out(
        items.length === 0
          ? 'No target is configured.'
          : items.map((one) => describe(one, terminal.colours)).join('\n\n'),
      );
    const missed = items.some(
      (one) => !one.rpo.met || one.rto.met === false || one.drill.overdue_since !== null || lastFailed(one),
    );
    return missed ? exitCodes.checkFailed : exitCodes.ok;
  });
}

const lastFailed = ({ drill }: ObjectivesAnswer): boolean =>
  drill.last_verdict !== null && drill.last_verdict !== 'passed';

const span = (seconds: number): string => formatDuration(seconds * 1_000);

function describe(one: ObjectivesAnswer, colours: Colours): string {
  const { rto, drill } = one;
  const time =
    rto.measured_seconds === null
      ? 'never measured; `ragwarden drill run` does'
      : `${span(rto.measured_seconds)} measured` +
        `${rto.forecast_seconds === null ? '' : `, ${span(rto.forecast_seconds)} for the present size`}` +
        ` of ${span(rto.objective_seconds)}${rto.met === false ? colours.red(' missed') : ''}`;
  const facts: [string, string][] = [
    ['target', one.target_id],
    ['loss', describeRpo(one.rpo, colours)],
    ...one.workspaces.map(({ workspace, rpo }): [string, string] => [
      `loss of ${workspace === '' ? 'the unnamed workspace' : workspace}`,
      describeRpo(rpo, colours),
    ]),
    ['restore', time],
    ['last drill', drill.last_verdict === null ? 'none yet' : coloured(colours, drill.last_verdict)],
    ['last passed', drill.last_passed_at === null ? 'never' : formatInstant(drill.last_passed_at)],
    ['next drill', drill.next_at === null ? 'none by itself' : formatInstant(drill.next_at)],
  ];
  if (drill.overdue_since !== null) facts.push(['overdue', colours.red(`since ${formatInstant(drill.overdue_since)}`)]);
  if (rto.trend.length > 1)
    facts.push([
      'trend',
      rto.trend
        .slice(-8)
        .map((point) => span(point.rto_seconds))
        .join(' → '),
    ]);
  return formatFacts(facts);
}

function describeRpo(rpo: RpoAnswer, colours: Colours): string {
  if (rpo.measured_seconds === null || rpo.used === null) return colours.red('there is no good recovery point');
  const used = `${span(rpo.measured_seconds)} of ${span(rpo.objective_seconds)} (${Math.round(rpo.used * 100)} %)`;
  if (!rpo.met)
    return colours.red(`${used}, missed${rpo.missed_at === null ? '' : ` since ${formatInstant(rpo.missed_at)}`}`);
  return `${used}${rpo.missed_at === null ? '' : `, missed at ${formatInstant(rpo.missed_at)} without another point`}`;
}
