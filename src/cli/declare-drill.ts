import type { Command, Option } from 'commander';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, group, remote } from './command-shapes.ts';
import { listDrills, runDrill, saveEvidence, showDrill } from './drill-commands.ts';
import { showRecovery } from './recovery-command.ts';
import { choiceOption } from './suggestions.ts';

export function declareDrill(program: Command, context: CommandContext, does: Does): void {
  const drill = group(program, 'drill', 'rehearsed restores: run one, look at what they proved', [
    'drill run',
    'drill run ID',
    'drill list',
    'drill evidence ID --output evidence.json',
    'drill chaos',
  ]);
  const target = ['--target <id>', 'which target (default: the only one)'] as const;
  const choice = (): Option =>
    choiceOption('--choice <how>', 'which point, when none is named', ['newest', 'oldest', 'random', 'risk']);
  remote(
    drill
      .command('run')
      .argument('[point]')
      .description('restore a point beside everything and look at what comes out; 4 when it did not pass'),
  )
    .option(...target)
    .addOption(choice())
    .action(
      does((point: string | undefined, flags: Parameters<typeof runDrill>[3]) =>
        runDrill(context, 'restore', point, flags),
      ),
    );
  remote(
    drill
      .command('chaos')
      .argument('[point]')
      .description('damage a restored copy on purpose and look whether it is noticed; 4 when something was not'),
  )
    .option(...target)
    .addOption(choice())
    .action(
      does((point: string | undefined, flags: Parameters<typeof runDrill>[3]) =>
        runDrill(context, 'chaos', point, flags),
      ),
    );
  remote(drill.command('list').description('drills, newest first'))
    .option(...target)
    .addOption(choiceOption('--kind <kind>', 'only these', ['restore', 'chaos']))
    .option('--limit <number>', 'how many (default 50)', count(500))
    .action(does((flags: Parameters<typeof listDrills>[1]) => listDrills(context, flags)));
  remote(drill.command('show').argument('<id>').description('one drill')).action(
    does((id: string, flags: RemoteFlags) => showDrill(context, id, flags)),
  );
  remote(drill.command('evidence').argument('<id>').description('what a drill proved, as a sealed document'))
    .option('-o, --output <file>', 'into this new file instead of standard output')
    .action(does((id: string, flags: Parameters<typeof saveEvidence>[2]) => saveEvidence(context, id, flags)));

  const recovery = group(program, 'recovery', 'how well it could be brought back now', ['recovery status']);
  remote(recovery.command('status').description('loss and restore time against their objectives; 4 when one is missed'))
    .option('--target <id>', 'of one target (default: all)')
    .action(does((flags: Parameters<typeof showRecovery>[1]) => showRecovery(context, flags)));
}
