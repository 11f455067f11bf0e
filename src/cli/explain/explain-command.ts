import { errorCatalogue } from '../../platform/errors.ts';
import { type CommandContext, printJson } from '../cli.ts';
import { exitCodes } from '../exit-code.ts';
import { formatFacts, formatTable, withoutControls } from '../format.ts';
import type { Colours } from '../terminal.ts';
import { type Explained, errorReference, explainName } from './explain.ts';

/** One name, or the list of all codes. @returns 10 for a name that nothing has */
export function explain(
  { terminal }: CommandContext,
  name: string | undefined,
  flags: { readonly json?: boolean; readonly markdown?: boolean },
): number {
  if (flags.markdown) {
    terminal.stdout.write(errorReference());
    return exitCodes.ok;
  }
  if (name === undefined) {
    const all = Object.entries(errorCatalogue).map(([code, { title, status, exitCode, retryable }]) => ({
      code,
      title,
      status,
      exit_code: exitCode,
      retryable,
    }));
    if (flags.json) printJson(terminal, { items: all });
    else
      terminal.out(
        formatTable(
          [{ title: 'code' }, { title: 'title' }],
          all.map((one) => [one.code, one.title]),
        ),
      );
    return exitCodes.ok;
  }
  const sought = explainName(name);
  if (sought.found === undefined) {
    const near = sought.nearest === undefined ? '' : ` Did you mean ${sought.nearest}?`;
    terminal.note(
      `${terminal.noteColours.red('error')}: "${withoutControls(name)}" is no error code, setting or state.${near} \`ragwarden explain\` lists the codes, \`ragwarden config reference\` the settings.`,
    );
    return exitCodes.unknownThing;
  }
  if (flags.json) printJson(terminal, sought.found);
  else terminal.out(describe(sought.found, terminal.colours));
  return exitCodes.ok;
}

function describe(told: Explained, { bold }: Colours): string {
  const list = (title: string, items: readonly string[]): string[] =>
    items.length === 0 ? [] : ['', bold(title), ...items.map((item) => `  - ${item}`)];
  switch (told.kind) {
    case 'error':
      return [
        `${bold(told.code)}  ${told.title}`,
        '',
        told.means,
        ...list('Likely causes', told.causes),
        ...list('What to do', told.mend),
        '',
        formatFacts([
          ['status', String(told.status)],
          ['exit code', String(told.exit_code)],
          ['retryable', told.retryable ? 'yes: it may go well later without a change' : 'no'],
          ...(told.runbook === null ? [] : [['runbook', told.runbook] as const]),
        ]),
      ].join('\n');
    case 'setting':
      return [
        `${bold(told.key)}  ${told.about}`,
        '',
        formatFacts([
          ['environment', told.env.join(', ') || 'none'],
          ['flag', told.flag ?? 'none'],
          ['value', `${told.value}${told.unit === null ? '' : ` (${told.unit})`}`],
          ['default', told.default ?? 'none'],
        ]),
      ].join('\n');
    case 'word':
      return `${bold(told.word)}  ${told.means}${told.mend === null ? '' : `\n\nSee: ${told.mend}`}`;
  }
}
