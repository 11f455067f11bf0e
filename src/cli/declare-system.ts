import type { Command } from 'commander';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, group, remote } from './command-shapes.ts';
import { yesOption } from './confirm.ts';
import { reloadSettings } from './settings-commands.ts';
import { choiceOption } from './suggestions.ts';
import {
  cleanupLogs,
  clearCaches,
  restartJobs,
  rotateLogs,
  saveBundle,
  validateSettings,
} from './system-work-commands.ts';
import { spanSeconds } from './time-range.ts';

export function declareSystem(program: Command, context: CommandContext, does: Does): void {
  const system = group(program, 'system', 'ragwarden itself: its logs, caches, background jobs, configuration', [
    'system rotate-logs --dry-run',
    'system cleanup-logs --days 14',
    'system validate --strict',
    'system restart targets.probe',
    'system clear-caches --dry-run',
    'system bundle',
  ]);
  remote(system.command('rotate-logs').description('set large or old logs aside and compress them'))
    .option('--all', 'every log that holds something, whatever its size')
    .option('--dry-run', 'only say what would be done, and why')
    .action(does((flags: Parameters<typeof rotateLogs>[1]) => rotateLogs(context, flags)));
  remote(system.command('cleanup-logs').description('delete logs that nobody has written to for long'))
    .option('--days <number>', 'for how many days (default: logs.keep_days)', count(36_500))
    .option('--dry-run', 'only say what would be done, and why')
    .option(...yesOption)
    .action(does((flags: Parameters<typeof cleanupLogs>[1]) => cleanupLogs(context, flags)));
  remote(
    system
      .command('validate')
      .description('the settings of ragwarden and of the backend as they are written; 4 when they are not right'),
  )
    .addOption(
      choiceOption('--type <type>', 'only these (default all)', [
        'all',
        'ragwarden',
        'provider',
        'graphrag',
        'workspace',
      ]),
    )
    .option('--strict', 'warnings count as errors')
    .action(does((flags: Parameters<typeof validateSettings>[1]) => validateSettings(context, flags)));
  remote(system.command('reload').description('read the settings file again, all of it or nothing'))
    .option('--check', 'only say what that would do')
    .action(does((flags: RemoteFlags & { check?: boolean }) => reloadSettings(context, flags)));
  remote(
    system
      .command('restart')
      .argument('[job...]', 'names, as `ragwarden jobs` shows them (default: all)')
      .description('begin background jobs anew; what runs is awaited'),
  )
    .option('--wait <span>', 'how long a run under way is awaited (default 30s)', spanSeconds)
    .option('--force', 'tell a run under way to give up')
    .option(...yesOption)
    .action(does((names: string[], flags: Parameters<typeof restartJobs>[2]) => restartJobs(context, names, flags)));
  remote(
    system
      .command('clear-caches')
      .argument('[cache...]', 'which (default: all that cost nothing dear)')
      .description('clear caches, those of the backend only when they are named'),
  )
    .option('--dry-run', 'only show them, and what clearing each costs')
    .option('-y, --yes', 'the consequence was read')
    .action(does((names: string[], flags: Parameters<typeof clearCaches>[2]) => clearCaches(context, names, flags)));
  remote(system.command('bundle').description('what somebody who helps needs to see, without secrets, as a .tar.gz'))
    .option('-o, --output <file>', 'this new file instead of one in the present folder')
    .action(does((flags: Parameters<typeof saveBundle>[1]) => saveBundle(context, flags)));
}
