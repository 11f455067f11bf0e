import type { Command } from 'commander';
import {
  createCheckpoint,
  failOverToCheckpoint,
  listCheckpoints,
  removeCheckpoint,
  showCheckpoint,
  validateCheckpoint,
} from './checkpoint-commands.ts';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, group, remote } from './command-shapes.ts';
import { yesOption } from './confirm.ts';
import { failOver, listFailovers, reseed, showFailover, showOneFailover } from './failover-commands.ts';

const target = ['--target <id>', 'which target (default: the only one)'] as const;
const force = ['--force', 'although the place that is left cannot be stopped, or the canary fails'] as const;
const plan = ['--plan', 'show what would be done, and do nothing'] as const;

export function declareFailover(program: Command, context: CommandContext, does: Does): void {
  const failover = group(program, 'failover', 'bring the target up at its other place, and back', [
    'failover status',
    'failover run --plan',
    'failover run',
    'failover reseed --yes',
    'failover list',
  ]);
  remote(
    failover
      .command('status')
      .description('where the target lives, and how the last failover went; 4 when it did not end well'),
  )
    .option(...target)
    .action(does((flags: Parameters<typeof showFailover>[1]) => showFailover(context, flags)));
  remote(
    failover
      .command('run')
      .description('plan, question, failover, report: from the newest verified point wherever it lies'),
  )
    .option(...target)
    .option('--point <id>', 'from this point')
    .option(...plan)
    .option(...yesOption)
    .option(...force)
    .action(does((flags: Parameters<typeof failOver>[1]) => failOver(context, flags)));
  remote(failover.command('reseed').description('fill the place that was left from a new point, and leave it stopped'))
    .option(...target)
    .option('--place <home|standby>', 'only if this is the place to fill: refused when the target lives there by now')
    .option(...yesOption)
    .action(does((flags: Parameters<typeof reseed>[1]) => reseed(context, flags)));
  remote(failover.command('list').description('failovers and reseeds, newest first'))
    .option(...target)
    .option('--limit <number>', 'how many (default 50)', count(500))
    .action(does((flags: Parameters<typeof listFailovers>[1]) => listFailovers(context, flags)));
  remote(failover.command('show').argument('<id>').description('one of them, with the time of each phase')).action(
    does((id: string, flags: RemoteFlags) => showOneFailover(context, id, flags)),
  );

  const checkpoint = group(program, 'checkpoint', 'named sets of verified points, kept and failed over to together', [
    'checkpoint create GRAPH --description "before the upgrade"',
    'checkpoint validate ID',
    'checkpoint failover ID',
    'checkpoint list',
  ]);
  remote(
    checkpoint.command('create').argument('<graph...>').description('name the newest verified point of each graph'),
  )
    .option('--description <text>', 'what it is for')
    .action(
      does((graphs: string[], flags: Parameters<typeof createCheckpoint>[2]) =>
        createCheckpoint(context, graphs, flags),
      ),
    );
  remote(checkpoint.command('list').description('checkpoints, newest first'))
    .option('--limit <number>', 'how many (default 50)', count(500))
    .action(does((flags: Parameters<typeof listCheckpoints>[1]) => listCheckpoints(context, flags)));
  remote(checkpoint.command('show').argument('<id>').description('one checkpoint')).action(
    does((id: string, flags: RemoteFlags) => showCheckpoint(context, id, flags)),
  );
  remote(
    checkpoint
      .command('validate')
      .argument('<id>')
      .description('restore its points in drills; 4 when one did not pass'),
  ).action(does((id: string, flags: RemoteFlags) => validateCheckpoint(context, id, flags)));
  remote(checkpoint.command('failover').argument('<id>').description('fail over to its point'))
    .option(...plan)
    .option(...yesOption)
    .option(...force)
    .action(
      does((id: string, flags: Parameters<typeof failOverToCheckpoint>[2]) => failOverToCheckpoint(context, id, flags)),
    );
  remote(
    checkpoint.command('remove').argument('<id>').description('give it up; its points stay as retention keeps them'),
  ).action(does((id: string, flags: RemoteFlags) => removeCheckpoint(context, id, flags)));
}
