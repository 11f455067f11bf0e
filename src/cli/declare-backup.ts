import type { Command } from 'commander';
import {
  adoptRepository,
  createPoint,
  listPoints,
  pointParts,
  printKit,
  showPoint,
  showRetention,
  switchSchedule,
  verifyPoint,
} from './backup-commands.ts';
import { pinPoint, rebuildCatalogue } from './catalogue-commands.ts';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, examples, group, offline, output, remote, watchOption } from './command-shapes.ts';
import { yesOption } from './confirm.ts';
import { type RecoverFlags, recover } from './recover-command.ts';
import { restorePoint } from './restore-command.ts';
import {
  cleanUp,
  deleteSnapshot,
  listGraphs,
  listSnapshots,
  scheduleGraph,
  showSnapshot,
  takeSnapshot,
} from './snapshot-commands.ts';
import { exportConfigOf, showSources } from './source-commands.ts';
import { listOf } from './suggestions.ts';

export function declareBackup(program: Command, context: CommandContext, does: Does): void {
  const backup = group(program, 'backup', 'recovery points: take, look at, verify, restore', [
    'backup create',
    'backup list',
    'backup restore ID',
    'backup kit > recovery-kit.txt',
  ]);
  const target = ['--target <id>', 'which target (default: the only one)'] as const;
  remote(backup.command('create').description('take a recovery point now and verify it'))
    .option(...target)
    .option('--workspace <name>', 'this workspace alone')
    .option('--include <parts>', 'only these: database, workspaces, config, separated by commas', listOf(pointParts))
    .action(does((flags: Parameters<typeof createPoint>[1]) => createPoint(context, flags)));
  remote(backup.command('list').description('recovery points, newest first'))
    .option(...target)
    .option('-a, --all', 'every run: failed and forgotten ones too')
    .option('--limit <number>', 'how many', count(500))
    .option(...watchOption)
    .action(does((flags: Parameters<typeof listPoints>[1]) => listPoints(context, flags)));
  remote(backup.command('show').argument('<id>').description('one recovery point')).action(
    does((id: string, flags: RemoteFlags) => showPoint(context, id, flags)),
  );
  remote(backup.command('verify').argument('<id>').description('read every byte back and compare')).action(
    does((id: string, flags: RemoteFlags) => verifyPoint(context, id, flags)),
  );
  examples(
    remote(backup.command('restore').argument('<id>').description('show the plan, ask, bring the point back'))
      .option('--plan', 'show the plan and change nothing')
      .option(...yesOption)
      .option('--component <name...>', 'only these components of it')
      .option('--workspace <name>', 'only what belongs to this workspace')
      .option('--as-workspace <name>', 'under this name, beside the one it has')
      .option('--to-folder <folder>', 'beside the live data, into a new folder below backup.allowed_roots')
      .option('--to-name <name>', 'beside the live data, under this name for what is no folder')
      .option('--no-safety-point', 'keep no point of the present state first (when the repository is full)')
      .action(does((id: string, flags: Parameters<typeof restorePoint>[2]) => restorePoint(context, id, flags))),
    ['backup restore ID --plan', 'backup restore ID', 'backup restore ID --yes --json'],
  );
  remote(backup.command('kit').description('print the page without which the backups cannot be read'))
    .option('--confirm', 'note that the page is kept elsewhere')
    .action(does((flags: Parameters<typeof printKit>[1]) => printKit(context, flags)));
  remote(
    backup
      .command('adopt-repository')
      .description('accept what lies at the location now, or begin a new repository there'),
  )
    .option(...yesOption)
    .action(does((flags: Parameters<typeof adoptRepository>[1]) => adoptRepository(context, flags)));
  remote(backup.command('pin').argument('<id>').description('keep a point: retention never forgets it')).action(
    does((id: string, flags: RemoteFlags) => pinPoint(context, id, true, flags)),
  );
  remote(backup.command('unpin').argument('<id>').description('leave a point to retention again')).action(
    does((id: string, flags: RemoteFlags) => pinPoint(context, id, false, flags)),
  );
  examples(
    remote(
      backup
        .command('rebuild-catalogue')
        .description('make the list of points from the repository; 4 when a point is lost or refused'),
    )
      .option('--dry-run', 'show what would change and change nothing')
      .option('--offline', 'without a running server, on the data folder itself')
      .action(does((flags: Parameters<typeof rebuildCatalogue>[1]) => rebuildCatalogue(context, flags))),
    [
      'backup rebuild-catalogue --dry-run',
      'backup rebuild-catalogue',
      'backup rebuild-catalogue --offline --data-dir DIR',
    ],
  );
  remote(backup.command('start').description('switch the schedule on')).action(
    does((flags: RemoteFlags) => switchSchedule(context, true, flags)),
  );
  remote(backup.command('stop').description('switch the schedule off; survives a restart')).action(
    does((flags: RemoteFlags) => switchSchedule(context, false, flags)),
  );
  remote(backup.command('sources').description('what a point would hold now, what each part is worth, what is missing'))
    .option(...target)
    .action(does((flags: Parameters<typeof showSources>[1]) => showSources(context, flags)));
  examples(
    remote(
      backup.command('export-config').argument('<id>').description('the configuration of a point, without its secrets'),
    )
      .option('--redact', 'take secrets out; needed, since nothing else is offered')
      .option('--to <folder>', 'write the files below this folder; none of them may be there yet')
      .action(does((id: string, flags: Parameters<typeof exportConfigOf>[2]) => exportConfigOf(context, id, flags))),
    ['backup export-config ID --redact', 'backup export-config ID --redact --to config-of-monday'],
  );
  remote(backup.command('graphs').description('every graph (workspace), and what there is of it')).action(
    does((flags: RemoteFlags) => listGraphs(context, flags)),
  );
  remote(backup.command('snapshots').argument('<graph>').description('snapshots of one graph, newest first')).action(
    does((graph: string, flags: RemoteFlags) => listSnapshots(context, graph, flags)),
  );
  const snapshot = group(backup, 'snapshot', 'one snapshot of one graph: take, look at, delete', [
    'backup snapshot take TARGET:WORKSPACE',
    'backup snapshot show TARGET:WORKSPACE ID',
    'backup restore ID --workspace WORKSPACE',
  ]);
  remote(snapshot.command('take').argument('<graph>').description('take one now and verify it')).action(
    does((graph: string, flags: RemoteFlags) => takeSnapshot(context, graph, flags)),
  );
  remote(
    snapshot.command('show').argument('<graph>').argument('<snapshot>').description('digest, size, where it lies'),
  ).action(does((graph: string, id: string, flags: RemoteFlags) => showSnapshot(context, graph, id, flags)));
  remote(
    snapshot.command('delete').argument('<graph>').argument('<snapshot>').description('delete the point it is part of'),
  )
    .option('--force', 'also one that is pinned, the newest good one, or one that holds other graphs')
    .option(...yesOption)
    .action(
      does((graph: string, id: string, flags: Parameters<typeof deleteSnapshot>[3]) =>
        deleteSnapshot(context, graph, id, flags),
      ),
    );
  remote(
    backup.command('schedule').argument('<graph>').description('how often one graph is taken; or take it more often'),
  )
    .option('--every <seconds>', 'beside its target, this often', count(31_536_000))
    .option('--off', 'with its target again')
    .action(does((graph: string, flags: Parameters<typeof scheduleGraph>[2]) => scheduleGraph(context, graph, flags)));
  remote(backup.command('cleanup').description('delete now what retention does not keep'))
    .option(...yesOption)
    .action(does((flags: Parameters<typeof cleanUp>[1]) => cleanUp(context, flags)));
  remote(backup.command('retention').description('what retention would keep and forget now, and why'))
    .option(...target)
    .action(does((flags: Parameters<typeof showRetention>[1]) => showRetention(context, flags)));
}

export function declareRecover(program: Command, context: CommandContext, does: Does): void {
  examples(
    output(
      offline(
        program
          .command('recover')
          .description('onto an empty machine, from the repository and the recovery kit alone: plan, question, work'),
      ),
    )
      .option('--kit <file>', 'the recovery kit: location and password')
      .option('--repository <location>', 'where the repository is (default: the kit, else BACKUP_DIR)')
      .option('--password-file <file>', 'its password (default: the kit, else the data folder)')
      .option('--point <id>', 'this point (default: the newest good one)')
      .option('--target <id>', 'of this target, when the repository holds several')
      .option('--folder <component=path...>', 'another place than it was captured from')
      .option('--without <component...>', 'leave it out')
      .option('--beside <folder>', 'where configuration is put for you to take from (default ./recovered)')
      .option('--plan', 'show the plan and change nothing')
      .option(...yesOption)
      .action(does((flags: RecoverFlags) => recover(context, flags))),
    [
      'recover --kit recovery-kit.txt --plan',
      'recover --kit recovery-kit.txt --data-dir /var/lib/ragwarden',
      'recover --repository /mnt/repository --password-file password.txt --folder workspace=/srv/rag',
    ],
  );
}
