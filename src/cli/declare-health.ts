import type { Command } from 'commander';
import type { CommandContext } from './cli.ts';
import { type Does, group, remote, watchOption } from './command-shapes.ts';
import { type HealthFlags, listGraphs, listServices, showCheck, showHealth } from './health-commands.ts';

export function declareHealth(program: Command, context: CommandContext, does: Does): void {
  const health = group(
    program,
    'health',
    'what is well and what is not, and whether the backend can answer and ingest',
    ['health', 'health checks --fresh', "health check 'database default'", 'health graphs'],
  );
  const fresh = ['--fresh', 'look at everything now instead of telling what was last seen'] as const;
  remote(
    health
      .command('checks', { isDefault: true })
      .description('every check with what was seen; 4 when something is wrong; what `ragwarden health` alone shows'),
  )
    .option(...fresh)
    .option(...watchOption)
    .action(does((flags: HealthFlags) => showHealth(context, flags)));
  remote(
    health
      .command('check')
      .description('one check with all its figures; 4 when it is not well')
      .argument('<name>', 'as `ragwarden health` names it'),
  )
    .option(...fresh)
    .action(does((name: string, flags: HealthFlags) => showCheck(context, name, flags)));
  remote(
    health
      .command('graphs')
      .description('each graph: state, reasons, documents, stuck ones, audit; 4 when one is not well'),
  ).action(does((flags: HealthFlags) => listGraphs(context, flags)));
  remote(
    health
      .command('services')
      .description('what runs in this instance and in the others: since when, last run, last error; 4 when late'),
  ).action(does((flags: HealthFlags) => listServices(context, flags)));
}
