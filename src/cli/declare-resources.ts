import type { Command } from 'commander';
import type { CommandContext } from './cli.ts';
import { type Does, group, remote } from './command-shapes.ts';
import { showOrphans } from './orphan-commands.ts';
import { listLeaks, listObserved, listResources, showEvidence, summarizeResources } from './resource-commands.ts';

/** @param target the group of commands about a target */
export function declareResources(program: Command, target: Command, context: CommandContext, does: Does): void {
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

  const resources = group(program, 'resources', 'what programs hold, told by themselves or seen from outside', [
    'resources summary',
    'resources list',
    'resources observed',
  ]);
  remote(resources.command('summary').description('in numbers, by type')).action(
    does((flags: Parameters<typeof summarizeResources>[1]) => summarizeResources(context, flags)),
  );
  remote(resources.command('list').description('what is registered, in the order of registration'))
    .option('--type <type>', 'such as file_handle')
    .option('--status <status>', 'active, idle, leaked, error or cleaned_up')
    .option('--owner <name>', 'of one owner')
    .option('--limit <n>', 'at most so many, up to 1000', Number)
    .action(does((flags: Parameters<typeof listResources>[1]) => listResources(context, flags)));
  remote(resources.command('observed').description('what is looked at of processes and servers')).action(
    does((flags: Parameters<typeof listObserved>[1]) => listObserved(context, flags)),
  );

  const leaks = group(program, 'leaks', 'what nobody seems to hold any more, and what grows without end', [
    'leaks list',
    "leaks evidence 'backend default' memory",
  ]);
  remote(leaks.command('list').description('all of them, with what to do; 4 when one is sure'))
    .option('--severity <severity>', 'low, medium, high or critical')
    .option('--limit <n>', 'at most so many registered ones, up to 100', Number)
    .action(does((flags: Parameters<typeof listLeaks>[1]) => listLeaks(context, flags)));
  remote(
    leaks
      .command('evidence')
      .argument('<subject>')
      .argument('<measure>')
      .description('one measure of a process or server over the last three days'),
  ).action(
    does((subject: string, measure: string, flags: Parameters<typeof showEvidence>[3]) =>
      showEvidence(context, subject, measure, flags),
    ),
  );
}
