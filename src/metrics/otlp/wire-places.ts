import type { Reader } from 'protobufjs/light.js';

/** Where a message stands among the bytes. */
export type Place = { readonly from: number; readonly to: number };

/** A field whose length is told, as the wire has its number and its kind in one. The numbers are those of otlp-messages. */
export const delimited = (id: number): number => id * 8 + 2;
export const fixed64 = (id: number): number => id * 8 + 1;
export const varint = (id: number): number => id * 8;

/** The place of the message that comes next, which is passed over. */
export function placeHere(reader: Reader): Place {
  const length = reader.size();
  const from = reader.pos;
  reader.pos = from + length;
  return { from, to: from + length };
}

/** The places of all messages of one field in another message. Whoever takes one may read on anywhere. */
export function* placesOf(reader: Reader, { from, to }: Place, field: number): Generator<Place> {
  for (let at = from; at < to; at = reader.pos) {
    reader.pos = at;
    const tag = reader.tag();
    if (tag !== field) {
      reader.skipType(tag & 7, 0, tag >>> 3);
      continue;
    }
    const place = placeHere(reader);
    yield place;
    reader.pos = place.to;
  }
}

/** What says of a sum how to take its points, which stand before it. */
export function readSum(reader: Reader, { from, to }: Place): { aggregationTemporality: number; isMonotonic: boolean } {
  let aggregationTemporality = 0;
  let isMonotonic = false;
  reader.pos = from;
  while (reader.pos < to) {
    const tag = reader.tag();
    if (tag === varint(2)) aggregationTemporality = reader.int32();
    else if (tag === varint(3)) isMonotonic = reader.bool();
    else reader.skipType(tag & 7, 0, tag >>> 3);
  }
  return { aggregationTemporality, isMonotonic };
}

/** A point with one number, read over and over into the same object. */
export type WirePoint = {
  startNano: number;
  timeNano: number;
  /** NaN when there is none. */
  value: number;
  flags: number;
  /** From the first of its attributes to the last. When something else stands between them, these bytes are not of them alone. */
  attributes: { from: number; to: number };
  areTogether: boolean;
};

export const emptyPoint = (): WirePoint => ({
  ...{ startNano: 0, timeNano: 0, value: Number.NaN, flags: 0, attributes: { from: 0, to: 0 }, areTogether: true },
});

export function readPoint(reader: Reader, { from, to }: Place, point: WirePoint): void {
  const { attributes } = point;
  point.startNano = 0;
  point.timeNano = 0;
  point.value = Number.NaN;
  point.flags = 0;
  point.areTogether = true;
  attributes.from = from;
  attributes.to = from;
  reader.pos = from;
  while (reader.pos < to) {
    const at = reader.pos;
    const tag = reader.tag();
    switch (tag) {
      case delimited(7): {
        if (attributes.to === attributes.from) attributes.from = at;
        else if (attributes.to !== at) point.areTogether = false;
        reader.skip(reader.size());
        attributes.to = reader.pos;
        break;
      }
      case fixed64(2):
        point.startNano = readFixed64(reader);
        break;
      case fixed64(3):
        point.timeNano = readFixed64(reader);
        break;
      // One of the two; of both the later one.
      case fixed64(4):
        point.value = reader.double();
        break;
      case fixed64(6): {
        const low = reader.fixed32();
        point.value = reader.sfixed32() * 2 ** 32 + low;
        break;
      }
      case varint(8):
        point.flags = reader.uint32();
        break;
      default:
        reader.skipType(tag & 7, 0, tag >>> 3);
    }
  }
}

/** The nearest number, as the library has it without making an object of it. */
function readFixed64(reader: Reader): number {
  const low = reader.fixed32();
  return reader.fixed32() * 2 ** 32 + low;
}
