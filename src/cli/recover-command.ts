import { resolve } from 'node:path';
import { readConfig, requireConfig } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import { createLogger } from '../platform/logging.ts';
import { type CommandContext, printJson, type RecoveryReport, settingFlags } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatBytes, formatInstant, formatTable } from './format.ts';
import type { Colours } from './terminal.ts';

export type RecoverFlags = {
  readonly dataDir?: string;
  readonly config?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly repository?: string;
  readonly passwordFile?: string;
  readonly kit?: string;
  readonly point?: string;
  readonly target?: string;
  readonly folder?: readonly string[];
  readonly without?: readonly string[];
  readonly beside?: string;
  readonly plan?: boolean;
  readonly yes?: boolean;
};

/** A folder is typed as any other, from where one stands; a location that has a scheme is what it is. */
export const placeOfRepository = (typed: string, cwd: string): string =>
  /^[a-z][a-z0-9+.-]*:/i.test(typed) ? typed : resolve(cwd, typed);

/** Plan, question, work; nothing but the repository and its password is needed. */
export async function recover(context: CommandContext, flags: RecoverFlags): Promise<number> {
  const { terminal, cwd } = context;
  if (!flags.plan && !flags.yes && !terminal.interactive)
    throw new AppError(
      'config/invalid',
      'A recovery writes folders and databases, and nobody can be asked here. Repeat it with --yes, or look with --plan.',
    );
  const { dataDir, config } = flags;
  const reading = readConfig({ env: context.env, cwd, flags: settingFlags({ dataDir, config }) });
  const settings = requireConfig(reading);
  const path = (given: string | undefined): string | undefined =>
    given === undefined ? undefined : resolve(cwd, given);
  const report = await context.offline.recover(settings, {
    repository: flags.repository === undefined ? undefined : placeOfRepository(flags.repository, cwd),
    passwordFile: path(flags.passwordFile),
    kitFile: path(flags.kit),
    pointId: flags.point,
    targetId: flags.target,
    folders: new Map((flags.folder ?? []).map((pair) => placeOf(pair, cwd))),
    without: new Set(flags.without ?? []),
    besideDir: resolve(cwd, flags.beside ?? 'recovered'),
    async confirm(plan) {
      if (!flags.json) terminal.note(describe(plan, terminal.noteColours));
      if (flags.plan || plan.blockers.length > 0) return false;
      if (flags.yes) return true;
      const answer = await terminal.ask(`\nRecover? Type ${plan.target_id} or y to go on: `, context.signal);
      return [plan.target_id, 'y', 'yes'].includes(answer.trim());
    },
    tell: (message) => {
      if (!flags.quiet) terminal.note(message);
    },
    log: createLogger({ level: 'warn', destination: { write: (line) => void terminal.stderr.write(line) } }),
    signal: context.signal,
  });
  if (flags.json) printJson(terminal, report);
  if (report.recovered) {
    if (!flags.json && !flags.quiet) {
      terminal.out(`${terminal.colours.green('recovered')}  ${report.target_id} stands as in ${report.backup_id}.`);
      for (const [index, step] of report.next.entries()) terminal.out(`${index + 1}. ${step}`);
    }
    return exitCodes.ok;
  }
  if (report.blockers.length > 0) {
    if (!flags.plan) throw new AppError('restore/blocked', `Nothing was changed: ${report.blockers.join('; ')}.`);
    return exitCodes.failure;
  }
  if (!flags.plan) terminal.note('Nothing was changed.');
  return flags.plan ? exitCodes.ok : exitCodes.failure;
}

function placeOf(pair: string, cwd: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1 || at === pair.length - 1)
    throw new AppError('config/invalid', `--folder takes COMPONENT=PATH, such as workspace=/srv/rag, not "${pair}".`);
  return [pair.slice(0, at), resolve(cwd, pair.slice(at + 1))];
}

const words = { bring: 'bring', 'go-on': 'go on', there: 'is there already' } as const;

function describe(plan: RecoveryReport, { bold, red, yellow }: Colours): string {
  return [
    `${bold(`Recovery of ${plan.target_id}`)} as in ${plan.backup_id}, taken ${formatInstant(plan.taken_at)} (${plan.grade}${plan.partial ? ', partial' : ''})`,
    `  the repository holds ${plan.points.length}${plan.points.length === 20 ? ' or more' : ''} points, the newest of ${formatInstant(plan.points[0]?.taken_at ?? plan.taken_at)}`,
    '',
    ...formatTable(
      [{ title: 'component' }, { title: 'action' }, { title: 'size', align: 'right' }, { title: 'place' }],
      plan.parts.map((part) => [
        part.component,
        part.by_hand ? 'put aside, for you' : words[part.action],
        formatBytes(part.size_bytes),
        part.place,
      ]),
    )
      .split('\n')
      .map((line) => `  ${line}`),
    ...plan.left_alone.map(({ name, reason }) => `  left alone  ${name}: ${reason}`),
    ...plan.warnings.map((warning) => `  ${yellow('warning')}  ${warning}`),
    ...plan.blockers.map((blocker) => `  ${red('blocked')}  ${blocker}`),
  ].join('\n');
}
