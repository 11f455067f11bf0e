import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { pageOf, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { formatFacts, formatInstant, formatTable } from './format.ts';

const root = '/api/v1/tuning';
const value = z.union([z.number(), z.boolean(), z.string()]).nullable();
const parameterAnswer = z.object({
  name: z.string(),
  backend: z.string(),
  backend_name: z.string().nullable(),
  query_field: z.string().nullable(),
  type: z.string(),
  minimum: z.number().nullable(),
  maximum: z.number().nullable(),
  choices: z.array(z.string()).nullable(),
  default: value,
  unit: z.string().nullable(),
  meaning: z.string(),
  class: z.string(),
  per_user: z.boolean(),
});
type ParameterAnswer = z.infer<typeof parameterAnswer>;
const effectiveAnswer = z.object({
  parameter: z.string(),
  value,
  origin: z.string(),
  class: z.string(),
  backend_name: z.string().nullable(),
});
const changeAnswer = z.object({ scope: z.string(), parameter: z.string(), before: value, after: value });
const figuresAnswer = z.object({
  requests: z.number(),
  failed: z.number(),
  answers: z.record(z.string(), z.object({ requests: z.number(), p95_ms: z.number() })),
  canary: z.boolean().nullable(),
});
const watchAnswer = z.object({
  target_id: z.string(),
  state: z.string(),
  from: z.string(),
  until: z.string(),
  reasons: z.array(z.string()),
  before: figuresAnswer,
  after: figuresAnswer.nullable(),
});
const revisionAnswer = z.object({
  revision: z.number(),
  at: z.string(),
  actor: z.string(),
  what: z.string(),
  reason: z.string().nullable(),
  changes: z.array(changeAnswer),
  rolled_back_to: z.number().nullable(),
  watch: watchAnswer.nullable(),
});
const warning = z.object({ severity: z.string(), message: z.string() });
const consequence = z.object({ parameter: z.string(), destructive: z.boolean(), message: z.string() });
const changedAnswer = z.object({
  consequences: z.array(consequence),
  revision: revisionAnswer.nullable(),
  warnings: z.array(warning),
  left_out: z.array(z.string()).optional(),
});

export type TuneFlags = RemoteFlags & {
  readonly user?: string;
  readonly graph?: string;
  readonly reason?: string;
  readonly confirm?: boolean;
};

const written = (of: z.infer<typeof value>): string => (of === null ? '(not set)' : String(of));
const scopeOf = ({ user, graph }: TuneFlags) => ({
  ...(user === undefined ? {} : { user }),
  ...(graph === undefined ? {} : { graph_id: graph }),
});

/** What somebody set, or all of it, or one parameter with what it means. */
export async function getTuning(
  context: CommandContext,
  name: string | undefined,
  flags: TuneFlags & { all?: boolean },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${root}/effective`, { query: scopeOf(flags) });
    const { items } = read(pageOf(effectiveAnswer), document);
    if (name !== undefined) {
      const parameter = await requireParameter(api, name);
      const one = items.find((item) => item.parameter === name);
      if (flags.json) printJson(terminal, { ...parameter, value: one?.value ?? null, origin: one?.origin ?? null });
      else
        terminal.out(
          formatFacts([
            ['parameter', parameter.name],
            ['value', `${written(one?.value ?? null)}${parameter.unit === null ? '' : ` ${parameter.unit}`}`],
            ['origin', one?.origin ?? '(none)'],
            ['default', written(parameter.default)],
            ['may be', describeKind(parameter)],
            [
              'at the backend',
              parameter.backend_name ??
                (parameter.query_field === null
                  ? 'no backend knows it: a hint'
                  : `${parameter.query_field} of a query, where the gateway adds it`),
            ],
            ['to change it', describeClass(parameter.class)],
            ['per user', parameter.per_user ? 'yes' : 'no'],
            ['what it does', parameter.meaning],
          ]),
        );
      return exitCodes.ok;
    }
    const shown = items.filter((one) => flags.all === true || one.origin !== 'built-in');
    if (flags.json) printJson(terminal, document);
    else if (shown.length === 0)
      terminal.note('Nobody set anything. `ragwarden tune get --all` shows every parameter.');
    else
      terminal.out(
        formatTable(
          ['parameter', 'value', 'origin', 'at the backend', 'to change it'].map((title) => ({ title })),
          shown.map((one) => [
            one.parameter,
            written(one.value),
            one.origin,
            one.backend_name ?? (one.class === 'hint' ? 'hint' : 'with queries'),
            describeClass(one.class),
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

const classes: Readonly<Record<string, string>> = {
  safe: 'a restart',
  'new-documents': 'new documents only; the old ones keep theirs',
  're-embed': 'every vector anew',
  're-extract': 'every document read anew',
  never: 'another index',
  hint: 'nothing',
};
export const describeClass = (of: string): string => classes[of] ?? of;

function describeKind(parameter: ParameterAnswer): string {
  if (parameter.choices !== null) return parameter.choices.join(', ');
  if (parameter.type === 'boolean') return 'true or false';
  if (parameter.type === 'text') return `a text of at most ${parameter.maximum ?? '?'} characters`;
  return `a ${parameter.type === 'integer' ? 'whole ' : ''}number from ${parameter.minimum ?? '?'} to ${parameter.maximum ?? '?'}`;
}

async function requireParameter(api: ApiClient, name: string): Promise<ParameterAnswer> {
  const { items } = read(pageOf(parameterAnswer), await api.call(`${root}/parameters`));
  const found = items.find((one) => one.name === name);
  if (found) return found;
  throw new AppError('request/invalid', `There is no parameter "${name}". \`ragwarden tune get --all\` shows them.`);
}

/** `name=value` pairs as the server takes them; `name=` takes a value away. What it does not know is left to it to judge. */
async function parsePairs(api: ApiClient, pairs: readonly string[]): Promise<Record<string, unknown>> {
  const { items } = read(pageOf(parameterAnswer), await api.call(`${root}/parameters`));
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new AppError('request/invalid', `"${pair}" is no parameter with its value. Write NAME=VALUE.`);
      const name = pair.slice(0, at);
      return [name, parseValue(items.find((one) => one.name === name)?.type, pair.slice(at + 1))];
    }),
  );
}

function parseValue(type: string | undefined, raw: string): unknown {
  if (raw === '') return null;
  if (type === 'boolean' && /^(true|yes|on)$/i.test(raw)) return true;
  if (type === 'boolean' && /^(false|no|off)$/i.test(raw)) return false;
  if ((type === 'integer' || type === 'number') && Number.isFinite(Number(raw))) return Number(raw);
  return raw;
}

export async function setTuning(context: CommandContext, pairs: readonly string[], flags: TuneFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    const body = {
      ...scopeOf(flags),
      values: await parsePairs(api, pairs),
      reason: flags.reason ?? null,
      confirm: flags.confirm === true,
    };
    return tellChanged(context, flags, await api.call(`${root}/values`, { method: 'PUT', body }));
  });
}

/** Without a user and a workspace all that anybody set: said before it is done. */
export async function resetTuning(context: CommandContext, flags: TuneFlags & { yes?: boolean }): Promise<number> {
  if (flags.user === undefined && flags.graph === undefined && flags.yes !== true) {
    const what = 'This takes away what everybody set, users and workspaces included';
    requireSomebodyOrYes(context, flags, what);
    if (!(await isConfirmed(context, flags, `${what}.`))) return exitCodes.failure;
  }
  return withApi(context, flags, async (api) => {
    const query = {
      ...scopeOf(flags),
      ...(flags.reason === undefined ? {} : { reason: flags.reason }),
      confirm: String(flags.confirm === true),
    };
    return tellChanged(context, flags, await api.call(`${root}/values`, { method: 'DELETE', query }));
  });
}

export async function rollBackTuning(context: CommandContext, revision: number, flags: TuneFlags): Promise<number> {
  return withApi(context, flags, async (api) =>
    tellChanged(
      context,
      flags,
      await api.call(`${root}/revisions/${revision}/rollback`, {
        method: 'POST',
        body: { reason: flags.reason ?? null, confirm: flags.confirm === true },
      }),
    ),
  );
}

function tellChanged({ terminal }: CommandContext, flags: RemoteFlags, document: unknown): number {
  const { revision, warnings, consequences, left_out: leftOut } = read(changedAnswer, document);
  if (flags.json) printJson(terminal, document);
  else {
    for (const one of warnings) terminal.note(`${one.severity}: ${one.message}`);
    for (const one of consequences) terminal.note(`${one.parameter}: ${one.message}`);
    if (leftOut !== undefined && leftOut.length > 0)
      terminal.note(`Left out, since they do not exist any more: ${leftOut.join(', ')}`);
    if (!flags.quiet)
      terminal.out(
        revision === null
          ? 'Everything was so already.'
          : [`Revision ${revision.revision}:`, ...revision.changes.map((one) => `  ${describeChange(one)}`)].join('\n'),
      );
  }
  return exitCodes.ok;
}

const describeChange = (one: z.infer<typeof changeAnswer>): string =>
  `${one.scope === 'default' ? '' : `${one.scope} `}${one.parameter}: ${written(one.before)} → ${written(one.after)}`;

/** 4 when the values could not be set. */
export async function checkTuning(
  context: CommandContext,
  pairs: readonly string[],
  flags: TuneFlags,
): Promise<number> {
  const { terminal } = context;
  const answer = z.object({
    valid: z.boolean(),
    violations: z.array(z.object({ parameter: z.string(), message: z.string() })),
    contradictions: z.array(warning),
    consequences: z.array(consequence),
  });
  return withApi(context, flags, async (api) => {
    const body = { ...scopeOf(flags), values: await parsePairs(api, pairs) };
    const document = await api.call(`${root}/check`, { method: 'POST', body });
    const { valid, violations, contradictions, consequences } = read(answer, document);
    if (flags.json) printJson(terminal, document);
    else {
      for (const one of violations) terminal.out(`error: ${one.parameter} ${one.message}`);
      for (const one of contradictions) terminal.out(`${one.severity}: ${one.message}`);
      for (const one of consequences)
        terminal.out(`${one.destructive ? 'to be confirmed: ' : ''}${one.parameter}: ${one.message}`);
      if (!flags.quiet) terminal.note(valid ? 'These values could be set.' : 'These values cannot be set.');
    }
    return valid ? exitCodes.ok : exitCodes.checkFailed;
  });
}

export async function listRevisions(context: CommandContext, flags: RemoteFlags & { limit?: number }): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${root}/revisions`, { query: { limit: flags.limit ?? 50 } });
    const { items } = read(pageOf(revisionAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (items.length === 0) terminal.note('Nothing was changed yet.');
    else
      terminal.out(
        formatTable(
          ['revision', 'when', 'who', 'what', 'why', 'since'].map((title) => ({ title })),
          items.map((one) => [
            String(one.revision),
            formatInstant(one.at),
            one.actor,
            one.rolled_back_to === null
              ? one.changes.map(describeChange).join('; ').slice(0, 200)
              : `back to ${one.rolled_back_to}`,
            one.reason ?? '',
            one.watch === null ? 'not applied by itself' : describeState(one.watch.state),
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

const states: Readonly<Record<string, string>> = {
  unwatched: 'not watched',
  watching: 'is watched',
  kept: 'not worse',
  unjudged: 'too little to judge',
  worse: 'worse',
  superseded: 'another change came',
  'rolling-back': 'worse, is taken back',
  'rolled-back': 'worse, taken back',
  'rollback-failed': 'worse, could not be taken back',
};
const describeState = (state: string): string => states[state] ?? state;

const describeFigures = ({ requests, failed, answers, canary }: z.infer<typeof figuresAnswer>): string =>
  [
    `${requests} requests, ${failed} failed`,
    ...Object.entries(answers).map(([operation, one]) => `${operation} p95 ${Math.round(one.p95_ms)} ms`),
    ...(canary === null ? [] : [`known question ${canary ? 'answered' : 'not answered'}`]),
  ].join(', ');

/** One revision, and how it went since the backend runs with it. @returns 4 while that is worse than before */
export async function showRevision(context: CommandContext, number: number, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${root}/revisions/${number}`);
    const { watch, ...one } = read(revisionAnswer, document);
    if (flags.json) printJson(terminal, document);
    else
      terminal.out(
        formatFacts([
          ['revision', String(one.revision)],
          ['when', formatInstant(one.at)],
          ['who', one.actor],
          ['why', one.reason ?? '(not said)'],
          ...one.changes.map((change) => ['change', describeChange(change)] as [string, string]),
          ['since', watch === null ? 'not applied by itself' : describeState(watch.state)],
          ...(watch === null || watch.state === 'unwatched'
            ? []
            : ([
                ['watched', `${formatInstant(watch.from)} to ${formatInstant(watch.until)}`],
                ['before', describeFigures(watch.before)],
                ['after', watch.after === null ? '(not judged yet)' : describeFigures(watch.after)],
                ...watch.reasons.map((reason): [string, string] => ['found', reason]),
              ] as [string, string][])),
        ]),
      );
    return watch !== null && ['worse', 'rolling-back', 'rollback-failed'].includes(watch.state)
      ? exitCodes.checkFailed
      : exitCodes.ok;
  });
}

export async function diffRevisions(
  context: CommandContext,
  from: number,
  to: number,
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${root}/diff`, { query: { from, to } });
    const { items } = read(pageOf(changeAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (items.length === 0) terminal.note('Nothing differs.');
    else for (const one of items) terminal.out(describeChange(one));
    return exitCodes.ok;
  });
}

/** 4 when something differs. */
export async function showDrift(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  const answer = z.object({
    items: z.array(z.object({ graph_id: z.string(), message: z.string() })),
    compared: z.number(),
    unseen: z.array(z.string()),
  });
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${root}/drift`);
    const { items, compared, unseen } = read(answer, document);
    if (flags.json) printJson(terminal, document);
    else {
      for (const one of items) terminal.out(`${one.graph_id}: ${one.message}`);
      if (unseen.length > 0)
        terminal.note(
          `Neither the backend nor its file tells of ${unseen.join(', ')}. \`ragwarden tune apply\` writes what was set.`,
        );
      if (items.length === 0 && !flags.quiet)
        terminal.note(compared === 0 ? 'Nobody set anything that could be compared.' : 'Nothing differs.');
    }
    return items.length === 0 ? exitCodes.ok : exitCodes.checkFailed;
  });
}
