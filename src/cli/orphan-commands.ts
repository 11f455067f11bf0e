import { z } from 'zod';
import { pathPart, read } from './answers.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatTable } from './format.ts';
import { onlyTarget } from './target-commands.ts';

const orphansAnswer = z.looseObject({
  searched_at: z.string().nullable(),
  complete: z.boolean(),
  why: z.string().nullable(),
  total: z.number(),
  total_bytes: z.number(),
  items: z.array(
    z.looseObject({
      workspace: z.string(),
      kind: z.string(),
      place: z.string(),
      count: z.number(),
      bytes: z.number().nullable(),
      examples: z.array(z.string()),
      removable: z.boolean(),
      reason: z.string(),
    }),
  ),
});

/** Shows what belongs to nothing any more in the stores of a target; with `--now` it is looked for first. */
export async function showOrphans(
  context: CommandContext,
  id: string | undefined,
  flags: RemoteFlags & { now?: boolean; examples?: boolean },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const path = `/api/v1/targets/${pathPart(id ?? (await onlyTarget(await api.call('/api/v1/targets'))))}/orphans`;
    let document: unknown;
    if (flags.now) {
      const first = await api.call(`${path}/search`, { method: 'POST' });
      const { operation } = await followOperation(context, api, first, true);
      reportFailure(context, operation);
      if (operation.state !== 'succeeded') return exitCodeOfOperation(operation);
      document = operation.result;
    } else document = await api.call(path);
    if (flags.json) printJson(terminal, document);
    else {
      const found = read(orphansAnswer, document);
      if (found.searched_at === null) terminal.note(found.why ?? 'Orphans were not looked for yet.');
      else if (!found.complete) terminal.note(`Not sure: ${found.why ?? ''}`);
      if (found.searched_at !== null && found.items.length === 0)
        terminal.note(`Nothing is left over (looked at ${found.searched_at}).`);
      else if (found.items.length > 0)
        terminal.out(
          formatTable(
            [
              { title: 'kind' },
              { title: 'place' },
              { title: 'count', align: 'right' },
              { title: 'size', align: 'right' },
              { title: 'why' },
            ],
            found.items.map((one) => [
              one.kind,
              one.place,
              String(one.count),
              one.bytes === null ? 'unknown' : formatBytes(one.bytes),
              one.reason,
            ]),
          ),
        );
      if (flags.examples)
        for (const one of found.items) terminal.out(`${one.kind} in ${one.place}:\n  ${one.examples.join('\n  ')}`);
    }
    return exitCodes.ok;
  });
}
