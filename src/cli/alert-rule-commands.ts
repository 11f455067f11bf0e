import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { AppError, describeError } from '../platform/errors.ts';
import { alertsBase, type TestRuleFlags, testRule } from './alert-commands.ts';
import { pageOf, pathPart, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { formatTable, withoutControls } from './format.ts';
import { coloured } from './words.ts';

const ruleAnswer = z.looseObject({
  name: z.string(),
  says: z.string(),
  severity: z.string(),
  enabled: z.boolean(),
  origin: z.string(),
  duration_seconds: z.number(),
  status: z
    .object({ label_sets: z.number(), pending: z.number(), firing: z.number(), error: z.string().nullable() })
    .nullable(),
});
type Rule = z.infer<typeof ruleAnswer>;

/** Every rule with what its last evaluation found; 4 when one cannot be evaluated. */
export async function listRules(
  context: CommandContext,
  flags: RemoteFlags & { readonly origin?: string },
): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${alertsBase}/rules`, { query: { origin: flags.origin } });
    const { items } = read(pageOf(ruleAnswer), document);
    const { colours } = context.terminal;
    if (flags.json) printJson(context.terminal, document);
    else if (items.length === 0) context.terminal.note('There are no alert rules.');
    else
      context.terminal.out(
        formatTable(
          [{ title: 'rule' }, { title: 'from' }, { title: 'severity' }, { title: 'state' }, { title: 'says' }],
          items.map((one) => [
            one.name,
            one.origin,
            coloured(colours, one.severity),
            stateOf(one),
            `${one.says}${one.duration_seconds === 0 ? '' : `, for ${one.duration_seconds} s`}`,
          ]),
        ),
      );
    return items.some(({ status }) => (status?.error ?? null) !== null) ? exitCodes.checkFailed : exitCodes.ok;
  });
}

function stateOf({ enabled, status }: Rule): string {
  if (!enabled) return 'switched off';
  if (status === null) return 'not evaluated yet';
  if (status.error !== null) return `cannot be evaluated: ${status.error}`;
  if (status.firing > 0) return `${status.firing} firing`;
  if (status.pending > 0) return `${status.pending} pending`;
  return status.label_sets === 0 ? 'no value' : 'quiet';
}

export async function showRule(context: CommandContext, name: string, flags: RemoteFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    printJson(context.terminal, await api.call(`${alertsBase}/rules/${pathPart(name)}`));
    return exitCodes.ok;
  });
}

/** Puts every rule of a file: one, or a list of them, in YAML or JSON. */
export async function putRules(context: CommandContext, file: string, flags: RemoteFlags): Promise<number> {
  const rules = readRules(context, file);
  return withApi(context, flags, async (api) => {
    for (const rule of rules) {
      const document = await api.call(`${alertsBase}/rules/${pathPart(rule.name)}`, { method: 'PUT', body: rule });
      if (flags.json) printJson(context.terminal, document);
      else if (!flags.quiet) context.terminal.out(`${rule.name}: ${read(ruleAnswer, document).says}.`);
    }
    return exitCodes.ok;
  });
}

export async function deleteRule(context: CommandContext, name: string, flags: RemoteFlags & YesFlag): Promise<number> {
  requireSomebodyOrYes(context, flags, 'A rule goes, and what it let fire is resolved');
  return withApi(context, flags, async (api) => {
    const question = `The rule ${name} goes, and what it let fire is resolved.`;
    if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
    const document = await api.call(`${alertsBase}/rules/${pathPart(name)}`, { method: 'DELETE' });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) context.terminal.out(`The rule ${name} is removed; what it let fire is resolved.`);
    return exitCodes.ok;
  });
}

const exportAnswer = z.object({
  rule_file: z.string(),
  left_out: z.array(z.object({ rule_name: z.string(), reason: z.string() })),
});

/** The rule file on standard output, what it cannot say on standard error; 3 when that is something. */
export async function exportRuleFile(
  context: CommandContext,
  flags: RemoteFlags & { readonly origin?: string },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${alertsBase}/rules/export`, { query: { origin: flags.origin } });
    const { left_out: leftOut } = read(exportAnswer, document);
    if (flags.json) printJson(terminal, document);
    else {
      // Line by line: as one text it would lose its ends of lines, and be no file.
      const { rule_file: text } = exportAnswer.parse(document);
      for (const line of text.trimEnd().split('\n')) terminal.out(withoutControls(line));
      for (const { rule_name: name, reason } of leftOut) terminal.note(`not in the file: ${name}: ${reason}`);
    }
    return leftOut.length > 0 ? exitCodes.partial : exitCodes.ok;
  });
}

/** A stored rule by its name, or each of a file that is not stored. */
export async function tryRule(
  context: CommandContext,
  name: string | undefined,
  flags: TestRuleFlags,
): Promise<number> {
  if (flags.file === undefined) {
    if (name === undefined) throw new AppError('request/invalid', 'Name a rule, or give one with --file.');
    return testRule(context, name, undefined, flags);
  }
  const rules = readRules(context, flags.file).filter((one) => (name ?? one.name) === one.name);
  let worst: number = exitCodes.ok;
  for (const rule of rules) worst = Math.max(worst, await testRule(context, undefined, rule, flags));
  return worst;
}

const writtenRule = z.looseObject({ name: z.string() });

function readRules({ cwd }: CommandContext, file: string): readonly z.infer<typeof writtenRule>[] {
  let written: unknown;
  try {
    written = parse(readFileSync(file === '-' ? 0 : resolve(cwd, file), 'utf8'));
  } catch (err) {
    throw new AppError('request/unreadable', `${file} cannot be read: ${describeError(err)}`, { cause: err });
  }
  const found = z
    .union([writtenRule.transform((one) => [one]), z.array(writtenRule), z.object({ rules: z.array(writtenRule) })])
    .safeParse(written);
  if (!found.success)
    throw new AppError(
      'request/invalid',
      `${file} holds no rule: it is one, a list of them, or \`rules:\` with a list.`,
    );
  return Array.isArray(found.data) ? found.data : found.data.rules;
}
