import type { Command } from 'commander';
import type { CommandContext, RemoteFlags } from './cli.ts';
import { type Does, group, remote } from './command-shapes.ts';
import { yesOption } from './confirm.ts';
import { createKey, listKeys, type NewKeyFlags, revokeKey, showGateway } from './gateway-commands.ts';

export function declareGateway(program: Command, context: CommandContext, does: Does): void {
  const gateway = group(program, 'gateway', 'the proxy before the backend', ['gateway status']);
  remote(
    gateway.command('status').description('where it listens, what it leads to; 4 when something cannot be reached'),
  ).action(does((flags: RemoteFlags) => showGateway(context, flags)));

  const key = group(program, 'key', 'who may go through the gateway', [
    'key create alice --workspace legal --expires 90d',
    'key list',
    'key revoke ID',
  ]);
  remote(key.command('create').argument('<name>').description('make a key; it is printed once'))
    .option('--target <id>', 'which target (default: the only one)')
    .option('--workspace <name>', 'the only workspace that it opens (default: any of the target)')
    .option('--label <text>', 'a note for people')
    .option('--expires <when>', 'a span such as 30d or 12h, or an ISO 8601 instant')
    .action(does((name: string, flags: NewKeyFlags) => createKey(context, name, flags)));
  remote(key.command('list').description('keys, without the keys themselves')).action(
    does((flags: RemoteFlags) => listKeys(context, flags)),
  );
  remote(key.command('revoke').argument('<id>').description('end a key and what it has under way'))
    .option(...yesOption)
    .action(does((id: string, flags: Parameters<typeof revokeKey>[2]) => revokeKey(context, id, flags)));
}
