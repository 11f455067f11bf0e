import fc from 'fast-check';
import type { JsonSchema } from '../../src/platform/http/json-schema.ts';
import type { ApiDocument, ApiOperation, ApiParameter } from '../../src/platform/http/openapi.ts';
import {
  anyJson,
  hostileBodies,
  hostileString,
  nearJson,
  type Resolve,
  validJson,
  validString,
  worstJson,
  worstStrings,
} from './values.ts';

export type Caller = 'admin' | 'user' | 'service' | 'scrape' | 'stranger' | 'forged' | 'session';

export type FuzzRequest = {
  readonly caller: Caller;
  readonly method: string;
  /** As it goes over the wire. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | undefined;
};

export type Described = {
  readonly path: string;
  readonly method: string;
  readonly operation: ApiOperation;
};

export const operationsOf = (document: ApiDocument): Described[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

export const resolverOf =
  (document: ApiDocument): Resolve =>
  (schema) => {
    const name = schema.$ref?.split('/').at(-1);
    return name === undefined ? schema : (document.components.schemas[name] ?? {});
  };

/** Percent-encoded byte by byte, so that half a character can be sent too. */
const encode = (value: string): string =>
  [...Buffer.from(value, 'utf8')]
    .map((byte) =>
      /[A-Za-z0-9._~-]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, '0')}`,
    )
    .join('');

/** Path segments that are no encoding, leave their place, or mean another one. */
const rawSegments = [
  '%',
  '%zz',
  '%E0%A4%A',
  '%00',
  '%2e%2e',
  '%2F',
  '..%2F..%2F',
  '..%5c',
  '%252e',
  ';x=1',
  '*',
  'a%0d%0ab',
];

/** Ids of things that are there, by the part of the path before them, so that requests get beyond "there is no such thing". */
export type KnownIds = Readonly<Record<string, readonly string[]>>;

const before = (path: string, name: string): string => path.split(`/{${name}}`)[0]?.split('/').at(-1) ?? '';

function segmentOf(path: string, parameter: ApiParameter, known: KnownIds): fc.Arbitrary<string> {
  const there = known[before(path, parameter.name)] ?? [];
  return fc.oneof(
    ...(there.length > 0 ? [{ weight: 4, arbitrary: fc.constantFrom(...there).map(encode) }] : []),
    { weight: 2, arbitrary: validString(parameter.schema).map(encode) },
    { weight: 3, arbitrary: hostileString.map(encode) },
    { weight: 1, arbitrary: fc.constantFrom(...rawSegments) },
  );
}

const plain = (json: string): string => {
  const value: unknown = JSON.parse(json);
  return typeof value === 'string' ? value : json;
};

/** Query strings: right ones, wrong ones, names twice, names of nobody. */
function queryOf(parameters: readonly ApiParameter[], resolve: Resolve): fc.Arbitrary<string> {
  const pairs = parameters.map((parameter) =>
    fc.option(
      fc
        .oneof(
          { weight: 3, arbitrary: validJson(parameter.schema, resolve).map(plain) },
          { weight: 1, arbitrary: hostileString },
        )
        .map((value) => `${encode(parameter.name)}=${encode(value)}`),
      { nil: undefined, freq: 2 },
    ),
  );
  const strange = fc.oneof(
    { weight: 8, arbitrary: fc.constant('') },
    {
      weight: 1,
      arbitrary: fc.tuple(hostileString, hostileString).map(([name, value]) => `${encode(name)}=${encode(value)}`),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '&&&',
        '=',
        '%',
        'a[]=1',
        '__proto__[x]=1',
        '?',
        ...parameters.map(({ name }) => `${name}=1&${name}=2`),
      ),
    },
  );
  return fc
    .tuple(strange, ...pairs)
    .map(([odd, ...found]) => [...found, odd].filter((pair) => pair !== undefined && pair !== '').join('&'));
}

/** What a header can carry at all; the client refuses to send the rest. */
const headerSafe = (value: string): string =>
  Buffer.from(value, 'utf8')
    .toString('latin1')
    .replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
    .slice(0, 6_000);

const headerValues: Readonly<Record<string, readonly string[]>> = {
  prefer: ['wait=0', 'wait=-1', 'wait=1e9', 'wait=99999999999999999999', 'respond-async, wait=0', 'wait', 'wait="0"'],
  'idempotency-key': ['k1', 'k2', 'a key with spaces', 'x'.repeat(256), '"k1"'],
  'last-event-id': ['0', '1', '-1', '999999999999999', 'end', '1e3', 'x'.repeat(300)],
  'if-none-match': ['*', '"x"', 'W/"x"', '"', 'x'],
  'if-match': ['*', '"x"', 'W/"x"', '"', 'x'],
  accept: [
    '*/*',
    'text/html',
    'application/json',
    'application/xml',
    '*/*;q=0',
    ';;;',
    'text/plain;version=0.0.4',
    'x'.repeat(4_000),
  ],
  'content-encoding': ['gzip', 'identity'],
  'x-request-id': ['mine-1', '<script>', 'x'.repeat(200)],
  'x-api-key': ['rw_nobody', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.', ''],
  cookie: ['rw_session=x', 'rw_session=x; rw_session=y', '=', 'a'.repeat(4_000)],
  'x-http-method-override': ['DELETE'],
  'x-forwarded-for': ['127.0.0.1', 'x'],
  'x-original-url': ['/api/v1/access/tokens'],
  range: ['bytes=0-1'],
  expect: ['100-continue'],
};

function headersOf(operation: ApiOperation): fc.Arbitrary<Record<string, string>> {
  const told = (operation.parameters ?? []).filter((one) => one.in === 'header').map(({ name }) => name.toLowerCase());
  const header = fc
    .constantFrom(...Object.keys(headerValues), ...told, ...told, ...told)
    .chain((name) =>
      fc
        .oneof(
          { weight: 4, arbitrary: fc.constantFrom(...(headerValues[name] ?? ['x'])) },
          { weight: 1, arbitrary: name === 'expect' ? fc.constant('100-continue') : hostileString.map(headerSafe) },
        )
        .map((value) => [name, value] as const),
    );
  return fc.array(header, { maxLength: 3 }).map((found) => Object.fromEntries(found));
}

const contentTypes = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/json;;;',
  'application/problem+json',
  'nonsense',
  '',
];

function bodyOf(
  described: Described,
  resolve: Resolve,
): fc.Arbitrary<{ readonly body: string | Buffer | undefined; readonly type: string | undefined }> {
  if (described.method === 'GET') return fc.constant({ body: undefined, type: undefined });
  const schema: JsonSchema = described.operation.requestBody?.content['application/json']?.schema ?? {};
  const json = fc.oneof(
    { weight: 4, arbitrary: validJson(schema, resolve) },
    { weight: 5, arbitrary: nearJson(schema, resolve) },
    { weight: 2, arbitrary: anyJson },
  );
  return fc.oneof(
    { weight: 8, arbitrary: json.map((body) => ({ body, type: 'application/json' })) },
    { weight: 1, arbitrary: fc.constant({ body: undefined, type: undefined }) },
    { weight: 2, arbitrary: fc.constantFrom(...hostileBodies).map((body) => ({ body, type: 'application/json' })) },
    { weight: 1, arbitrary: fc.tuple(json, fc.constantFrom(...contentTypes)).map(([body, type]) => ({ body, type })) },
  );
}

/** A request to one operation: from a right one of its admins to one that nothing of which is right. */
export function requestOf(
  described: Described,
  resolve: Resolve,
  known: KnownIds,
  callers: fc.Arbitrary<Caller>,
): fc.Arbitrary<FuzzRequest> {
  const parameters = described.operation.parameters ?? [];
  const inPath = parameters.filter((one) => one.in === 'path');
  return fc
    .record({
      caller: callers,
      segments: fc.tuple(...inPath.map((parameter) => segmentOf(described.path, parameter, known))),
      query: queryOf(
        parameters.filter((one) => one.in === 'query'),
        resolve,
      ),
      headers: headersOf(described.operation),
      content: bodyOf(described, resolve),
      head: fc.boolean(),
    })
    .map(({ caller, segments, query, headers, content, head }) => {
      let path = described.path;
      inPath.forEach(({ name }, index) => {
        path = path.replace(`{${name}}`, () => segments[index] ?? '');
      });
      return {
        caller,
        method: described.method === 'GET' && head && query === '' ? 'HEAD' : described.method,
        target: query === '' ? path : `${path}?${query}`,
        headers: {
          ...headers,
          ...(content.type === undefined ? {} : { 'content-type': content.type }),
        },
        body: content.body,
      };
    });
}

/** The worst in each place, one at a time, as somebody who may ask: chance alone would meet each only now and then. */
export function worstRequests(described: Described, resolve: Resolve, known: KnownIds): FuzzRequest[] {
  const { operation, method } = described;
  const parameters = operation.parameters ?? [];
  const inPath = parameters.filter((one) => one.in === 'path');
  const pathWith = (replaced?: { name: string; segment: string }): string =>
    inPath.reduce(
      (path, { name }) =>
        path.replace(`{${name}}`, () =>
          name === replaced?.name ? replaced.segment : encode(known[before(described.path, name)]?.[0] ?? 'x'),
        ),
      described.path,
    );
  const ask = (over: Partial<FuzzRequest>): FuzzRequest => ({
    caller: 'admin',
    method,
    target: pathWith(),
    headers: {},
    body: undefined,
    ...over,
  });
  const json = { 'content-type': 'application/json' };
  const found: FuzzRequest[] = [];
  for (const { name } of inPath)
    for (const segment of [...worstStrings.map(encode), ...rawSegments])
      found.push(ask({ target: pathWith({ name, segment }) }));
  for (const { name } of parameters.filter((one) => one.in === 'query'))
    for (const value of worstStrings) found.push(ask({ target: `${pathWith()}?${encode(name)}=${encode(value)}` }));
  for (const { name } of parameters.filter((one) => one.in === 'header'))
    for (const value of headerValues[name.toLowerCase()] ?? [])
      if (method === 'GET') found.push(ask({ headers: { [name.toLowerCase()]: value } }));
  if (method === 'GET') return found;
  const schema = resolve(operation.requestBody?.content['application/json']?.schema ?? {});
  const object = [schema, ...((schema.anyOf as JsonSchema[] | undefined) ?? []).map(resolve)].find(
    (one) => one.properties !== undefined,
  );
  for (const name of Object.keys(object?.properties ?? {}))
    for (const value of worstJson) found.push(ask({ headers: json, body: `{${JSON.stringify(name)}:${value}}` }));
  for (const body of hostileBodies) found.push(ask({ headers: json, body }));
  return found;
}
