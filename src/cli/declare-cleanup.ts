import { type Command, InvalidArgumentError } from 'commander';
import {
  changeTask,
  listHistory,
  listQuarantine,
  listStrategies,
  listTasks,
  runCleanup,
  showPlan,
  undoCleanup,
} from './cleanup-commands.ts';
import { cleanUpWorkspace, showWorkspaceStats } from './cleanup-workspace-commands.ts';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, examples, group, remote } from './command-shapes.ts';
import { yesOption } from './confirm.ts';

export function declareCleanup(program: Command, context: CommandContext, does: Does): void {
  const cleanup = group(program, 'cleanup', 'what may go: plan it, carry it out, undo it', [
    'cleanup strategies',
    'cleanup plan temporary-files',
    'cleanup run --plan PLAN',
    'cleanup quarantine',
    'cleanup undo RUN',
  ]);
  remote(cleanup.command('strategies').description('ways to clean up, and why one cannot work here')).action(
    does((flags: RemoteFlags) => listStrategies(context, flags)),
  );
  examples(
    remote(
      cleanup.command('plan').argument('<strategy>').description('what would go, why, how much; nothing is touched'),
    )
      .option('--set <name=value...>', 'parameters of the strategy', params)
      .action(does((name: string, flags: Parameters<typeof showPlan>[2]) => showPlan(context, name, flags))),
    ['cleanup plan llm-cache --set older_than_days=14', 'cleanup plan redis-keys --set pattern=session:* --json'],
  );
  examples(
    remote(
      cleanup
        .command('run')
        .argument('[strategy]')
        .description('carry out a plan, or plan and carry out; 3 when some could not go'),
    )
      .option('--plan <id>', 'a plan that was shown')
      .option('--task <id>', 'a task, now')
      .option('--set <name=value...>', 'parameters of the strategy', params)
      .option('--only-contained', 'leave alone what the newest verified recovery point does not hold')
      .option('--items <number>', 'at most so many', count(1_000_000))
      .option(...yesOption)
      .action(
        does((name: string | undefined, flags: Parameters<typeof runCleanup>[2]) => runCleanup(context, name, flags)),
      ),
    [
      'cleanup run --plan PLAN',
      'cleanup run logs --set days_to_keep=14 --yes',
      'cleanup run --task metrics_cleanup_daily',
    ],
  );
  remote(cleanup.command('tasks').description('tasks that clean up by themselves, and how they went')).action(
    does((flags: RemoteFlags) => listTasks(context, flags)),
  );
  for (const [verb, about] of [
    ['enable', 'have a task begin by itself again'],
    ['disable', 'have a task begin by hand only'],
  ] as const)
    remote(cleanup.command(verb).argument('<task>').description(about)).action(
      does((id: string, flags: RemoteFlags) => changeTask(context, id, verb, flags)),
    );
  remote(cleanup.command('history').description('what was cleaned up, newest first'))
    .option('--task <id>', 'of one task')
    .option('--limit <number>', 'how many (default 20)', count(200))
    .action(does((flags: Parameters<typeof listHistory>[1]) => listHistory(context, flags)));
  remote(cleanup.command('quarantine').description('what was taken away and can come back'))
    .option('--run <id>', 'of one run')
    .option('--all', 'also what came back or expired')
    .option('--limit <number>', 'how many (default 50)', count(200))
    .action(does((flags: Parameters<typeof listQuarantine>[1]) => listQuarantine(context, flags)));
  examples(
    remote(
      cleanup.command('undo').argument('<id>').description('bring back what a run took away, or one entry'),
    ).action(does((id: string, flags: RemoteFlags) => undoCleanup(context, id, flags))),
    ['cleanup undo RUN', 'cleanup undo RUN.1'],
  );
  remote(
    cleanup
      .command('workspace')
      .argument('[workspace]')
      .description('clean up one workspace that nobody serves, or show what became of them'),
  )
    .option('--force', 'whatever its age and size; never what is in use')
    .option(...yesOption)
    .action(
      does((name: string | undefined, flags: Parameters<typeof cleanUpWorkspace>[2]) =>
        name === undefined ? showWorkspaceStats(context, flags) : cleanUpWorkspace(context, name, flags),
      ),
    );
}

type Values = Readonly<Record<string, string | number | boolean>>;

/** `name=value`: numbers and true or false are what they look like. */
function params(text: string, before: Values = {}): Values {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It is written name=value.');
  const value = text.slice(at + 1);
  const number = Number(value);
  const meant =
    value === 'true' || value === 'false' ? value === 'true' : value !== '' && !Number.isNaN(number) ? number : value;
  return { ...before, [text.slice(0, at)]: meant };
}
