import { Argument, Command, CommanderError } from 'commander';
import { productVersion } from '../platform/product-version.ts';
import type { CommandContext, RemoteFlags } from './cli.ts';
import {
  count,
  type Does,
  earlierFlags,
  examples,
  group,
  offline,
  output,
  remote,
  watchOption,
  withExitCodes,
} from './command-shapes.ts';
import { completeWords, printCommandReference, printCompletion } from './completion/complete-command.ts';
import { type Shell, shells } from './completion/scripts.ts';
import { checkConfig, printExample, printReference, printSchema, showConfig } from './config-commands.ts';
import { yesOption } from './confirm.ts';
import { declareAlertDelivery } from './declare-alert-delivery.ts';
import { declareAlerts } from './declare-alerts.ts';
import { declareAnalytics } from './declare-analytics.ts';
import { declareBackup, declareRecover } from './declare-backup.ts';
import { declareCleanup } from './declare-cleanup.ts';
import { declareDocuments } from './declare-documents.ts';
import { declareDrill } from './declare-drill.ts';
import { declareEvents } from './declare-events.ts';
import { declareFailover } from './declare-failover.ts';
import { declareGateway } from './declare-gateway.ts';
import { declareHealth } from './declare-health.ts';
import { declareMetrics } from './declare-metrics.ts';
import { declareQuota } from './declare-quota.ts';
import { declareReplicate } from './declare-replicate.ts';
import { declareRepository } from './declare-repository.ts';
import { declareResources } from './declare-resources.ts';
import { declareSystem } from './declare-system.ts';
import { declareTraffic } from './declare-traffic.ts';
import { declareTuning } from './declare-tuning.ts';
import { runDoctor } from './doctor/run-doctor.ts';
import { exitCodes } from './exit-code.ts';
import { explain } from './explain/explain-command.ts';
import { foldFolder } from './fold-command.ts';
import { cancelOperation, listOperations, showOperation } from './operation-commands.ts';
import { serve } from './serve.ts';
import { listSettings, reloadSettings, resetSettings, setSettings, showSetting } from './settings-commands.ts';
import { showStatus } from './status-command.ts';
import { choiceOption, oneOf } from './suggestions.ts';
import { showGrowth, showJobs } from './system-commands.ts';
import { inspectTarget, listTargets } from './target-commands.ts';
import { createLoginLink, createToken, endSessions, listTokens, revokeToken, rotateToken } from './token-commands.ts';

/**
 * Parses the arguments and runs the one command they name.
 * @returns its exit code; help and version are 0, what cannot be parsed is 2 with the nearest suggestion
 */
export async function runProgram(context: CommandContext, argv: readonly string[]): Promise<number> {
  let code: number = exitCodes.ok;
  /** Runs the command and keeps its exit code. */
  const does =
    <Arguments extends readonly unknown[]>(run: (...args: Arguments) => number | Promise<number>) =>
    async (...args: unknown[]): Promise<void> => {
      // Commander hands over arguments, flags and itself in the order in which they were declared beside `run`.
      const [flags, command] = args.slice(-2) as [Record<string, unknown>, Command];
      const all = { ...earlierFlags(command), ...flags };
      code = await run(...([...args.slice(0, -2), all, command] as unknown as Arguments));
    };
  const program = buildProgram(context, argv[0], does);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (err) {
    if (!(err instanceof CommanderError)) throw err;
    return err.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
}

/**
 * Every command with its options and arguments.
 * @param word the first argument
 * @param does what comes of a command that was understood; whoever only asks whether it is understood does nothing
 */
export function buildProgram(context: CommandContext, word: string | undefined, does: Does): Command {
  const { terminal } = context;
  const columns = (): number => terminal.columns() ?? 100;
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
      getOutHelpWidth: columns,
      getErrHelpWidth: columns,
    });
  examples(program, ['up', 'status', 'backup list', 'backup restore ID']);

  output(offline(program)).enablePositionalOptions();

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
        .option('--gateway-port <number>', 'port of the gateway before the backend (default 8711)')
        .addOption(choiceOption('--only <part>', 'one part in a process of its own, beside another', ['gateway']))
        .option('--target-url <url>', 'base URL of the RAG backend')
        .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
        .action(does((flags: Record<string, unknown>) => serve(context, name, flags))),
      lines,
    );
  // Whoever serves stays for months, and would keep the two hundred other commands in memory with him.
  if (word === 'up' || word === 'serve') {
    withExitCodes(program, columns);
    return program;
  }

  examples(
    remote(
      program.command('status').description('overall state, target, host, recovery points; 4 when something is wrong'),
    )
      .option(...watchOption)
      .action(does((flags: RemoteFlags & { watch?: boolean }) => showStatus(context, flags))),
    ['status', 'status --watch', 'status --json'],
  );

  declareBackup(program, context, does);
  declareDrill(program, context, does);
  declareFailover(program, context, does);
  declareReplicate(program, context, does);
  declareRepository(program, context, does);
  declareRecover(program, context, does);

  const target = group(program, 'target', 'what is watched', ['target list', 'target inspect', 'target orphans']);
  remote(target.command('list').description('all targets'))
    .option(...watchOption)
    .action(does((flags: Parameters<typeof listTargets>[1]) => listTargets(context, flags)));
  remote(target.command('inspect').argument('[id]').description('look at one now; 4 when it is not healthy')).action(
    does((id: string | undefined, flags: RemoteFlags) => inspectTarget(context, id, flags)),
  );
  declareResources(program, target, context, does);
  declareAnalytics(program, context, does);
  declareDocuments(program, context, does);

  declareEvents(program, context, does);
  declareSystem(program, context, does);

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

  declareCleanup(program, context, does);
  declareMetrics(program, context, does);
  declareHealth(program, context, does);
  declareTraffic(program, context, does);
  declareAlerts(program, context, does);
  declareAlertDelivery(program, context, does);
  declareGateway(program, context, does);
  declareQuota(program, context, does);
  declareTuning(program, context, does);

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
  remote(token.command('revoke').argument('<id>').description('end a token and its sessions'))
    .option(...yesOption)
    .action(does((id: string, flags: Parameters<typeof revokeToken>[2]) => revokeToken(context, id, flags)));
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
  withExitCodes(program, columns);
  return program;
}
