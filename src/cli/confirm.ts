import { AppError } from '../platform/errors.ts';
import type { CommandContext } from './cli.ts';

export type YesFlag = { readonly yes?: boolean };
export const yesOption = ['-y, --yes', 'do not ask'] as const;

/**
 * Said before anything is asked of the server: a script must neither hang on a question nor find out half-way.
 * @throws AppError `config/invalid` when nobody can be asked and nobody has said yes
 */
export function requireSomebodyOrYes({ terminal }: CommandContext, flags: YesFlag, what: string): void {
  if (flags.yes || terminal.interactive) return;
  throw new AppError('config/invalid', `${what}, and nobody can be asked here. Repeat it with --yes.`);
}

/** Whether it was confirmed, by `--yes` or by an answer; a no is said. @param question ends with a full stop */
export async function isConfirmed(context: CommandContext, flags: YesFlag, question: string): Promise<boolean> {
  if (flags.yes) return true;
  const answer = await context.terminal.ask(`${question} Type y to go on: `, context.signal);
  if (['y', 'yes'].includes(answer.trim())) return true;
  context.terminal.note('Nothing was changed.');
  return false;
}
