import { type Command, InvalidArgumentError } from 'commander';
import {
  type AlertHistoryFlags,
  type AlertListFlags,
  acknowledgeAlert,
  listAlerts,
  showAlertHistory,
  type TestRuleFlags,
} from './alert-commands.ts';
import { deleteRule, exportRuleFile, listRules, putRules, showRule, tryRule } from './alert-rule-commands.ts';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, group, remote, watchOption } from './command-shapes.ts';
import { yesOption } from './confirm.ts';
import { choiceOption, severities } from './suggestions.ts';
import { instantText, spanSeconds } from './time-range.ts';

export function declareAlerts(program: Command, context: CommandContext, does: Does): void {
  const alerts = group(program, 'alerts', 'what fires, what fired, and the rules behind it', [
    'alerts list',
    'alerts ack ID --note "on it"',
    'alerts test rpo_missed --last 7d',
    'alerts rules put rules.yaml',
    'alerts rules export > prometheus-rules.yml',
  ]);
  const severity = () => choiceOption('--severity <word>', 'only these', severities);
  remote(
    alerts.command('list', { isDefault: true }).description('what fires and what is pending; 4 while something fires'),
  )
    .addOption(severity())
    .addOption(choiceOption('--state <state>', 'only these', ['pending', 'firing']))
    .option('--rule <name>', 'of one rule')
    .option(...watchOption)
    .action(does((flags: AlertListFlags) => listAlerts(context, flags)));
  ranged(remote(alerts.command('history').description('what fired, newest first')))
    .addOption(severity())
    .option('--rule <name>', 'of one rule')
    .option('--limit <number>', 'how many (default 50)', count(1_000))
    .action(does((flags: AlertHistoryFlags) => showAlertHistory(context, flags)));
  remote(
    alerts.command('ack').argument('<id>').description('tell that somebody looks after it: no repeats, no escalation'),
  )
    .option('--note <text>', 'why, or what is done')
    .action(does((id: string, flags: RemoteFlags & { note?: string }) => acknowledgeAlert(context, id, flags)));
  ranged(
    remote(
      alerts
        .command('test')
        .argument('[rule]')
        .description('when a rule would have fired over what is stored (default 1d)'),
    ),
  )
    .option('-f, --file <file>', 'rules that are not stored, in YAML or JSON; - is standard input')
    .option('--value <number>', 'tell whether this value meets the condition', (text: string) => {
      if (text.trim() === '' || !Number.isFinite(Number(text))) throw new InvalidArgumentError('It is a number.');
      return Number(text);
    })
    .action(does((rule: string | undefined, flags: TestRuleFlags) => tryRule(context, rule, flags)));

  const rules = alerts.command('rules').description('what is evaluated: list, show, put, delete, export');
  const origin = () => choiceOption('--origin <word>', 'only these', ['file', 'api', 'default']);
  remote(rules.command('list', { isDefault: true }).description('every rule, and what its last evaluation found'))
    .addOption(origin())
    .action(does((flags: Parameters<typeof listRules>[1]) => listRules(context, flags)));
  remote(rules.command('show').argument('<rule>').description('one rule as JSON')).action(
    does((name: string, flags: RemoteFlags) => showRule(context, name, flags)),
  );
  remote(
    rules
      .command('put')
      .argument('<file>')
      .description('make or replace every rule of a YAML or JSON file; - is standard input'),
  ).action(does((file: string, flags: RemoteFlags) => putRules(context, file, flags)));
  remote(rules.command('delete').argument('<rule>').description('remove one; what it let fire is resolved'))
    .option(...yesOption)
    .action(does((name: string, flags: Parameters<typeof deleteRule>[2]) => deleteRule(context, name, flags)));
  remote(rules.command('export').description('a rule file for Prometheus; 3 when it cannot say all of them'))
    .addOption(origin())
    .action(does((flags: Parameters<typeof exportRuleFile>[1]) => exportRuleFile(context, flags)));
}

const ranged = (command: Command): Command =>
  command
    .option('--last <span>', 'how far back, such as 6h or 7d', spanSeconds)
    .option('--from <instant>', 'since then, ISO 8601', instantText)
    .option('--to <instant>', 'until then (default now)', instantText);
