import { type Command, InvalidArgumentError } from 'commander';
import { advise, showRunning } from './advice-commands.ts';
import { type ApplyFlags, applyTuning } from './apply-commands.ts';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, group, remote } from './command-shapes.ts';
import { yesOption } from './confirm.ts';
import { listProviders, type SwitchFlags, switchProvider } from './provider-commands.ts';
import { spanSeconds } from './time-range.ts';
import {
  checkTuning,
  diffRevisions,
  getTuning,
  listRevisions,
  resetTuning,
  rollBackTuning,
  setTuning,
  showDrift,
  showRevision,
  type TuneFlags,
} from './tuning-commands.ts';

function revisionNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('must be the number of a revision, or 0.');
  return Number(text);
}

const scoped = (command: Command): Command =>
  command
    .option('--user <subject>', 'for this user, such as local:alice')
    .option('--graph <id>', 'for this workspace: TARGET or TARGET:WORKSPACE');
const reasoned = (command: Command): Command =>
  command
    .option('--reason <text>', 'why; kept with the revision')
    .option('--confirm', 'although an index would have to be made anew, or would not be seen any more');

export function declareTuning(program: Command, context: CommandContext, does: Does): void {
  const tune = group(program, 'tune', 'parameters of the backend, their history, and the way back', [
    'tune get chunk_size',
    'tune set chunk_size=1200 top_k=60 --reason "short answers"',
    'tune history',
    'tune rollback 3',
    'tune provider switch ollama',
  ]);
  scoped(remote(tune.command('get').argument('[parameter]').description('what counts, and where it comes from')))
    .option('--all', 'also what nobody set')
    .action(does((name: string | undefined, flags: TuneFlags & { all?: boolean }) => getTuning(context, name, flags)));
  reasoned(
    scoped(
      remote(tune.command('set').argument('<name=value...>').description('all of them or none; NAME= takes one away')),
    ),
  ).action(does((pairs: readonly string[], flags: TuneFlags) => setTuning(context, pairs, flags)));
  reasoned(
    scoped(
      remote(
        tune.command('reset').description('take all values of a user or a workspace away; without either of everybody'),
      ),
    ),
  )
    .option(...yesOption)
    .action(does((flags: TuneFlags & { yes?: boolean }) => resetTuning(context, flags)));
  scoped(
    remote(
      tune
        .command('check')
        .argument('<name=value...>')
        .description('what would be wrong with them; 4 when they cannot be set'),
    ),
  ).action(does((pairs: readonly string[], flags: TuneFlags) => checkTuning(context, pairs, flags)));
  remote(tune.command('history').description('every change, newest first'))
    .option('--limit <number>', 'how many (default 50)', count(500))
    .action(does((flags: RemoteFlags & { limit?: number }) => listRevisions(context, flags)));
  remote(
    tune
      .command('show')
      .argument('<revision>', 'number of a revision', revisionNumber)
      .description('one change, and how it went since the backend runs with it; 4 while that is worse'),
  ).action(does((revision: number, flags: RemoteFlags) => showRevision(context, revision, flags)));
  remote(
    tune
      .command('diff')
      .argument('<from>', 'number of a revision; 0 is before the first', revisionNumber)
      .argument('<to>', 'number of a revision', revisionNumber)
      .description('what differs between two states'),
  ).action(does((from: number, to: number, flags: RemoteFlags) => diffRevisions(context, from, to, flags)));
  reasoned(
    remote(
      tune
        .command('rollback')
        .argument('<revision>', 'the state after it comes back; 0 is before the first', revisionNumber)
        .description('as a new revision'),
    ),
  ).action(does((revision: number, flags: TuneFlags) => rollBackTuning(context, revision, flags)));
  remote(
    tune.command('drift').description('what differs from what the backends run with; 4 when something does'),
  ).action(does((flags: RemoteFlags) => showDrift(context, flags)));
  remote(tune.command('advise').description('what the figures of the backends suggest to change, with the figures'))
    .option('--window <span>', 'how much traffic is looked at, 10m to 7d (default 1d)', spanSeconds)
    .option('-v, --verbose', 'also the rules that propose nothing, and what is missing')
    .action(does((flags: RemoteFlags & { window?: number; verbose?: boolean }) => advise(context, flags)));
  remote(tune.command('running').description('what the backends are seen to run with, and where that was seen'))
    .option('--all', 'also what cannot be seen')
    .action(does((flags: RemoteFlags & { all?: boolean }) => showRunning(context, flags)));
  const provider = group(
    tune,
    'provider',
    'whom the backend asks: the providers of the settings, and switching between them',
    ['tune provider list', 'tune provider switch ollama'],
  );
  remote(provider.command('list').description('the providers of tuning.providers, and which one is asked now')).action(
    does((flags: RemoteFlags) => listProviders(context, flags)),
  );
  remote(
    provider
      .command('switch')
      .argument('<provider>', 'an id of tuning.providers')
      .description('look at it, restart the backend with it, look again; what fails is put back, and ends with 4'),
  )
    .option('--target <id>', 'which target (default: the only one)')
    .option(...yesOption)
    .option('--confirm', 'although an index would have to be made anew')
    .action(does((name: string, flags: SwitchFlags) => switchProvider(context, name, flags)));
  remote(
    tune
      .command('apply')
      .description("write what was set into the backend's environment file and restart it; what fails is put back"),
  )
    .option('--target <id>', 'which target (default: the only one)')
    .option('--plan', 'only show what would be done')
    .option(...yesOption)
    .option('--confirm', 'although an index would have to be made anew, or would not be seen any more')
    .action(does((flags: ApplyFlags) => applyTuning(context, flags)));
}
