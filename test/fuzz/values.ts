import fc from 'fast-check';
import type { JsonSchema } from '../../src/platform/http/json-schema.ts';

/** JSON as text: much of what is hostile (1e400, half a character, a key twice) is no value of JavaScript. */
export type JsonText = string;

const text = (value: unknown): JsonText => JSON.stringify(value) ?? 'null';

/** Strings that have broken parsers, databases, shells and templates before. */
export const hostileStrings: readonly string[] = [
  '',
  ' ',
  'a'.repeat(300),
  'a'.repeat(17_000),
  '\0',
  'a\0b',
  '\ud800',
  'a\udfffb',
  '\u202e\ufeff\u200b',
  '😀'.repeat(60),
  'İıſß',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'undefined',
  'NaN',
  '-Infinity',
  '9007199254740993',
  '1e400',
  '-0',
  '0x10',
  '1,2',
  '../../../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  '/etc/passwd',
  '.',
  '..',
  '~root',
  'file:///etc/passwd',
  'http://169.254.169.254/latest/meta-data/',
  "'; drop table event; --",
  '" or 1=1 --',
  '%',
  '_%',
  '$(id)',
  '`id`',
  '|id',
  '-rf',
  '--help',
  '{{7*7}}',
  '#{7*7}',
  '<script>alert(1)</script>',
  'a\r\nset-cookie: x=1',
  '\u0085\u2028',
  '1'.repeat(400),
];

/** The few that are tried in every place that takes a value. */
export const worstStrings: readonly string[] = [
  '',
  '\0',
  'a\ud800b',
  'a'.repeat(17_000),
  '__proto__',
  '../../../etc/passwd',
  '9007199254740993',
  '1e400',
  '-1',
  "' or 1=1 --",
  'a\r\nset-cookie: x=1',
];
export const worstJson: readonly JsonText[] = [
  'null',
  '[]',
  '{}',
  '1e400',
  '-1',
  '9007199254740993',
  'true',
  '"\\ud800"',
  '"\\u0000"',
  '{"__proto__":{"admin":true}}',
  '[[[[]]]]',
];

/** What may stand where a value is expected, as JSON text. */
const hostileJson: readonly JsonText[] = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e400',
  '-1e400',
  '9007199254740993',
  '1e-400',
  '""',
  '[]',
  '{}',
  '[[[]]]',
  '[null]',
  '{"":""}',
  '{"__proto__":{"admin":true}}',
  '{"constructor":{"prototype":{"admin":true}}}',
  '{"then":1}',
  '{"toJSON":1}',
  '"\\ud800"',
  '"\\u0000"',
  '{"a":1,"a":2}',
  '['.repeat(60) + ']'.repeat(60),
  `[${'0,'.repeat(2_000)}0]`,
];

/** Bodies that are no JSON, or none that is read. */
export const hostileBodies: readonly (string | Buffer)[] = [
  '{',
  '}',
  '{"a":}',
  '{"a":1,}',
  "{'a':1}",
  'NaN',
  'Infinity',
  'undefined',
  '\ufeff{}',
  '{}{}',
  '[1,2',
  '"unended',
  `${'['.repeat(100_000)}`,
  `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  `{"a":"${'x'.repeat(1_100_000)}"}`,
  '{"__proto__":null}',
  '{"a":1,"a":2}',
  '{"\\u0061":1,"a":2}',
  Buffer.from([0xff, 0xfe, 0x00]),
  Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]),
  'a=1&b=2',
  '<xml/>',
  ' ',
  // Some routes need no body, so this may be right; whoever goes through them in order ends with it.
  '',
];

export const hostileString = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...hostileStrings) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);
const hostileValue: fc.Arbitrary<JsonText> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hostileJson) },
  { weight: 3, arbitrary: hostileString.map(text) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }).map(text) },
);

const smallValue: fc.Arbitrary<JsonText> = fc.jsonValue({ maxDepth: 2 }).map(text);

/** Follows the references of a document. */
export type Resolve = (schema: JsonSchema) => JsonSchema;

const asList = (value: unknown): JsonSchema[] => (Array.isArray(value) ? (value as JsonSchema[]) : []);
const numberOr = (value: unknown, fallback: number): number => (typeof value === 'number' ? value : fallback);

/** What a schema takes, as JSON text. A pattern that no generator reads gives any string: then it is near to valid. */
export function validJson(schema: JsonSchema, resolve: Resolve): fc.Arbitrary<JsonText> {
  const found = resolve(schema);
  const choices = [...asList(found.anyOf), ...asList(found.oneOf)];
  if (choices.length > 0) return fc.oneof(...choices.map((choice) => validJson(choice, resolve)));
  if (Array.isArray(found.enum)) return fc.constantFrom(...found.enum).map(text);
  if ('const' in found) return fc.constant(text(found.const));
  switch (found.type) {
    case 'string':
      return validString(found).map(text);
    case 'integer':
      return fc.integer({ min: numberOr(found.minimum, -5), max: numberOr(found.maximum, 1_000_000) }).map(text);
    case 'number':
      return fc
        .double({ min: numberOr(found.minimum, -5), max: numberOr(found.maximum, 1e9), noNaN: true })
        .map((value) => text(Object.is(value, -0) ? 0 : value));
    case 'boolean':
      return fc.boolean().map(text);
    case 'null':
      return fc.constant('null');
    case 'array':
      return fc
        .array(validJson((found.items as JsonSchema | undefined) ?? {}, resolve), { maxLength: 4 })
        .map((items) => `[${items.join(',')}]`);
    case 'object':
      return validMembers(found, resolve).map(objectText);
    default:
      return smallValue;
  }
}

/** What was made before, by what it was made from: fast-check works out anew for each what strings to begin with, a fifth of the time of all requests. */
const strings = new Map<string, fc.Arbitrary<string>>();

export function validString({ enum: words, format, pattern, minLength, maxLength }: JsonSchema): fc.Arbitrary<string> {
  const key = JSON.stringify([words, format, pattern, minLength, maxLength]);
  const made = strings.get(key) ?? makeString({ enum: words, format, pattern, minLength, maxLength });
  strings.set(key, made);
  return made;
}

function makeString(schema: JsonSchema): fc.Arbitrary<string> {
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum).map(String);
  if (schema.format === 'date-time')
    return fc
      .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
      .map((at) => at.toISOString());
  if (typeof schema.pattern === 'string') {
    try {
      return fc.stringMatching(new RegExp(schema.pattern));
    } catch {
      // Fall through: what is left is a string of the right length.
    }
  }
  const minLength = numberOr(schema.minLength, 0);
  return fc.string({ minLength, maxLength: Math.min(numberOr(schema.maxLength, 30), minLength + 30) });
}

type Members = readonly (readonly [name: string, value: JsonText])[];
const objectText = (members: Members): JsonText =>
  `{${members.map(([name, value]) => `${text(name)}:${value}`).join(',')}}`;

function validMembers(schema: JsonSchema, resolve: Resolve): fc.Arbitrary<Members> {
  const { properties = {}, required = [] } = schema;
  const members = Object.entries(properties).map(([name, property]) => {
    const member = validJson(property, resolve).map((value) => [name, value] as const);
    return required.includes(name) ? member : fc.option(member, { nil: undefined, freq: 2 });
  });
  return fc
    .tuple(...members)
    .map((found) => found.filter((member): member is readonly [string, string] => member !== undefined));
}

/** Right but for one thing: a member too many, missing, twice, or wrong. */
export function nearJson(schema: JsonSchema, resolve: Resolve): fc.Arbitrary<JsonText> {
  const found = resolve(schema);
  const object = [found, ...asList(found.anyOf).map(resolve)].find((one) => one.type === 'object');
  if (!object) return hostileValue;
  return fc
    .tuple(
      validMembers(object, resolve),
      fc.nat(),
      hostileValue,
      hostileString,
      fc.constantFrom('drop', 'add', 'twice', 'wrong'),
    )
    .map(([members, at, value, name, change]) => {
      const names = Object.keys(object.properties ?? {});
      const chosen = names[at % Math.max(1, names.length)] ?? name;
      const others = members.filter(([known]) => known !== chosen);
      if (change === 'drop')
        return objectText(members.filter((_, index) => index !== at % Math.max(1, members.length)));
      if (change === 'add') return objectText([...members, [name, value]]);
      if (change === 'twice') return objectText([...members, ...members.slice(0, 1), [chosen, value], [chosen, value]]);
      return objectText([...others, [chosen, value]]);
    });
}

export const anyJson = hostileValue;
