import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { AppError } from '../platform/errors.ts';
import { configFileAnswer, pageOf, pathPart, read, sourcesAnswer } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatTable, plural } from './format.ts';

/** What a point taken now would hold and lack. */
export async function showSources(context: CommandContext, flags: RemoteFlags & { target?: string }): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/backup/sources', { query: { target: flags.target } });
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const { items, missing } = read(sourcesAnswer, document);
    if (items.length === 0) terminal.note('Nothing of the target can be backed up.');
    else
      terminal.out(
        formatTable(
          [
            { title: 'component' },
            { title: 'kind' },
            { title: 'one moment' },
            { title: 'goes back' },
            { title: 'about' },
          ],
          items.map((one) => [
            one.name,
            one.kind,
            one.consistent === 'always' ? 'always' : 'when it rests',
            `${one.restored_by}${one.restorable_elsewhere ? ', elsewhere too' : ''}`,
            [...(one.online ? [] : ['not while the backend runs']), ...one.notes].join('; '),
          ]),
        ),
      );
    for (const one of missing) terminal.note(`missing: ${one.name}: ${one.reason}`);
    return exitCodes.ok;
  });
}

/** The configuration of a point without its secrets, on the screen or into a folder. */
export async function exportConfigOf(
  context: CommandContext,
  id: string,
  flags: RemoteFlags & { redact?: boolean; to?: string },
): Promise<number> {
  const { terminal } = context;
  if (!flags.redact)
    throw new AppError(
      'request/invalid',
      'Say --redact: the files are shown without their secrets. Whole, they come back by a restore of the component config into a folder.',
    );
  return withApi(context, flags, async (api) => {
    const document = await api.call(`/api/v1/backup/points/${pathPart(id)}/config`);
    const { items } = read(pageOf(configFileAnswer), document);
    if (flags.to !== undefined) {
      const folder = resolve(flags.to);
      for (const { path, content } of items) {
        const file = join(folder, path);
        if (!file.startsWith(`${folder}${sep}`))
          throw new AppError('restore/unsafe-entry', `${path} leads out of ${folder}.`);
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await writeFile(file, content, { mode: 0o600, flag: 'wx' });
      }
    }
    if (flags.json) printJson(terminal, document);
    else if (flags.to === undefined) for (const { path, content } of items) terminal.out(`# ${path}\n${content}`);
    if (!flags.quiet)
      terminal.note(
        `${plural(items.length, 'file')}, ${plural(
          items.reduce((sum, one) => sum + one.redacted, 0),
          'secret',
        )} taken out${flags.to === undefined ? '' : `, in ${flags.to}`}`,
      );
    return exitCodes.ok;
  });
}
