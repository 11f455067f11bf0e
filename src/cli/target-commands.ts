import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read, type TargetAnswer, targetAnswer } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatBytes, formatTable } from './format.ts';
import { renderTarget } from './status-command.ts';
import { coloured } from './words.ts';

export async function listTargets(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/targets');
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(targetAnswer), document);
      if (items.length === 0) terminal.note('No target is configured. Set RAGWARDEN_TARGET_URL and WORKING_DIR.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'target' },
              { title: 'status' },
              { title: 'kind' },
              { title: 'version' },
              { title: 'documents', align: 'right' },
              { title: 'size', align: 'right' },
              { title: 'url' },
            ],
            items.map((target) => [
              target.sample ? `${target.id} (sample)` : target.id,
              coloured(terminal.colours, target.status),
              target.kind ?? 'unknown',
              target.core_version ?? '-',
              target.documents === null ? '-' : String(countDocuments(target)),
              formatBytes(target.sizes.reduce((sum, one) => sum + one.bytes, 0)),
              target.endpoints[0]?.url ?? '-',
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });
}

/** The counts have a sum of their own under `all` where the backend tells one. */
const countDocuments = ({ documents }: TargetAnswer): number =>
  documents?.all ?? Object.values(documents ?? {}).reduce((sum, count) => sum + count, 0);

/** Looks at the target now and shows what was seen. @returns 4 when it is not healthy */
export async function inspectTarget(
  context: CommandContext,
  id: string | undefined,
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const wanted = id ?? (await onlyTarget(await api.call('/api/v1/targets')));
    const document = await api.call(`/api/v1/targets/${pathPart(wanted)}/probe`, { method: 'POST' });
    const target = read(targetAnswer, document);
    if (flags.json) printJson(terminal, document);
    else {
      terminal.out(renderTarget(target, terminal.colours, Date.now()).join('\n'));
      for (const store of target.stores) terminal.out(`  ${store.kind} ${store.name}: ${store.path}`);
      terminal.out(`  to stop it: ${target.lifecycle.stop}\n  to start it: ${target.lifecycle.start}`);
    }
    return target.status === 'HEALTHY' ? exitCodes.ok : exitCodes.checkFailed;
  });
}

async function onlyTarget(document: unknown): Promise<string> {
  const { items } = read(pageOf(targetAnswer), document);
  const [first, second] = items;
  if (!first)
    throw new AppError('target/unknown', 'No target is configured. Set RAGWARDEN_TARGET_URL and WORKING_DIR.');
  if (second)
    throw new AppError('request/invalid', `Name one of the targets: ${items.map((one) => one.id).join(', ')}.`);
  return first.id;
}
