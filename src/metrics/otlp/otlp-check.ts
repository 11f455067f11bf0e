import { isUtf8 } from 'node:buffer';
import type { Reader, Type } from 'protobufjs/light.js';
import type { OtlpProtobuf } from './otlp-protobuf.ts';

type Content = 'text' | 'list of varints' | 'list of doubles';
/** What has to be looked into, by the number of its field; every other one is only as long as it says. */
type Rules = {
  readonly delimited: { readonly [id: number]: Rules | Content | undefined };
  readonly varints: { readonly [id: number]: true | undefined };
};

const varintWire = 0;
const delimitedWire = 2;

/**
 * Throws for every body that is no message of this type, exactly where the library would, without making anything of it: points are
 * taken one by one after that, and a body that cannot be read must not be taken by half.
 */
export function createWireCheck(protobuf: OtlpProtobuf): (body: Uint8Array) => void {
  const request = rulesOf(protobuf.type('Request'), new Map());
  const { deepest } = protobuf;

  const checkMessage = (reader: Reader, end: number, rules: Rules, depth: number): void => {
    if (depth > deepest) throw new RangeError('messages lie in one another too deep');
    const outer = reader.len;
    if (end > outer) throw new RangeError('a message reaches beyond the one it is in');
    reader.len = end;
    while (reader.pos < end) {
      const tag = reader.tag();
      const wire = tag & 7;
      const id = tag >>> 3;
      const rule = wire === delimitedWire ? rules.delimited[id] : undefined;
      if (rule === undefined) {
        // An unknown one may have any length, one of ours ten bytes at most.
        if (wire === varintWire && rules.varints[id]) reader.bool();
        else reader.skipType(wire, depth, id);
        continue;
      }
      const length = reader.size();
      if (rule === 'text') checkText(reader, length);
      else if (typeof rule === 'string') checkList(reader, reader.pos + length, rule);
      else checkMessage(reader, reader.pos + length, rule, depth + 1);
    }
    if (reader.pos !== end) throw new RangeError('a field reaches beyond its message');
    reader.len = outer;
  };
  return (body) => checkMessage(protobuf.reader(body), body.length, request, 0);
}

/** Nearly all texts are plain, and shorter than what a call of a decoder costs. */
function checkText(reader: Reader, length: number): void {
  const { buf, pos: from } = reader;
  reader.skip(length);
  const to = from + length;
  let at = from;
  while (at < to && buf[at]! < 0x80) at += 1;
  if (at < to && !isUtf8(buf.subarray(at, to))) throw new TypeError('a text is not in UTF-8');
}

function checkList(reader: Reader, end: number, of: Exclude<Content, 'text'>): void {
  const outer = reader.len;
  if (end > outer) throw new RangeError('a list reaches beyond its message');
  reader.len = end;
  while (reader.pos < end)
    if (of === 'list of varints') reader.bool();
    else reader.skip(8);
  reader.len = outer;
}

function rulesOf(type: Type, known: Map<Type, Rules>): Rules {
  const before = known.get(type);
  if (before !== undefined) return before;
  const delimited: { [id: number]: Rules | Content } = {};
  const varints: { [id: number]: true } = {};
  const rules = { delimited, varints };
  // Before its fields, since a value may hold values.
  known.set(type, rules);
  for (const field of type.fieldsArray) {
    const { resolvedType, repeated, id } = field.resolve();
    const isVarint = /^(bool|s?u?int(32|64))$/.test(field.type);
    if (isVarint) varints[id] = true;
    // The descriptor has no enumerations.
    if (resolvedType !== null) delimited[id] = rulesOf(resolvedType as Type, known);
    else if (field.type === 'string') delimited[id] = 'text';
    else if (repeated) delimited[id] = isVarint ? 'list of varints' : 'list of doubles';
  }
  return rules;
}
