import type { Command } from 'commander';
import {
  decideRecommendation,
  listPatterns,
  listRecommendations,
  lookNow,
  showForecasts,
  showProfiles,
} from './analytics-commands.ts';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, group, remote } from './command-shapes.ts';
import { choiceOption } from './suggestions.ts';

const priorities = ['low', 'medium', 'high', 'critical'];

export function declareAnalytics(program: Command, context: CommandContext, does: Does): void {
  const analytics = group(program, 'analytics', 'what series do, when limits are reached, and what to do about it', [
    'analytics profiles --window 24',
    'analytics recommendations',
    'analytics dismiss ID --reason "drills need the cores"',
    'analytics forecast',
  ]);
  const window = (command: Command): Command =>
    remote(command)
      .option('--type <type>', 'of one type of resource, such as memory')
      .option('--window <hours>', 'how far back (default analytics.window_hours)', count(720));
  window(analytics.command('profiles').description('how each resource was used')).action(
    does((flags: Parameters<typeof showProfiles>[1]) => showProfiles(context, flags)),
  );
  remote(analytics.command('patterns').description('what resources do, the surest first'))
    .option('--type <type>', 'of one type of resource, such as memory')
    .option('--instance <name>', 'what this ragwarden has alone, with what all share')
    .addOption(
      choiceOption('--pattern <type>', 'only these', [
        ...['gradual_growth', 'periodic_spikes', 'memory_leak', 'underutilization', 'cross_resource'],
      ]),
    )
    .option('--ended', 'those that are found no more, instead')
    .option('--limit <number>', 'how many (default 50)', count(100))
    .action(does((flags: Parameters<typeof listPatterns>[1]) => listPatterns(context, flags)));
  remote(analytics.command('recommendations').description('what to do about them, the gravest first'))
    .option('--type <type>', 'of one type of resource, such as memory')
    .option('--instance <name>', 'what this ragwarden has alone, with what all share')
    .addOption(choiceOption('--priority <priority>', 'only these', priorities))
    .addOption(
      choiceOption('--optimization <type>', 'only these', [
        ...['cleanup', 'quota_adjustment', 'scheduling', 'caching', 'pooling', 'compression', 'architecture'],
      ]),
    )
    .addOption(choiceOption('--state <state>', 'open unless told', ['open', 'dismissed', 'resolved', 'all']))
    .option('--limit <number>', 'how many (default 50)', count(100))
    .action(does((flags: Parameters<typeof listRecommendations>[1]) => listRecommendations(context, flags)));
  remote(
    analytics.command('dismiss').argument('<recommendation>').description('nothing will be done about one, and why'),
  )
    .requiredOption('--reason <text>', 'why; kept with it and in the audit trail')
    .action(
      does((id: string, flags: RemoteFlags & { reason: string }) =>
        decideRecommendation(context, id, flags.reason, flags),
      ),
    );
  remote(analytics.command('reopen').argument('<recommendation>').description('take a dismissal back')).action(
    does((id: string, flags: RemoteFlags) => decideRecommendation(context, id, undefined, flags)),
  );
  window(analytics.command('forecast').description('when limits are reached, or why nobody can say')).action(
    does((flags: Parameters<typeof showForecasts>[1]) => showForecasts(context, flags)),
  );
  remote(analytics.command('run').description('look now, instead of at the next interval')).action(
    does((flags: RemoteFlags) => lookNow(context, flags)),
  );
}
