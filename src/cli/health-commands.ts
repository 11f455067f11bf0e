import { pageOf, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatDuration, formatFigure, formatInstant, formatTable } from './format.ts';
import {
  graphAnswer,
  type HealthStatusAnswer,
  healthStatusAnswer,
  instanceAnswer,
  type VerdictAnswer,
} from './health-answers.ts';
import type { Colours } from './terminal.ts';
import { watch } from './watch.ts';
import { coloured } from './words.ts';

export type HealthFlags = RemoteFlags & { readonly fresh?: boolean; readonly watch?: boolean };

const path = '/api/v1/health-dashboard/status';
const bad = ['degraded', 'unhealthy', 'critical'];
const exitCodeOf = (status: string): number => (bad.includes(status) ? exitCodes.checkFailed : exitCodes.ok);

/** @returns 4 when something is wrong */
export async function showHealth(context: CommandContext, flags: HealthFlags): Promise<number> {
  const { terminal } = context;
  const query = flags.fresh ? { query: { fresh: 'true' } } : {};
  if (flags.watch)
    return watch(context, flags, async (api) => {
      const document = await api.call(path, query);
      const health = read(healthStatusAnswer, document);
      return { document, essence: essenceOf(health), render: (colours) => renderHealth(health, colours) };
    });
  return withApi(context, flags, async (api) => {
    const document = await api.call(path, query);
    const health = read(healthStatusAnswer, document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) terminal.out(renderHealth(health, terminal.colours));
    return exitCodeOf(health.status);
  });
}

const essenceOf = ({ status, can_answer, can_ingest, checks }: HealthStatusAnswer): unknown => [
  status,
  can_answer.can,
  can_ingest.can,
  checks.map((one) => [one.name, one.status, one.flapping]),
];

export function renderHealth(health: HealthStatusAnswer, colours: Colours): string {
  const { bold } = colours;
  return [
    `${bold('Overall')}     ${coloured(colours, health.status)}`,
    ...verdictLines('Can answer', health.can_answer, colours),
    ...verdictLines('Can ingest', health.can_ingest, colours),
    '',
    formatTable(
      [
        { title: 'check' },
        { title: 'kind' },
        { title: 'state' },
        { title: 'seen', align: 'right' },
        { title: 'what was seen' },
      ],
      health.checks.map((one) => [
        one.name,
        one.kind,
        coloured(colours, one.status) + (one.flapping ? ' ~' : ''),
        one.age_seconds === null ? 'never' : `${formatDuration(one.age_seconds * 1_000)} ago`,
        one.message,
      ]),
    ),
  ].join('\n');
}

function verdictLines(title: string, { can, reasons }: VerdictAnswer, colours: Colours): string[] {
  const word = can === null ? 'unknown' : can ? colours.green('yes') : colours.red('no');
  return [
    `${colours.bold(title)}  ${word}`,
    ...(can ? [] : reasons.map(({ check, message }) => `  ${check}: ${message}`)),
  ];
}

/** One check with every figure. @returns 4 when it is not well, 10 when there is none of that name */
export async function showCheck(context: CommandContext, name: string, flags: HealthFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(path, flags.fresh ? { query: { fresh: 'true' } } : {});
    const { checks } = read(healthStatusAnswer, document);
    const found = checks.find((one) => one.name === name);
    if (!found) {
      terminal.note(`There is no check "${name}". There are: ${checks.map((one) => one.name).join(', ')}.`);
      return exitCodes.unknownThing;
    }
    if (flags.json) printJson(terminal, found);
    else if (!flags.quiet)
      terminal.out(
        [
          `${terminal.colours.bold(found.name)}  ${coloured(terminal.colours, found.status)}`,
          `  ${found.message}`,
          ...figures(found.checks, '  '),
          ...figures(found.metrics, '  '),
          ...Object.entries(found.details).map(([key, value]) => `  ${key}  ${formatFigure(value)}`),
        ].join('\n'),
      );
    return exitCodeOf(found.status);
  });
}

const figures = (groups: Readonly<Record<string, Readonly<Record<string, unknown>>>>, indent: string): string[] =>
  Object.entries(groups).flatMap(([group, values]) =>
    Object.entries(values).map(([key, value]) => `${indent}${group}.${key}  ${formatFigure(value)}`),
  );

/** @returns 4 when a graph is not well */
export async function listGraphs(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/health-dashboard/graphs');
    const { items } = read(pageOf(graphAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet)
      terminal.out(
        formatTable(
          [
            { title: 'graph' },
            { title: 'state' },
            { title: 'documents' },
            { title: 'stuck', align: 'right' },
            { title: 'audit' },
            { title: 'why' },
          ],
          items.map((one) => [
            one.graph_id,
            coloured(terminal.colours, one.status),
            documentsOf(one.documents),
            String(one.stuck?.documents ?? 0),
            one.audit?.verdict ?? '-',
            one.reasons.map(({ message }) => message).join(' '),
          ]),
        ),
      );
    return items.some(({ status }) => status === 'DEGRADED' || status === 'OFFLINE')
      ? exitCodes.checkFailed
      : exitCodes.ok;
  });
}

const documentsOf = (counts: Readonly<Record<string, number>> | null): string =>
  counts === null
    ? 'unknown'
    : Object.entries(counts)
        .flatMap(([status, count]) => (count > 0 ? [`${count} ${status}`] : []))
        .join(', ') || 'none';

export async function listServices(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  const { green, red, yellow } = terminal.colours;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/system/services');
    const { items } = read(pageOf(instanceAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet)
      terminal.out(
        items
          .map((instance) =>
            [
              `${terminal.colours.bold(instance.instance)}  ${instance.version}, since ${formatInstant(instance.started_at)}${instance.here ? '' : `, ${instance.alive ? 'alive' : red('gone')}, told ${formatInstant(instance.told_at)}`}`,
              formatTable(
                [{ title: 'service' }, { title: 'state' }, { title: 'last run' }, { title: 'last error' }],
                instance.services.map((one) => [
                  one.name,
                  one.state === 'late' ? red('late') : one.state === 'stopped' ? one.state : green(one.state),
                  one.last_run === null ? '-' : formatInstant(one.last_run),
                  one.last_error === null ? '-' : yellow(one.last_error),
                ]),
              ),
            ].join('\n'),
          )
          .join('\n\n'),
      );
    return items.some(({ services }) => services.some(({ state }) => state === 'late'))
      ? exitCodes.checkFailed
      : exitCodes.ok;
  });
}
