import { expect, test } from 'vitest';
import type { PostgresDetails } from '../../sources/postgres/details.ts';
import { decideMethod, type Place } from './method.ts';
import { placesOf } from './names.ts';
import type { Wanted } from './scope.ts';

const nothing = { relations: [], schemas: [], functions: 0, types: 0, largeObjects: 0, others: [] };

const alone = { owner: 'rag', foreign: nothing };

function wantedOf(more: Partial<Wanted> = {}, details: Partial<PostgresDetails> = {}): Wanted {
  return {
    database: 'rag',
    aside: false,
    whole: false,
    workspace: undefined,
    places: placesOf('op_1', 'rag'),
    ...more,
    details: {
      version: 1,
      holds: 'database',
      workspace: null,
      streams: [{ name: 'archive', what: 'archive', bytes: 1, sha256: null, tree: '' }],
      client_version: '15.1',
      server: { version: '15.1', major: 15 },
      place: { host: 'h', port: 5432 },
      database: {
        name: 'rag',
        owner: 'rag',
        encoding: 'UTF8',
        collate: 'C',
        ctype: 'C',
        locale_provider: null,
        icu_locale: null,
        connection_limit: -1,
        comment: null,
        acl: null,
        settings: [],
        bytes: 1,
      },
      moment: { at: '', lsn: null, snapshot: '' },
      extensions: [{ name: 'vector', version: '0.8', schema: 'public' }],
      tables: [],
      graphs: [],
      foreign: { relations: [], schemas: [], functions: 0, types: 0, large_objects: 0, others: [] },
      roles: ['rag'],
      ...details,
    },
  };
}

/** @param live 'gone': there is no such database */
function placeOf(more: Partial<Place['rights']> = {}, live: Place['live'] | 'gone' = alone): Place {
  return {
    server: { major: 15, version: '15.1' },
    rights: {
      superuser: false,
      mayCreateDatabases: true,
      roles: new Set(['rag']),
      allRoles: new Set(['rag', 'postgres']),
      extensions: new Map([['vector', { versions: ['0.8'], trusted: true }]]),
      ...more,
    },
    live: live === 'gone' ? undefined : live,
  };
}

test.each<[string, Wanted, Place, { by: string; warns?: RegExp; blocks?: RegExp }]>([
  ['a database that is LightRAG’s alone', wantedOf(), placeOf(), { by: 'rename' }],
  [
    'one with a table of somebody else',
    wantedOf(),
    placeOf({}, { owner: 'rag', foreign: { ...nothing, relations: [{ schema: 'public', name: 'x', kind: 'r' }] } }),
    { by: 'tables', warns: /not LightRAG’s \(public\.x\)/ },
  ],
  [
    'without the right to make databases',
    wantedOf(),
    placeOf({ mayCreateDatabases: false }),
    { by: 'tables', warns: /may not create databases/ },
  ],
  [
    'a database of somebody else',
    wantedOf(),
    placeOf({}, { owner: 'postgres', foreign: nothing }),
    { by: 'tables', warns: /belongs to postgres/ },
  ],
  [
    'owners that we may not act as',
    wantedOf({}, { roles: ['rag', 'postgres'] }),
    placeOf(),
    { by: 'tables', warns: /may not act as/ },
  ],
  [
    'an extension that the server lacks',
    wantedOf(),
    placeOf({ extensions: new Map() }),
    { by: 'tables', warns: /lacks the extension vector/ },
  ],
  [
    'an extension for superusers',
    wantedOf(),
    placeOf({ extensions: new Map([['vector', { versions: ['0.8'], trusted: false }]]) }),
    { by: 'tables', warns: /only a superuser/ },
  ],
  [
    'a point of a newer server',
    wantedOf({}, { server: { version: '17.2', major: 17 } }),
    placeOf(),
    { by: 'tables', warns: /rows only go back/ },
  ],
  [
    'a point of LightRAG’s relations',
    wantedOf({}, { holds: 'lightrag' }),
    placeOf(),
    { by: 'tables', warns: /relations alone/ },
  ],
  [
    'the database of the server itself',
    wantedOf({ database: 'postgres' }),
    placeOf(),
    { by: 'tables', warns: /server itself/ },
  ],
  ['one workspace', wantedOf({ workspace: { from: 'a', to: 'b' } }), placeOf(), { by: 'tables' }],
  ['a database that is gone', wantedOf(), placeOf({}, 'gone'), { by: 'rename' }],
  [
    'one that is gone, of a newer server',
    wantedOf({}, { server: { version: '17.2', major: 17 } }),
    placeOf({}, 'gone'),
    { by: 'rename', blocks: /does not understand/ },
  ],
  [
    'one that is gone, with roles that are gone too',
    wantedOf({}, { roles: ['gone'] }),
    placeOf({}, 'gone'),
    { by: 'rename', warns: /owners and rights/ },
  ],
  [
    'one workspace of one that is gone',
    wantedOf({ workspace: { from: 'a', to: 'a' } }),
    placeOf({}, 'gone'),
    { by: 'tables', blocks: /there is no database/ },
  ],
  ['beside, under a name that is taken', wantedOf({ aside: true }), placeOf(), { by: 'rename', blocks: /already/ }],
  ['beside', wantedOf({ aside: true }), placeOf({}, 'gone'), { by: 'rename' }],
  [
    'one workspace beside',
    wantedOf({ aside: true, workspace: { from: 'a', to: 'a' } }),
    placeOf({}, 'gone'),
    { by: 'rename', blocks: /another name/ },
  ],
])('%s', (_, wanted, place, expected) => {
  const method = decideMethod(wanted, place);
  expect(method.by).toBe(expected.by);
  expect(method.warnings.join('\n')).toMatch(expected.warns ?? /^$/);
  expect(method.blockers.join('\n')).toMatch(expected.blocks ?? /^$/);
});

test('names in a server carry the operation and fit, however long the name of the database is', () => {
  const operation = `op_${'0123456789abcdefghjkmnpqrs'}`;
  for (const database of ['rag', 'x'.repeat(63), 'ä'.repeat(31)]) {
    const places = placesOf(operation, database);
    for (const name of [places.fresh, places.former, places.stagingSchema, places.formerSchema]) {
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
      expect(name.endsWith('0123456789abcdefghjkmnpqrs')).toBe(true);
    }
    expect(places.former.startsWith(places.formerPrefix)).toBe(true);
  }
});

test('a database that is the target’s as a whole goes back by rename whatever lies in it, and never table by table', () => {
  const foreign = { ...nothing, relations: [{ schema: 'public', name: 'note', kind: 'r' }] };
  const live = { owner: 'rag', foreign };
  expect(decideMethod(wantedOf(), placeOf({}, live)).by).toBe('tables');
  expect(decideMethod(wantedOf({ whole: true }), placeOf({}, live))).toMatchObject({ by: 'rename', blockers: [] });
  const without = placeOf({ mayCreateDatabases: false }, live);
  expect(decideMethod(wantedOf({ whole: true }), without).blockers.join()).toMatch(
    /as a whole only.*may not create databases/,
  );
});
