import { describeForeign, type Foreign } from '../../postgres/survey.ts';
import type { PostgresDetails } from '../../sources/postgres/details.ts';
import { ownersCanBeKept } from './rename.ts';
import { archiveOf, type Wanted } from './scope.ts';
import type { Rights } from './server-store.ts';

/** What is there now. `database` undefined: there is none of that name. */
export type Place = {
  readonly server: { readonly major: number; readonly version: string };
  readonly rights: Rights;
  readonly live: { readonly owner: string; readonly foreign: Foreign } | undefined;
};

export type Method = {
  readonly by: 'rename' | 'tables';
  /** One sentence. */
  readonly says: string;
  readonly warnings: readonly string[];
  readonly blockers: readonly string[];
};

const systemDatabases = new Set(['postgres', 'template0', 'template1']);

/** By rename where the whole database is LightRAG's and we may; else table by table. What is impossible either way stands in `blockers`. */
export function decideMethod(wanted: Wanted, place: Place): Method {
  const { details } = wanted;
  const whole = whyNotWhole(details, place);
  if (wanted.aside) {
    if (wanted.workspace)
      return blocked('rename', 'one workspace goes beside the live one under another name, not into another database');
    if (systemDatabases.has(wanted.database) || place.live)
      return blocked('rename', `there is a database ${wanted.database} already`);
    return {
      by: 'rename',
      says: 'a new database of this name is filled',
      warnings: owners(details, place),
      blockers: whole,
    };
  }
  if (!place.live) {
    if (wanted.workspace)
      return blocked('tables', `there is no database ${wanted.database}: make it, and let LightRAG make its tables`);
    return {
      by: 'rename',
      says: 'the database is not there and is made anew',
      warnings: owners(details, place),
      blockers: whole,
    };
  }
  if (wanted.workspace)
    return tables(
      wanted,
      place,
      `the rows of the workspace ${wanted.workspace.to} are exchanged in one transaction`,
      [],
    );
  const why = [...whyNotRename(wanted, place), ...whole];
  if (why.length > 0 && wanted.whole)
    return blocked('rename', `the database goes back as a whole only, and cannot be exchanged: ${why.join('; ')}`);
  if (why.length > 0)
    return tables(wanted, place, 'the rows of LightRAG’s tables are exchanged in one transaction', [
      `not by rename of a new database: ${why.join('; ')}`,
    ]);
  return { by: 'rename', says: 'a new database is filled and takes the name', warnings: [], blockers: [] };
}

const blocked = (by: Method['by'], reason: string): Method => ({ by, says: reason, warnings: [], blockers: [reason] });

function tables(wanted: Wanted, place: Place, says: string, warnings: readonly string[]): Method {
  const { details } = wanted;
  const noStream = !details.streams.some(({ what }) => what === 'archive' || what === 'rows');
  return {
    by: 'tables',
    says,
    warnings: [
      ...warnings,
      ...(details.server.major > place.server.major
        ? [
            `the point is of PostgreSQL ${details.server.version}, the server is ${place.server.version}: rows only go back`,
          ]
        : []),
    ],
    blockers: noStream ? ['the point holds no rows of the database'] : [],
  };
}

const owners = (details: PostgresDetails, { rights }: Place): string[] =>
  ownersCanBeKept(details, rights)
    ? []
    : ['owners and rights inside it are not brought back: the roles are not there, or we may not act as them'];

function whyNotWhole(details: PostgresDetails, { server, rights }: Place): string[] {
  const missing = details.extensions.filter(({ name }) => !rights.extensions.has(name));
  const untrusted = details.extensions.filter(
    ({ name }) => name !== 'plpgsql' && !rights.superuser && rights.extensions.get(name)?.trusted === false,
  );
  return [
    ...(archiveOf(details) ? [] : ['the point holds no dump of the whole database']),
    ...(rights.mayCreateDatabases ? [] : ['our role may not create databases']),
    ...(details.server.major > server.major
      ? [`the point is of PostgreSQL ${details.server.version}, whose dump ${server.version} does not understand`]
      : []),
    ...(missing.length > 0 ? [`the server lacks the extension ${missing.map(({ name }) => name).join(', ')}`] : []),
    ...(untrusted.length > 0
      ? [`only a superuser may make the extension ${untrusted.map(({ name }) => name).join(', ')}`]
      : []),
  ];
}

function whyNotRename({ database, details, whole }: Wanted, { rights, live }: Place): string[] {
  const foreign = live && !whole ? describeForeign(live.foreign) : [];
  return [
    ...(systemDatabases.has(database) ? [`${database} belongs to the server itself`] : []),
    ...(details.holds === 'database' ? [] : ['the point holds LightRAG’s relations alone']),
    ...(foreign.length > 0 ? [`the database holds what is not LightRAG’s (${foreign.join('; ')})`] : []),
    ...(live && !rights.superuser && !rights.roles.has(live.owner) ? [`the database belongs to ${live.owner}`] : []),
    ...(ownersCanBeKept(details, rights) ? [] : ['we may not act as all roles that own something in it']),
  ];
}
