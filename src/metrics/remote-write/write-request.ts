/// <reference path="./snappyjs.d.ts" />
import protobuf from 'protobufjs/minimal.js';
import snappy from 'snappyjs';
import type { MetricType } from '../series.ts';

/** One line of the exposition with its instants, on its way to a store. */
export type WrittenSeries = {
  readonly name: string;
  /** Names and values by turns; empty values are the same as no label. */
  readonly labels: readonly string[];
  readonly samples: readonly WrittenSample[];
};
/** `stale`: the series ended here. */
export type WrittenSample = { readonly atMs: number; readonly value: number | 'stale' };

export type WrittenMetadata = {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string | undefined;
};

/** The NaN that means "no more of it" and not "not a number": 0x7ff0000000000002. A JavaScript number cannot carry its bits. */
const staleBits = { low: 2, high: 0x7ff00000, unsigned: true };

/** `prometheus.WriteRequest` of remote write 1.0, packed with snappy. */
export function encodeWriteRequest(
  series: readonly WrittenSeries[],
  shared: Readonly<Record<string, string>>,
  metadata: readonly WrittenMetadata[] = [],
): Uint8Array {
  const out = protobuf.Writer.create();
  for (const one of series) {
    out.uint32(tag(1, 2)).fork();
    for (const [name, value] of sortedLabels(one, shared))
      out.uint32(tag(1, 2)).fork().uint32(tag(1, 2)).string(name).uint32(tag(2, 2)).string(value).ldelim();
    for (const { atMs, value } of one.samples) {
      out.uint32(tag(2, 2)).fork().uint32(tag(1, 1));
      if (value === 'stale')
        out.fixed64(staleBits as protobuf.Long); // whose two halves are all that is read; text would need a package that may be off
      else out.double(value);
      out.uint32(tag(2, 0)).int64(Math.trunc(atMs)).ldelim();
    }
    out.ldelim();
  }
  for (const { name, type, help, unit } of metadata) {
    out.uint32(tag(3, 2)).fork().uint32(tag(1, 0)).uint32(metadataTypes[type]);
    out.uint32(tag(2, 2)).string(name).uint32(tag(4, 2)).string(help);
    if (unit !== undefined) out.uint32(tag(5, 2)).string(unit);
    out.ldelim();
  }
  return snappy.compress(out.finish());
}

/** Number of a field and how it is written, as protobuf wants them before it. */
const tag = (field: number, wire: 0 | 1 | 2): number => (field << 3) | wire;

const metadataTypes: Readonly<Record<MetricType, number>> = { unknown: 0, counter: 1, gauge: 2, histogram: 3 };

/** In the order of their names, as the protocol demands. A series' own label is never replaced by a shared one. */
function sortedLabels(one: WrittenSeries, shared: Readonly<Record<string, string>>): [string, string][] {
  const all = new Map<string, string>(Object.entries(shared));
  for (let i = 0; i < one.labels.length; i += 2) all.set(one.labels[i]!, one.labels[i + 1]!);
  all.set('__name__', one.name);
  return [...all].filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1));
}
