import type { Command } from 'commander';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, group, remote } from './command-shapes.ts';
import { yesOption } from './confirm.ts';
import {
  checkQuota,
  endReservation,
  listQuotas,
  listReservations,
  listViolations,
  type QuotaFlags,
  removeQuota,
  replayQuota,
  resetQuota,
  setQuota,
  showQuota,
  type UseFlags,
} from './quota-commands.ts';
import { choiceOption } from './suggestions.ts';

const kinds = [
  ...['requests', 'llm_calls', 'tokens', 'cost_micros', 'documents', 'chunks', 'stored_bytes', 'backup_bytes'],
  ...['concurrent_inserts', 'memory', 'file_handle', 'network_connection', 'database_connection', 'async_task'],
  ...['thread', 'process', 'cache', 'lock', 'temporary_file'],
];

export function declareQuota(program: Command, context: CommandContext, does: Does): void {
  const quota = group(program, 'quota', 'what may be used, by whom, and what was', [
    'quota',
    'quota set tokens-per-user --counts tokens --limit 200000 --period day --per user --action block',
    'quota check --counts tokens --amount 5000 --user local:anna --dry-run',
    'quota violations',
  ]);
  remote(
    quota.command('list', { isDefault: true }).description('quotas and how they stand; 4 while the ledger is lost'),
  )
    .option('--user <id>', 'only what this user shares in')
    .option('--workspace <name>', 'only what this workspace shares in')
    .action(does((flags: QuotaFlags) => listQuotas(context, flags)));
  remote(
    quota.command('show').argument('<id>').description('one quota: who used how much, and what is to be expected'),
  ).action(does((id: string, flags: RemoteFlags) => showQuota(context, id, flags)));
  for (const [name, about] of [
    ['set', 'make a quota, or change what is named here of the one that there is'],
    [
      'replay',
      'what a definition would have done to what passed and is remembered; without flags: the one that there is',
    ],
  ] as const)
    defining(remote(quota.command(name).argument('<id>').description(about))).action(
      does((id: string, flags: QuotaFlags) =>
        name === 'set' ? setQuota(context, id, flags) : replayQuota(context, id, flags),
      ),
    );
  remote(quota.command('remove').argument('<id>').description('remove a quota with all that was counted'))
    .option(...yesOption)
    .action(does((id: string, flags: Parameters<typeof removeQuota>[2]) => removeQuota(context, id, flags)));
  remote(quota.command('reset').argument('<id>').description('begin to count anew'))
    .option('--bucket <bucket>', 'of one bucket, as `quota show` names it (default: all)')
    .option(...yesOption)
    .action(does((id: string, flags: Parameters<typeof resetQuota>[2]) => resetQuota(context, id, flags)));
  remote(quota.command('check').description('ask every quota that applies, and use it up; 4 when one denies'))
    .addOption(choiceOption('--counts <kind>', 'what is used', kinds).makeOptionMandatory())
    .option('--amount <number>', 'how much (default 1)', count(Number.MAX_SAFE_INTEGER))
    .option('--target <id>', 'of this target')
    .option('--workspace <name>', 'of this workspace')
    .option('--user <id>', 'of this user')
    .option('--dry-run', 'use nothing up')
    .action(does((flags: UseFlags) => checkQuota(context, flags)));
  remote(quota.command('violations').description('limits that were passed, or would have been; newest first'))
    .option('--quota <id>', 'of one quota')
    .option('--open', 'only those that last')
    .option('--limit <number>', 'how many (default 50)', count(200))
    .action(
      does((flags: RemoteFlags & { quota?: string; open?: boolean; limit?: number }) => listViolations(context, flags)),
    );
  remote(quota.command('reservations').description('what is held; newest first'))
    .option('--all', 'those that have ended too')
    .option('--limit <number>', 'how many (default 50)', count(200))
    .action(does((flags: RemoteFlags & { all?: boolean; limit?: number }) => listReservations(context, flags)));
  for (const [name, about] of [
    ['release', 'give back what a reservation holds'],
    ['settle', 'count what a reservation holds as used'],
  ] as const)
    remote(quota.command(name).argument('<reservation>').description(about)).action(
      does((id: string, flags: RemoteFlags) => endReservation(context, id, name, flags)),
    );
}

const defining = (command: Command): Command =>
  command
    .option('--name <text>', 'for people (default: the id)')
    .option('--description <text>', 'what it is for')
    .addOption(choiceOption('--counts <kind>', 'what is counted', kinds))
    .addOption(choiceOption('--type <type>', 'hard unless told', ['hard', 'soft', 'burst', 'dynamic']))
    .addOption(
      choiceOption('--period <period>', 'hour unless told', [
        ...['second', 'minute', 'hour', 'day', 'week', 'month', 'forever'],
      ]),
    )
    .addOption(choiceOption('--window <window>', 'calendar unless told', ['calendar', 'sliding']))
    .option('--limit <number>', 'how much', count(Number.MAX_SAFE_INTEGER))
    .option('--burst-limit <number>', 'up to which it may be passed', count(Number.MAX_SAFE_INTEGER))
    .option('--max-limit <number>', 'up to which a dynamic one may grow', count(Number.MAX_SAFE_INTEGER))
    .addOption(
      choiceOption('--action <action>', 'warn unless told', ['block', 'warn', 'throttle', 'queue', 'escalate']),
    )
    .option('--target <id>', 'only of this target')
    .option('--workspace <name>', 'only of this workspace')
    .option('--user <id>', 'only of this user')
    .option('--key <id>', 'only of this key of the gateway')
    .option('--per <names>', 'each has it for itself: target, workspace, user, key, with commas between')
    .addOption(
      choiceOption('--when-lost <policy>', 'while the ledger does not answer', ['closed', 'open', 'local_share']),
    )
    .option('--shadow', 'count and report only')
    .option('--enforce', 'deny, where it was shadowed')
    .option('--disable', 'switch it off')
    .option('--enable', 'switch it on');
