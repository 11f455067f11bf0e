import type { Command } from 'commander';
import {
  addReceiver,
  endSilence,
  listDeliveries,
  listReceivers,
  listSilences,
  removeReceiver,
  retryDelivery,
  showDelivery,
  silenceAlerts,
  testReceiver,
} from './alert-delivery-commands.ts';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { count, type Does, group, remote } from './command-shapes.ts';
import { yesOption } from './confirm.ts';
import { choiceOption } from './suggestions.ts';
import { instantText, spanSeconds } from './time-range.ts';

/** What is held back, who is told, and what became of each notification: the half of `alerts` that is about delivery. */
export function declareAlertDelivery(program: Command, context: CommandContext, does: Does): void {
  const alerts =
    program.commands.find((one) => one.name() === 'alerts') ??
    group(program, 'alerts', 'who is told of what, and what became of it', ['alerts receivers list']);
  remote(
    alerts
      .command('silence')
      .argument('<matcher...>', 'such as severity=warning, team!=web or target=prod-*; all of them hold')
      .description('hold notifications back for a while'),
  )
    .option('--for <span>', 'how long: 30m, 2h, 1d (default 2h)', spanSeconds)
    .option('--from <instant>', 'when it begins (default: now)', instantText)
    .option('--until <instant>', 'when it ends, instead of --for', instantText)
    .requiredOption('--comment <text>', 'why; people who wonder read it')
    .action(
      does((matchers: readonly string[], flags: Parameters<typeof silenceAlerts>[2]) =>
        silenceAlerts(context, matchers, flags),
      ),
    );

  const silences = alerts.command('silences').description('what is held back: list, end');
  remote(silences.command('list', { isDefault: true }).description('silences, newest first'))
    .option('--all', 'those that are over too')
    .action(does((flags: Parameters<typeof listSilences>[1]) => listSilences(context, flags)));
  remote(silences.command('end').argument('<id>').description('end a silence now')).action(
    does((id: string, flags: RemoteFlags) => endSilence(context, id, flags)),
  );

  const receivers = alerts.command('receivers').description('who is told: list, test, add, remove');
  remote(
    receivers
      .command('list', { isDefault: true })
      .description('who is told, and how it goes; 4 when one takes nothing'),
  ).action(does((flags: RemoteFlags) => listReceivers(context, flags)));
  remote(
    receivers.command('test').argument('<id>').description('send a test notification now; 4 when it is not taken'),
  ).action(does((id: string, flags: RemoteFlags) => testReceiver(context, id, flags)));
  remote(
    receivers
      .command('add')
      .argument('<id>')
      .description('add a receiver; secrets come from the file, never from flags'),
  )
    .requiredOption('--file <file>', 'JSON such as {"kind": "webhook", "url": "https://…"}')
    .option('--replace', 'change one that is there; secrets that are left out stay')
    .action(does((id: string, flags: Parameters<typeof addReceiver>[2]) => addReceiver(context, id, flags)));
  remote(receivers.command('remove').argument('<id>').description('remove a receiver that was added over the API'))
    .option(...yesOption)
    .action(does((id: string, flags: Parameters<typeof removeReceiver>[2]) => removeReceiver(context, id, flags)));

  const deliveries = alerts.command('deliveries').description('what became of each notification: list, show, retry');
  remote(deliveries.command('list', { isDefault: true }).description('notifications, newest first'))
    .addOption(choiceOption('--state <state>', 'only these', ['pending', 'sent', 'dead', 'superseded']))
    .option('--receiver <id>', 'of one receiver')
    .option('--limit <number>', 'how many (default 50)', count(500))
    .action(does((flags: Parameters<typeof listDeliveries>[1]) => listDeliveries(context, flags)));
  remote(deliveries.command('show').argument('<id>').description('one of them, with every attempt')).action(
    does((id: string, flags: RemoteFlags) => showDelivery(context, id, flags)),
  );
  remote(
    deliveries.command('retry').argument('<id>').description('try a dead letter again, or a waiting one at once'),
  ).action(does((id: string, flags: RemoteFlags) => retryDelivery(context, id, flags)));
}
