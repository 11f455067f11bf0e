import type { Command } from 'commander';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, group, remote } from './command-shapes.ts';
import {
  type AddFlags,
  type AdoptFlags,
  addReplica,
  adoptReceived,
  listReceived,
  listReplicas,
  listReplicationLog,
  removeReplica,
  setReplicaEnabled,
  showReplica,
  showReplication,
  workOnReplica,
} from './replicate-commands.ts';
import { choiceOption } from './suggestions.ts';

export function declareReplicate(program: Command, context: CommandContext, does: Does): void {
  const replicate = group(program, 'replicate', 'copies of recovery points at other places', [
    'replicate status',
    'replicate add cellar --location /mnt/cellar/ragwarden --zone cellar',
    'replicate run cellar',
    'replicate verify cellar --percent 10',
    'replicate heal cellar --damaged source --yes',
    'replicate adopt --kit recovery-kit.txt',
  ]);
  remote(
    replicate
      .command('status')
      .description('where the points are copied to and how far behind that is; 4 when it is not as it shall be'),
  ).action(does((flags: RemoteFlags) => showReplication(context, flags)));
  remote(replicate.command('targets').description('the places, and how they are')).action(
    does((flags: RemoteFlags) => listReplicas(context, flags)),
  );
  remote(replicate.command('show').argument('<replica>').description('one of them')).action(
    does((id: string, flags: RemoteFlags) => showReplica(context, id, flags)),
  );
  remote(replicate.command('add').argument('<name>').description('register a place'))
    .option('--location <place>', 'a repository: an absolute folder, s3:, azure:, gs:, rest: or sftp:')
    .option('--url <url>', 'another ragwarden')
    .option('--title <text>', 'for people (default: the name)')
    .option('--zone <name>', 'whatever falls out together')
    .option('--offline', 'usually not attached')
    .option('--limit <kib>', 'greatest rate in KiB per second', count(100_000_000))
    .option('--max-concurrent <number>', 'begin it while fewer targets are worked on; 1 is alone', count(20))
    .option('--credentials-file <file>', 'lines of NAME=VALUE, such as AWS_SECRET_ACCESS_KEY or API_KEY')
    .action(does((id: string, flags: AddFlags) => addReplica(context, id, flags)));
  for (const [name, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const)
    remote(
      replicate
        .command(name)
        .argument('<replica>')
        .description(enabled ? 'copy there again' : 'copy there no more, and keep it registered'),
    ).action(does((id: string, flags: RemoteFlags) => setReplicaEnabled(context, id, enabled, flags)));
  remote(
    replicate.command('remove').argument('<replica>').description('copy there no more; what lies there stays'),
  ).action(does((id: string, flags: RemoteFlags) => removeReplica(context, id, flags)));
  remote(replicate.command('run').argument('<replica>').description('copy what is missing there, now')).action(
    does((id: string, flags: RemoteFlags) => workOnReplica(context, id, 'replicate', flags)),
  );
  remote(
    replicate.command('verify').argument('<replica>').description('read a share of its data; 4 when it is damaged'),
  )
    .option('--percent <number>', 'how much (default: replication.verify_percent)', count(100))
    .action(
      does((id: string, flags: RemoteFlags & { percent?: number }) => workOnReplica(context, id, 'verify', flags)),
    );
  remote(
    replicate
      .command('heal')
      .argument('<replica>')
      .description('mend a damaged repository from the good one of the two'),
  )
    .addOption(choiceOption('--damaged <which>', 'which is mended (default target)', ['target', 'source']))
    .option('-y, --yes', 'the damaged snapshots may be forgotten before they are copied back')
    .action(
      does((id: string, flags: RemoteFlags & { damaged?: string; yes?: boolean }) =>
        workOnReplica(context, id, 'heal', flags),
      ),
    );
  remote(
    replicate.command('prune').argument('<replica>').description('free what nothing needs there any more, now'),
  ).action(does((id: string, flags: RemoteFlags) => workOnReplica(context, id, 'prune', flags)));
  remote(replicate.command('received').description('points that other installations sent here')).action(
    does((flags: RemoteFlags) => listReceived(context, flags)),
  );
  remote(
    replicate
      .command('adopt')
      .argument('[point]')
      .description('make a received point one of this installation, when its sender is lost (default: the newest)'),
  )
    .option('--kit <file>', 'the recovery kit of the sender')
    .option('--password-file <file>', "the password of the sender's repository, where there is no kit")
    .option('--graph <id>', 'of this graph, where there are several')
    .option('--sender <subject>', 'from this sender, where there are several')
    .action(does((id: string | undefined, flags: AdoptFlags) => adoptReceived(context, id, flags)));
  remote(replicate.command('logs').description('what was copied, verified and healed, newest first'))
    .option('--target <replica>', 'at one place')
    .addOption(
      choiceOption('--status <status>', 'only these', ['pending', 'in_progress', 'completed', 'failed', 'validated']),
    )
    .addOption(
      choiceOption('--type <type>', 'only these', [
        'sync',
        'validate',
        'health_check',
        'heal',
        'receive',
        'forget',
        'prune',
      ]),
    )
    .option('--limit <number>', 'how many (default 50)', count(500))
    .action(does((flags: Parameters<typeof listReplicationLog>[1]) => listReplicationLog(context, flags)));
}
