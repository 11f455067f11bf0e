import { type Command, Option } from 'commander';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { type Does, group, remote } from './command-shapes.ts';
import { yesOption } from './confirm.ts';
import {
  checkRepository,
  forgetPoints,
  pruneRepository,
  showRepository,
  unlockRepository,
} from './repository-commands.ts';

export function declareRepository(program: Command, context: CommandContext, does: Does): void {
  const repo = group(program, 'repo', 'where the points lie: status, check, forget, prune, unlock', [
    'repo status',
    'repo check',
    'repo forget --dry-run',
    'repo prune',
  ]);
  remote(
    repo
      .command('status')
      .description('whether it opens, who locks it, when it was kept in order; 4 when that is late'),
  ).action(does((flags: RemoteFlags) => showRepository(context, flags)));
  remote(repo.command('check').description('check the structure, and read the part of the data whose turn it is'))
    .addOption(new Option('--read-data', 'read all data').conflicts(['subset', 'structure']))
    .addOption(new Option('--subset <part>', 'read this part: 10%, 1/7 or 500M').conflicts('structure'))
    .option('--structure', 'read no data')
    .action(does((flags: Parameters<typeof checkRepository>[1]) => checkRepository(context, flags)));
  remote(repo.command('forget').description('forget what retention gives up, and what belongs to no point'))
    .option('--target <id>', 'which target (default: the only one)')
    .option('--dry-run', 'show what would go and change nothing')
    .option(...yesOption)
    .action(does((flags: Parameters<typeof forgetPoints>[1]) => forgetPoints(context, flags)));
  remote(repo.command('prune').description('free the bytes that no point refers to')).action(
    does((flags: RemoteFlags) => pruneRepository(context, flags)),
  );
  remote(
    repo
      .command('unlock')
      .argument('[lock...]', 'ids of locks (default: all whose holder is gone)')
      .description('remove locks whose holder is proved to be dead'),
  ).action(does((ids: string[], flags: RemoteFlags) => unlockRepository(context, ids, flags)));
}
