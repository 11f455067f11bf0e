import type { Command } from 'commander';
import type { CommandContext } from './cli.ts';
import { count, type Does, group, remote } from './command-shapes.ts';
import { showEvents } from './event-commands.ts';
import { exportEvents, showAnalytics, verifyEvents } from './event-log-commands.ts';
import { choiceOption, listOf, severities } from './suggestions.ts';
import { instantText, spanSeconds } from './time-range.ts';

export const kinds = [
  ...['backup', 'replication', 'recovery', 'health', 'alert', 'quota', 'cleanup', 'tuning', 'access', 'lifecycle'],
];

export function declareEvents(program: Command, context: CommandContext, does: Does): void {
  const events = group(program, 'events', 'what happened, and who asked for what', [
    'events',
    "events --follow --type 'backup.*'",
    'events --severity error,critical --limit 10',
    'events --correlation ID',
    'events analytics --last 7d',
    'events export --output events.ndjson',
    'events verify --against repository',
  ]);
  const show = does((flags: Parameters<typeof showEvents>[1]) => showEvents(context, flags));
  filtered(
    events
      .command('list', { isDefault: true })
      .description('oldest of the newest first; what `ragwarden events` alone shows'),
  )
    .option('-f, --follow', 'go on with what happens from now; with --json one document a line')
    .option('-w, --watch', 'the newest, in place on a terminal; the same as --follow elsewhere')
    .option('--limit <number>', 'how many at first (default 50)', count(500))
    .action(show);
  filtered(events.command('watch').description('the newest, then what happens from now; as `list --follow`'))
    .option('--limit <number>', 'how many at first (default 50)', count(500))
    .action(does((flags: Parameters<typeof showEvents>[1]) => showEvents(context, { ...flags, follow: true })));
  ranged(filtered(events.command('analytics').description('counts by kind and severity over time, and why'))).action(
    does((flags: Parameters<typeof showAnalytics>[1]) => showAnalytics(context, flags)),
  );
  ranged(filtered(events.command('export').description('all of them, oldest first, one JSON document a line')))
    .option('--audit', 'the audit trail with its hashes instead')
    .option('-o, --output <file>', 'into this new file instead of to standard output')
    .action(does((flags: Parameters<typeof exportEvents>[1]) => exportEvents(context, flags)));
  remote(
    events.command('verify').description('whether the audit trail is whole and as it was written; 4 when it is not'),
  )
    .addOption(
      choiceOption(
        '--against <where>',
        'where the heads that recovery points noted are read (default catalogue); repository takes longer and shows more',
        ['catalogue', 'repository', 'nothing'],
      ),
    )
    .option('--expect <seq:hash>', 'a head that this command told before')
    .action(does((flags: Parameters<typeof verifyEvents>[1]) => verifyEvents(context, flags)));
}

const filtered = (command: Command): Command =>
  remote(command)
    .option('--type <types>', 'such as backup.* or target.status-changed, separated by commas')
    .option('--kind <kinds>', `${kinds.join(', ')}, separated by commas`, listOf(kinds))
    .option('--severity <words>', 'info, warning, error, critical, separated by commas', listOf(severities))
    .option('--target <id>', 'of one target')
    .option('--graph <id>', 'of one graph: target, or target:workspace')
    .option('--user <subject>', 'that this one asked for')
    .option('--correlation <id>', 'that belong together: correlation id of an event, request id of an error');

const ranged = (command: Command): Command =>
  command
    .option('--last <span>', 'how far back, such as 6h or 7d', spanSeconds)
    .option('--from <instant>', 'from here instead', instantText)
    .option('--to <instant>', 'until here (default: now)', instantText);
