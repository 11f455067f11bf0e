import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { productVersion } from '../platform/product-version.ts';
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
import { completeWords, printCommandReference, printCompletion } from './completion/complete-command.ts';
import { type Shell, shells } from './completion/scripts.ts';
import { checkConfig, printExample, printReference, printSchema, showConfig } from './config-commands.ts';
import { runDoctor } from './doctor/run-doctor.ts';
import { listDrills, runDrill, saveEvidence, showDrill } from './drill-commands.ts';
import { showEvents } from './event-commands.ts';
import { exitCodeHelp, exitCodes } from './exit-code.ts';
import { explain } from './explain/explain-command.ts';
import { foldFolder } from './fold-command.ts';
import { cancelOperation, listOperations, showOperation } from './operation-commands.ts';
import { type RecoverFlags, recover } from './recover-command.ts';
import { showRecovery } from './recovery-command.ts';
import {
  checkRepository,
  forgetPoints,
  pruneRepository,
  showRepository,
  unlockRepository,
} from './repository-commands.ts';
import { restorePoint } from './restore-command.ts';
import { serve } from './serve.ts';
import { listSettings, reloadSettings, resetSettings, setSettings, showSetting } from './settings-commands.ts';
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
import { showStatus } from './status-command.ts';
import { choiceOption, listOf, oneOf, severities } from './suggestions.ts';
import { showGrowth, showJobs } from './system-commands.ts';
import { inspectTarget, listTargets } from './target-commands.ts';
import { createLoginLink, createToken, endSessions, listTokens, revokeToken, rotateToken } from './token-commands.ts';

/**
 * Parses the arguments and runs the one command they name.
 * @returns its exit code; help and version are 0, what cannot be parsed is 2 with the nearest suggestion
 */
export async function runProgram(context: CommandContext, argv: readonly string[]): Promise<number> {
  let code: number = exitCodes.ok;
  const program = buildProgram(context, (outcome) => {
    code = outcome;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (err) {
    if (!(err instanceof CommanderError)) throw err;
    return err.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
}

function buildProgram(context: CommandContext, finish: (code: number) => void): Command {
  const { terminal } = context;
  const program = new Command('ragwarden')
    .description('The operations plane beside a RAG backend: watch it, measure it, protect it, bring it back.')
    .version(productVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .exitOverride()
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false, minWidthToWrap: 8 })
    .configureOutput({
      writeOut: (text) => terminal.out(text.replace(/\n$/, '')),
      writeErr: (text) => terminal.note(text.replace(/\n$/, '')),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => terminal.columns() ?? 100,
      getErrHelpWidth: () => terminal.columns() ?? 100,
    });
  examples(program, ['up', 'status', 'backup list', 'backup restore ID']);

  output(offline(program)).enablePositionalOptions();

  /** Runs the command and keeps its exit code. */
  const does =
    <Arguments extends readonly unknown[]>(run: (...args: Arguments) => number | Promise<number>) =>
    async (...args: unknown[]): Promise<void> => {
      // Commander hands over arguments, flags and itself in the order in which they were declared beside `run`.
      const [flags, command] = args.slice(-2) as [Record<string, unknown>, Command];
      const all = { ...earlierFlags(command), ...flags };
      finish(await run(...([...args.slice(0, -2), all, command] as unknown as Arguments)));
    };

  for (const [name, about, lines] of [
    [
      'up',
      'start here, with the bundled sample backend when no target is configured',
      ['up', 'up --port 0 --data-dir /var/lib/ragwarden'],
    ],
    [
      'serve',
      'start as a service: one JSON line on standard output when ready, logs on standard error',
      ['serve', 'serve --data-dir DIR --port 0 --metrics-port 0'],
    ],
  ] as const)
    examples(
      offline(program.command(name).description(about))
        .option('--host <address>', 'address to listen on (default 127.0.0.1)')
        .option('--port <number>', 'port of API and page; 0 takes any free one (default 8710)')
        .option('--metrics-port <number>', 'port of the Prometheus exposition (default 9090)')
        .addOption(new Option('--gateway-port <number>', 'port of the gateway').argParser(port).hideHelp())
        .option('--target-url <url>', 'base URL of the RAG backend')
        .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
        .action(does((flags: Record<string, unknown>) => serve(context, name, flags))),
      lines,
    );

  examples(
    remote(
      program.command('status').description('overall state, target, host, recovery points; 4 when something is wrong'),
    )
      .option(...watchOption)
      .action(does((flags: RemoteFlags & { watch?: boolean }) => showStatus(context, flags))),
    ['status', 'status --watch', 'status --json'],
  );

  addBackup(program, context, does);
  addDrill(program, context, does);
  addRepository(program, context, does);
  addRecover(program, context, does);

  const target = group(program, 'target', 'what is watched', ['target list', 'target inspect']);
  remote(target.command('list').description('all targets'))
    .option(...watchOption)
    .action(does((flags: Parameters<typeof listTargets>[1]) => listTargets(context, flags)));
  remote(target.command('inspect').argument('[id]').description('look at one now; 4 when it is not healthy')).action(
    does((id: string | undefined, flags: RemoteFlags) => inspectTarget(context, id, flags)),
  );

  examples(
    remote(program.command('events').description('what happened, oldest of the newest first'))
      .option('-f, --follow', 'go on with what happens from now; with --json one document a line')
      .option('-w, --watch', 'the newest, in place on a terminal; the same as --follow elsewhere')
      .option('--type <types>', 'such as backup.* or target.status-changed, separated by commas')
      .option('--severity <words>', 'info, warning, error, critical, separated by commas', listOf(severities))
      .option('--target <id>', 'of one target')
      .option('--limit <number>', 'how many at first (default 50)', count(500))
      .action(does((flags: Parameters<typeof showEvents>[1]) => showEvents(context, flags))),
    ['events', "events --follow --type 'backup.*'", 'events --severity error,critical --limit 10'],
  );

  const operations = group(program, 'operations', 'long work: running and past', [
    'operations list',
    'operations show ID --follow',
    'operations cancel ID',
  ]);
  remote(operations.command('list').description('newest first'))
    .addOption(
      choiceOption('--state <state>', 'only these', [
        'running',
        'succeeded',
        'partial',
        'failed',
        'cancelled',
        'interrupted',
      ]),
    )
    .option('--limit <number>', 'how many (default 50)', count(500))
    .option(...watchOption)
    .action(does((flags: Parameters<typeof listOperations>[1]) => listOperations(context, flags)));
  remote(operations.command('show').argument('<id>').description('one of them'))
    .option('-f, --follow', 'stay until it ends; the exit code is its outcome')
    .action(does((id: string, flags: Parameters<typeof showOperation>[2]) => showOperation(context, id, flags)));
  remote(operations.command('cancel').argument('<id>').description('ask it to end, and wait until it has')).action(
    does((id: string, flags: RemoteFlags) => cancelOperation(context, id, flags)),
  );

  examples(
    remote(
      program.command('jobs').description('what works in the background, and whether it keeps its time; 4 when not'),
    ).action(does((flags: RemoteFlags) => showJobs(context, flags))),
    ['jobs', 'jobs --json'],
  );
  examples(
    remote(
      program.command('growth').description('what of ragwarden grows, how far, and what bounds it; 4 above a cap'),
    ).action(does((flags: RemoteFlags) => showGrowth(context, flags))),
    ['growth', 'growth --json'],
  );

  const token = group(program, 'token', 'who may call the API', [
    'token create ci --role service',
    'token login-link',
    'token rotate ID --grace 1h',
    'token revoke ID',
  ]);
  remote(token.command('create').argument('<name>').description('make a token; its secret is printed once'))
    .addOption(
      choiceOption('--role <role>', 'what it may do', ['user', 'service', 'scrape', 'admin']).makeOptionMandatory(),
    )
    .option('--workspace <name...>', 'workspaces it is for; `all` for all of them')
    .option('--label <text>', 'a note for people')
    .option('--expires <when>', 'a span such as 30d or 12h, or an ISO 8601 instant')
    .action(does((name: string, flags: Parameters<typeof createToken>[2]) => createToken(context, name, flags)));
  remote(token.command('list').description('tokens, without their secrets')).action(
    does((flags: RemoteFlags) => listTokens(context, flags)),
  );
  remote(token.command('revoke').argument('<id>').description('end a token and its sessions')).action(
    does((id: string, flags: RemoteFlags) => revokeToken(context, id, flags)),
  );
  remote(token.command('rotate').argument('<id>').description('give a token a new secret, printed once'))
    .option('--grace <span>', 'how long the old secret stays good, such as 30m, 12h or 7d (default: it ends now)')
    .option('--expires <when>', 'a new end: a span such as 30d, or an ISO 8601 instant')
    .action(does((id: string, flags: Parameters<typeof rotateToken>[2]) => rotateToken(context, id, flags)));
  remote(token.command('login-link').description('a link that logs one browser in, once'))
    .addOption(choiceOption('--role <role>', 'what it may do (default admin)', ['user', 'admin']))
    .option('--name <name>', 'whom it logs in; needed for a user')
    .option('--workspace <name...>', 'workspaces of that user; `all` for all of them')
    .action(does((flags: Parameters<typeof createLoginLink>[1]) => createLoginLink(context, flags)));
  remote(
    token.command('end-sessions').argument('[subject]').description('log a subject out everywhere, oneself by default'),
  ).action(does((subject: string | undefined, flags: RemoteFlags) => endSessions(context, subject, flags)));

  const settings = group(program, 'settings', 'the settings of the running ragwarden: read, change, read again', [
    'settings list --live',
    'settings set backup.frequency_seconds=3600',
    'settings reset backup.frequency_seconds',
    'settings reload --check',
  ]);
  remote(settings.command('list').description('what is in force, and where it comes from'))
    .option('--live', 'only those that can be changed while it runs')
    .action(does((flags: Parameters<typeof listSettings>[1]) => listSettings(context, flags)));
  remote(settings.command('get').argument('<key>').description('one setting')).action(
    does((key: string, flags: RemoteFlags) => showSetting(context, key, flags)),
  );
  remote(
    settings.command('set').argument('<key=value...>').description('change live settings, all of them or none; kept'),
  ).action(does((pairs: readonly string[], flags: RemoteFlags) => setSettings(context, pairs, flags)));
  remote(
    settings.command('reset').argument('<key...>').description('back to what file, profile and default say'),
  ).action(does((keys: readonly string[], flags: RemoteFlags) => resetSettings(context, keys, flags)));
  remote(settings.command('reload').description('read file and secrets again, all of it or nothing'))
    .option('--check', 'only say what would come of it')
    .action(does((flags: Parameters<typeof reloadSettings>[1]) => reloadSettings(context, flags)));

  const config = group(program, 'config', 'the settings', [
    'config check',
    'config show --origin',
    'config reference > settings.md',
  ]);
  output(
    offline(config.command('check').description('every problem at once, with its place and mend; 2 when there is one')),
  ).action(does((flags: Record<string, unknown>) => checkConfig(context, flags)));
  output(offline(config.command('show').description('effective settings, secrets hidden')))
    .option('--origin', 'where each value came from')
    .action(does((flags: Record<string, unknown>) => showConfig(context, flags)));
  config
    .command('reference')
    .description('every setting as Markdown')
    .action(does(() => printReference(context)));
  config
    .command('schema')
    .description('JSON Schema of ragwarden.yaml, for editors')
    .action(does(() => printSchema(context)));
  config
    .command('example')
    .description('a ragwarden.yaml with every setting and its default, to begin with')
    .action(does(() => printExample(context)));

  examples(
    remote(program.command('doctor').description('look for what is missing or in the way; 4 when something is'))
      .option('--nagios', 'one summary line first; exit code 0 all well, 1 a warning, 2 a failure')
      .action(does((flags: Parameters<typeof runDoctor>[1]) => runDoctor(context, flags))),
    ['doctor', 'doctor --json', 'doctor --quiet --nagios'],
  );
  examples(
    output(
      program
        .command('fold')
        .argument('<folder>')
        .description('put together what restic alone restored into a folder; 4 when a file is not what was captured'),
    ).action(does((folder: string, flags: Parameters<typeof foldFolder>[2]) => foldFolder(context, folder, flags))),
    ['fold ./restored', 'fold ./restored --json'],
  );
  examples(
    program
      .command('explain')
      .description('what an error code, a setting or a state means, and what to do')
      .argument('[name]', 'such as access/csrf, RAGWARDEN_PORT or degraded; none: all codes')
      .option('--json', 'print the document as it is')
      .option('--markdown', 'print the page of all codes')
      .action(does((name: string | undefined, flags: Parameters<typeof explain>[2]) => explain(context, name, flags))),
    ['explain repository/locked', 'explain target.working_dir', 'explain'],
  );
  examples(
    program
      .command('completion')
      .description('a script that completes commands, options and ids; it asks the running ragwarden for ids')
      .addArgument(
        new Argument('<shell>', 'which shell').choices(shells).argParser((typed: string) => oneOf(typed, shells)),
      )
      .action(does((shell: Shell) => printCompletion(context, shell, program))),
    [
      'completion bash > /etc/bash_completion.d/ragwarden',
      'completion zsh > ~/.zfunc/_ragwarden',
      'completion fish > ~/.config/fish/completions/ragwarden.fish',
    ],
  );
  program.command('__reference', { hidden: true }).action(does(() => printCommandReference(context, program)));
  offline(program.command('__complete', { hidden: true }).argument('<kind>')).action(
    does((kind: string, flags: RemoteFlags) => completeWords(context, kind, flags)),
  );
  withExitCodes(program, () => terminal.columns() ?? 100);
  return program;
}

type Does = <Arguments extends readonly unknown[]>(
  run: (...args: Arguments) => number | Promise<number>,
) => (...args: unknown[]) => Promise<void>;

function addBackup(program: Command, context: CommandContext, does: Does): void {
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
      .option('-y, --yes', 'do not ask')
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
    .requiredOption('-y, --yes', 'the former repository is really gone, or was replaced on purpose')
    .action(does((flags: RemoteFlags) => adoptRepository(context, flags)));
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
  remote(backup.command('cleanup').description('delete now what retention does not keep')).action(
    does((flags: RemoteFlags) => cleanUp(context, flags)),
  );
  remote(backup.command('retention').description('what retention would keep and forget now, and why'))
    .option(...target)
    .action(does((flags: Parameters<typeof showRetention>[1]) => showRetention(context, flags)));
}

function addRecover(program: Command, context: CommandContext, does: Does): void {
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
      .option('-y, --yes', 'do not ask')
      .action(does((flags: RecoverFlags) => recover(context, flags))),
    [
      'recover --kit recovery-kit.txt --plan',
      'recover --kit recovery-kit.txt --data-dir /var/lib/ragwarden',
      'recover --repository /mnt/repository --password-file password.txt --folder workspace=/srv/rag',
    ],
  );
}

function addDrill(program: Command, context: CommandContext, does: Does): void {
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

function addRepository(program: Command, context: CommandContext, does: Does): void {
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

/** In a pipe one block per change, with --json one document a line. */
const watchOption = ['-w, --watch', 'show it again whenever it changes; on a terminal in place'] as const;

function group(program: Command, name: string, about: string, lines: readonly string[]): Command {
  const command = examples(program.command(name).description(about), lines);
  // Told by the program itself and by each command; between the two they are only accepted.
  for (const option of program.options)
    if (option.long !== '--version') command.addOption(new Option(option.flags, option.description).hideHelp());
  return command;
}

/** Flags that stood before the command or its group, as in `ragwarden --config FILE config check`; the nearest one counts. */
function earlierFlags(command: Command): Record<string, unknown> {
  const flags: Record<string, unknown> = {};
  for (let above = command.parent; above !== null; above = above.parent)
    for (const option of above.options) {
      const name = option.attributeName();
      if (above.getOptionValueSource(name) !== 'cli') continue;
      // Where settings lie makes no difference to some commands; a document that is not printed does.
      if (name === 'json' && !command.options.some((own) => own.long === option.long))
        command.error(`error: '${command.name()}' has no option ${option.long}`);
      flags[name] ??= above.getOptionValue(name);
    }
  return flags;
}

const examples = (command: Command, lines: readonly string[]): Command =>
  command.addHelpText('before', `Examples:\n${lines.map((line) => `  $ ragwarden ${line}`).join('\n')}\n`);

/** Every help ends with them, also that of a command inside a group. */
function withExitCodes(command: Command, columns: () => number): void {
  command.addHelpText('after', () => `\n${exitCodeHelp(columns())}`);
  for (const inner of command.commands) withExitCodes(inner, columns);
}

const offline = (command: Command): Command =>
  command
    .option('--data-dir <folder>', 'folder of the state (default ragwarden-data)')
    .option('--config <file>', 'settings file (default ragwarden.yaml)');

const output = (command: Command): Command =>
  command.option('--json', 'print the document as it is').option('-q, --quiet', 'say nothing about what went well');

/** They find the server by `RAGWARDEN_URL` and `RAGWARDEN_TOKEN`, or by its data folder. */
const remote = (command: Command): Command =>
  output(
    command
      .option('--data-dir <folder>', 'folder of the running ragwarden (default ragwarden-data)')
      .option('--config <file>', 'settings file that names the folder'),
  );

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return value;
}

const count =
  (greatest: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < 1 || value > greatest)
      throw new InvalidArgumentError(`It is a number from 1 to ${greatest}.`);
    return value;
  };
