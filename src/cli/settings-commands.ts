import { z } from 'zod';
import { findSettingByKey, settings, writtenValue } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { printNotices, printProblems } from './config-commands.ts';
import { exitCodes } from './exit-code.ts';
import { formatFacts, formatTable, plural } from './format.ts';

const value = z.unknown();
const settingAnswer = z.object({
  key: z.string(),
  description: z.string(),
  value,
  default: value,
  unit: z.string().nullable(),
  origin: z.object({ place: z.string() }),
  secret: z.boolean(),
  is_set: z.boolean(),
  runtime: z.boolean(),
  needs_restart: z.boolean(),
  pending_value: value,
  fixed_by: z.string().nullable(),
});
type SettingAnswer = z.infer<typeof settingAnswer>;
const changesAnswer = z.object({ changed: z.array(z.object({ key: z.string(), before: value, after: value })) });
const checkAnswer = changesAnswer.extend({
  valid: z.boolean(),
  problems: z.array(z.object({ place: z.string(), message: z.string(), mend: z.string() })),
  notices: z.array(z.object({ place: z.string(), message: z.string(), mend: z.string() })),
  needs_restart: z.array(z.string()),
});

const root = '/api/v1/settings';

/** What is in force in the running ragwarden. */
export async function listSettings(context: CommandContext, flags: RemoteFlags & { live?: boolean }): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(root);
    if (flags.json) printJson(terminal, document);
    else
      terminal.out(
        formatTable(
          [
            { title: 'setting' },
            { title: 'value' },
            { title: 'origin' },
            { title: 'live' },
            { title: 'after a restart' },
          ],
          read(pageOf(settingAnswer), document)
            .items.filter((one) => flags.live !== true || one.runtime)
            .map((one) => [
              one.key,
              shownValue(one, one.value),
              one.origin.place,
              one.runtime ? 'yes' : '',
              one.needs_restart ? shownValue(one, one.pending_value) : '',
            ]),
        ),
      );
    return exitCodes.ok;
  });
}

const shownValue = (one: SettingAnswer, of: unknown): string =>
  one.secret ? (one.is_set ? '(set)' : '(none)') : of === null || of === undefined ? '(none)' : writtenValue(of);

export async function showSetting(context: CommandContext, key: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${root}/${pathPart(key)}`);
    if (flags.json) printJson(terminal, document);
    else {
      const one = read(settingAnswer, document);
      terminal.out(
        formatFacts([
          ['setting', one.key],
          ['value', `${shownValue(one, one.value)}${one.unit === null ? '' : ` ${one.unit}`}`],
          ['default', shownValue(one, one.default)],
          ['origin', one.origin.place],
          ['live', one.runtime ? 'yes' : 'needs a restart'],
          ...(one.needs_restart ? ([['after a restart', shownValue(one, one.pending_value)]] as const) : []),
          ['what it does', one.description],
        ]),
      );
    }
    return exitCodes.ok;
  });
}

/** `key=value` pairs, all of them or none. */
export function setSettings(context: CommandContext, pairs: readonly string[], flags: RemoteFlags): Promise<number> {
  return patch(context, Object.fromEntries(pairs.map(parsePair)), flags);
}

export function resetSettings(context: CommandContext, keys: readonly string[], flags: RemoteFlags): Promise<number> {
  return patch(context, Object.fromEntries(keys.map((key) => [key, null])), flags);
}

async function patch(
  context: CommandContext,
  body: Readonly<Record<string, unknown>>,
  flags: RemoteFlags,
): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(root, { method: 'PATCH', body });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) tellChanges(context, read(changesAnswer, document));
    return exitCodes.ok;
  });
}

/** As in the environment; a key that this version does not know is left to the server to judge. */
function parsePair(pair: string): [string, unknown] {
  const at = pair.indexOf('=');
  if (at < 1) throw new AppError('request/invalid', `"${pair}" is no setting with its value. Write KEY=VALUE.`);
  const key = pair.slice(0, at);
  const raw = pair.slice(at + 1);
  const name = findSettingByKey(key);
  if (name === undefined) return [key, raw];
  const parsed = settings[name].parser.parse(raw);
  if (!parsed.ok) throw new AppError('request/invalid', `${key} ${parsed.complaint}.`);
  return [key, parsed.value];
}

function tellChanges({ terminal }: CommandContext, { changed }: z.infer<typeof changesAnswer>): void {
  if (changed.length === 0) terminal.note('No setting in force changed.');
  for (const { key, before, after } of changed)
    terminal.note(`${key}: ${writtenValue(after)} (was ${writtenValue(before)})`);
}

/** The running ragwarden reads its file again, or only says what would come of it. */
export async function reloadSettings(
  context: CommandContext,
  flags: RemoteFlags & { check?: boolean },
): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${root}/${flags.check ? 'check' : 'reload'}`, { method: 'POST' });
    const answer = read(checkAnswer, document);
    if (flags.json) printJson(context.terminal, document);
    else if (!answer.valid) printProblems(context.terminal, answer.problems, 'nothing would be changed');
    else if (!flags.quiet) {
      printNotices(context.terminal, answer.notices);
      tellChanges(context, answer);
      if (answer.needs_restart.length > 0)
        context.terminal.note(
          `${plural(answer.needs_restart.length, 'setting waits', 'settings wait')} for a restart: ${answer.needs_restart.join(', ')}`,
        );
    }
    return answer.valid ? exitCodes.ok : exitCodes.usage;
  });
}
