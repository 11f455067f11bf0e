import type { Command } from 'commander';
import type { CommandContext } from './cli.ts';
import { count, type Does, group, remote, watchOption } from './command-shapes.ts';
import { choiceOption } from './suggestions.ts';
import { spanSeconds } from './time-range.ts';
import { showRecent, showTraffic } from './traffic-commands.ts';

const keys = ['operation', 'mode', 'workspace', 'user', 'model', 'provider', 'role', 'source'];

export function declareTraffic(program: Command, context: CommandContext, does: Does): void {
  const traffic = group(program, 'traffic', 'what passed the gateway: times, errors, tokens, cost', [
    'traffic',
    'traffic --by workspace --window 24h',
    'traffic --by model --json',
    'traffic recent --failed',
  ]);
  filtered(
    traffic
      .command('summary', { isDefault: true })
      .description('counts, times, tokens and cost over a window; what `ragwarden traffic` alone shows'),
  )
    .addOption(choiceOption('--by <name>', 'a line for each', keys))
    .option('--window <span>', 'how far back, such as 15m or 24h; at most 7d (default 1h)', spanSeconds)
    .option('--limit <number>', 'how many lines (default 20)', count(500))
    .option(...watchOption)
    .action(does((flags: Parameters<typeof showTraffic>[1]) => showTraffic(context, flags)));
  filtered(traffic.command('recent').description('the latest exchanges, newest first'))
    .option('--failed', 'only those that did not end well')
    .addOption(choiceOption('--door <door>', 'only these', ['backend', 'llm']))
    .option('--limit <number>', 'how many (default 50)', count(500))
    .option(...watchOption)
    .action(does((flags: Parameters<typeof showRecent>[1]) => showRecent(context, flags)));
}

const filtered = (command: Command): Command =>
  remote(command)
    .option('--target <id>', 'of one target')
    .option('--workspace <name>', 'of one workspace; empty: the unnamed one')
    .option('--user <subject>', 'of one user');
