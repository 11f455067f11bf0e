import type { Command } from 'commander';
import { type Setting, settings } from '../../config/index.ts';
import { type CommandContext, openApi, type RemoteFlags } from '../cli.ts';
import { exitCodes } from '../exit-code.ts';
import { explainableNames } from '../explain/explain.ts';
import { findIds } from '../ids.ts';
import { commandTree, dynamicNames } from './command-tree.ts';
import { commandReference } from './reference.ts';
import { completionScript, type Shell } from './scripts.ts';

export function printCompletion({ terminal }: CommandContext, shell: Shell, program: Command): number {
  terminal.stdout.write(completionScript(shell, commandTree(program)));
  return exitCodes.ok;
}

export function printCommandReference({ terminal }: CommandContext, program: Command): number {
  terminal.stdout.write(commandReference(commandTree(program)));
  return exitCodes.ok;
}

/** For the completion scripts: one word a line, quickly, and nothing at all when it cannot be told. @returns always 0 */
export async function completeWords(context: CommandContext, kind: string, flags: RemoteFlags): Promise<number> {
  const words = await findWords(context, kind, flags).catch(() => []);
  // A word that a shell would take apart or run is left out.
  const safe = words.filter((word) => /^[\w./:@+-]+$/.test(word));
  if (safe.length > 0) context.terminal.out(safe.join('\n'));
  return exitCodes.ok;
}

async function findWords(context: CommandContext, kind: string, flags: RemoteFlags): Promise<readonly string[]> {
  const name = dynamicNames.find((one) => one === kind);
  switch (name) {
    case undefined:
      return [];
    case 'setting':
      return Object.values<Setting>(settings).map(({ key }) => key);
    case 'explainable':
      return explainableNames();
    default: {
      const api = await openApi(context, flags);
      try {
        return await findIds(api, name);
      } finally {
        await api.close();
      }
    }
  }
}
