import { z } from 'zod';
import { pathPart, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatFacts, formatInstant } from './format.ts';
import { onlyTarget } from './target-commands.ts';
import { coloured } from './words.ts';

type Flags = RemoteFlags & { readonly target?: string; readonly workspace?: string };

const canaryAnswer = z.looseObject({
  target_id: z.string(),
  workspace: z.string(),
  question: z.string(),
  expected: z.string(),
  mode: z.string(),
  verdict: z.string().nullable(),
  message: z.string().nullable(),
  asked_at: z.string().nullable(),
  latency_ms: z.number().nullable(),
  last_passed_at: z.string().nullable(),
  index_dimension: z.number().nullable(),
  embedding_dimension: z.number().nullable(),
});

const pathOf = async (api: ApiClient, flags: Flags): Promise<string> =>
  `/api/v1/targets/${pathPart(flags.target ?? (await onlyTarget(await api.call('/api/v1/targets'))))}/canary`;

const queryOf = ({ workspace }: Flags) => (workspace === undefined ? {} : { workspace });

/** @returns 4 when the answer was not found, or nobody asked yet */
export const showCanary = (context: CommandContext, flags: Flags): Promise<number> =>
  withApi(context, flags, async (api) =>
    shown(context, flags, await api.call(await pathOf(api, flags), { query: queryOf(flags) })),
  );

/** @returns 4 when the answer is not found */
export const runCanary = (context: CommandContext, flags: Flags): Promise<number> =>
  withApi(context, flags, async (api) =>
    shown(context, flags, await api.call(`${await pathOf(api, flags)}/run`, { method: 'POST', query: queryOf(flags) })),
  );

export const plantCanary = (context: CommandContext, flags: Flags): Promise<number> =>
  withApi(context, flags, async (api) => {
    const first = await api.call(`${await pathOf(api, flags)}/plant`, { method: 'POST', query: queryOf(flags) });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (flags.json) printJson(context.terminal, document);
    reportFailure(context, operation);
    if (operation.state === 'succeeded' && !flags.json && !flags.quiet)
      context.terminal.out('The document is in the backend, and the question finds it.');
    return exitCodeOfOperation(operation);
  });

function shown({ terminal }: CommandContext, flags: Flags, document: unknown): number {
  const canary = read(canaryAnswer, document);
  if (flags.json) printJson(terminal, document);
  else if (!flags.quiet || canary.verdict !== 'passed') {
    const facts: [string, string][] = [
      ['target', canary.workspace === '' ? canary.target_id : `${canary.target_id}:${canary.workspace}`],
      ['question', `${canary.question} (${canary.mode})`],
      ['expected', canary.expected],
      ['verdict', coloured(terminal.colours, canary.verdict ?? 'not asked yet')],
    ];
    if (canary.message !== null) facts.push(['because', canary.message]);
    if (canary.asked_at !== null)
      facts.push(['asked', `${formatInstant(canary.asked_at)}, ${Math.round(canary.latency_ms ?? 0)} ms`]);
    if (canary.last_passed_at !== null) facts.push(['last passed', formatInstant(canary.last_passed_at)]);
    if (canary.index_dimension !== null)
      facts.push(['dimension', `index ${canary.index_dimension}, model ${canary.embedding_dimension ?? 'not seen'}`]);
    terminal.out(formatFacts(facts));
  }
  return canary.verdict === 'passed' ? exitCodes.ok : exitCodes.checkFailed;
}
