import { statfs } from 'node:fs/promises';
import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { describePlace, type PostgresConnection, qualified } from '../../postgres/connection.ts';
import type { TableCount } from '../../postgres/survey.ts';
import { countRows } from '../../postgres/survey-store.ts';
import type { ComponentPlan, RestorerRequest } from '../restorer.ts';
import { requireClients } from './clients.ts';
import { decideMethod } from './method.ts';
import { type SeenPlace, seePlace } from './place.ts';
import { countLater, findTriggers, findVectorIndexes } from './places-store.ts';
import { pointTables, type RequestTools, readRequest, type Wanted } from './scope.ts';

const shownExamples = 5;

/** What a restore would do, asked without changing anything. */
export async function planRestore(
  tools: RequestTools & { readonly children: ChildProcesses; readonly folders?: readonly string[] },
  request: RestorerRequest,
  signal: AbortSignal,
): Promise<ComponentPlan> {
  const { connection } = tools;
  const wanted = readRequest(request, tools);
  const seen: Seen = { counts: [], laterRows: 0, examples: [], indexes: [], triggers: [] };
  const place = await seePlace(connection, wanted, async (session, survey) => {
    seen.counts.push(...(await countRows(session, survey, wanted.workspace?.to)));
    for (const table of survey.tables) {
      const later = await countLater(session, table, request.takenMs, wanted.workspace?.to);
      seen.laterRows += later.rows;
      seen.examples.push(...later.examples);
    }
    seen.indexes.push(...(await findVectorIndexes(session)));
    seen.triggers.push(...(await findTriggers(session, survey.tables)));
  });
  signal.throwIfAborted();
  const method = decideMethod(wanted, place);
  const clients = await requireClients(tools, wanted.details, place.server, signal).then(
    () => [],
    (err: unknown) => [err instanceof Error ? err.message.replace(/^[a-z/-]+: /, '') : String(err)],
  );
  const bytesIn = wanted.details.streams
    .filter(({ what }) => what !== 'globals')
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const needed = method.by === 'rename' ? wanted.details.database.bytes : 3 * bytesIn;
  return {
    place: describePlace(connection, wanted.database),
    method: method.says,
    items: wanted.whole ? [wholeItem(wanted, place)] : itemsOf(wanted, place, seen.counts),
    bytesIn,
    freeNeededBytes: needed,
    freeAvailableBytes: await freeBytes(connection, place.dataDirectory),
    lost: {
      // Only of LightRAG's rows is it known which of them tell when they came.
      rows: place.survey && !wanted.whole ? seen.laterRows : null,
      examples: seen.examples.slice(0, shownExamples),
    },
    warnings: [...method.warnings, ...warningsOf(method.by, seen)],
    blockers: [...method.blockers, ...clients],
  };
}

const wholeItem = ({ details, database }: Wanted, place: SeenPlace): ComponentPlan['items'][number] => ({
  name: database,
  action: place.live ? 'replace' : 'add',
  reason: 'the whole database, as of the point',
  oldBytes: place.survey?.tables ? (place.facts?.bytes ?? null) : null,
  newBytes: details.database.bytes,
});

type Seen = {
  counts: TableCount[];
  laterRows: number;
  examples: string[];
  indexes: string[];
  triggers: string[];
};

function warningsOf(by: 'rename' | 'tables', { indexes, triggers }: Seen): string[] {
  const named = indexes.slice(0, 3).join(', ');
  return [
    ...(indexes.length === 0
      ? []
      : by === 'rename'
        ? [`${indexes.length} indexes of vectors (${named}) are built anew, which can take longer than all else`]
        : [`indexes of vectors (${named}) take every changed row one by one, within the exchange`]),
    ...(by === 'tables' && triggers.length > 0
      ? [`triggers fire while rows are exchanged: ${triggers.join(', ')}`]
      : []),
  ];
}

function itemsOf(wanted: Wanted, place: SeenPlace, counts: readonly TableCount[]): ComponentPlan['items'] {
  const { details } = wanted;
  const items: ComponentPlan['items'][number][] = [];
  const seen = new Set<string>();
  const sum = (one: TableCount | undefined): number =>
    Object.values(one?.workspaces ?? {}).reduce((total, rows) => total + rows, 0);
  for (const point of pointTables(wanted)) {
    const { target } = point;
    seen.add(qualified(target));
    const live = counts.find(({ schema, name }) => schema === target.schema && name === target.name);
    const old = place.survey?.tables.find(({ schema, name }) => schema === target.schema && name === target.name);
    const size = details.tables.find(({ schema, name }) => schema === point.schema && name === point.name)?.bytes;
    items.push({
      name: `${target.schema}.${target.name}`,
      action: live || old ? 'replace' : 'add',
      reason: wanted.workspace
        ? `rows of the workspace ${wanted.workspace.from}${wanted.workspace.from === wanted.workspace.to ? '' : `, as ${wanted.workspace.to}`}`
        : 'rows of the point',
      oldBytes: wanted.workspace ? null : (old?.bytes ?? null),
      newBytes: wanted.workspace ? null : (size ?? null),
      oldRows: live ? sum(live) : place.survey ? 0 : null,
      newRows: point.rows,
    });
  }
  for (const live of counts)
    if (!seen.has(qualified(live)) && sum(live) > 0)
      items.push({
        name: `${live.schema}.${live.name}`,
        action: 'remove',
        reason: 'it came after the point, which has no rows of it',
        oldBytes: null,
        newBytes: null,
        oldRows: sum(live),
        newRows: 0,
      });
  const foreign = place.survey?.foreign.relations ?? [];
  if (foreign.length > 0)
    items.push({
      name: foreign
        .slice(0, shownExamples)
        .map(({ schema, name }) => `${schema}.${name}`)
        .join(', '),
      action: 'keep',
      reason: `${foreign.length} relations are not LightRAG’s`,
      oldBytes: null,
      newBytes: null,
    });
  return items;
}

/** Only of a server on this machine, and only where its folder can be seen. */
async function freeBytes(connection: PostgresConnection, folder: string | undefined): Promise<number | null> {
  const here = connection.host.startsWith('/') || ['localhost', '127.0.0.1', '::1'].includes(connection.host);
  if (!here || folder === undefined) return null;
  return statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  );
}
