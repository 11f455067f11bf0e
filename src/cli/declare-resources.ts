import type { Command } from 'commander';
import type { CommandContext } from './cli.ts';
import { type Does, remote } from './command-shapes.ts';
import { showOrphans } from './orphan-commands.ts';

/** @param target the group of commands about a target */
export function declareResources(target: Command, context: CommandContext, does: Does): void {
  remote(
    target
      .command('orphans')
      .argument('[id]')
      .description('what belongs to nothing any more in its stores: rows, vectors, temporary files, stale cache'),
  )
    .option('--now', 'look for it first, which reads the files')
    .option('--examples', 'with up to a hundred ids or paths of each kind')
    .action(
      does((id: string | undefined, flags: Parameters<typeof showOrphans>[2]) => showOrphans(context, id, flags)),
    );
}
