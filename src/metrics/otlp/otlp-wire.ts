import type { Reader, Type } from 'protobufjs/light.js';
import type { PointSeries } from '../intake/intake.ts';
import { createWireCheck } from './otlp-check.ts';
import {
  levelValue,
  type MetricAtHand,
  metricAtHand,
  seriesOf,
  sourceOf,
  sumValue,
  type Taking,
  takeMetric,
  takePoint,
  takeResource,
  timeAt,
} from './otlp-intake.ts';
import type { OtlpAttribute, OtlpMetric, OtlpRequest } from './otlp-messages.ts';
import type { OtlpProtobuf } from './otlp-protobuf.ts';
import { delimited, emptyPoint, type Place, placeHere, placesOf, readPoint, readSum } from './wire-places.ts';

/** Longer attributes are translated each time. */
const longestKey = 4_096;

type Common = Omit<Taking, 'source'>;
type Resources = NonNullable<OtlpRequest['resourceMetrics']>;

/**
 * Takes the points of a request as they stand in its bytes. Levels and sums, which are nearly everything that is sent, are read without
 * making messages of them: whoever sends writes the attributes of a series in the same bytes each time, and these bytes lead to what is
 * known of it. All else is decoded by the library and taken as JSON is.
 * @see docs/decisions/0055-otlp-from-the-wire.md
 */
export function createOtlpWire(protobuf: OtlpProtobuf) {
  const resourceType = protobuf.type('Resource');
  const resourceMetricsType = protobuf.type('ResourceMetrics');
  const metricType = protobuf.type('Metric');
  const attributeType = protobuf.type('KeyValue');
  const point = emptyPoint();

  const decode = <T>(reader: Reader, type: Type, { from, to }: Place): T => {
    reader.pos = from;
    return type.decode(reader, to - from) as unknown as T; // the descriptor says the same as the type
  };

  const takeResourceMetrics = (reader: Reader, all: Place, common: Common): void => {
    const [resource, another] = placesOf(reader, all, delimited(1));
    // Told in parts, which belong together.
    if (another !== undefined) {
      takeResource(decode<Resources[number]>(reader, resourceMetricsType, all), common);
      return;
    }
    const told = resource && decode<{ attributes?: OtlpAttribute[] }>(reader, resourceType, resource);
    const taking = { ...common, source: sourceOf(told?.attributes) };
    for (const scope of placesOf(reader, all, delimited(2)))
      for (const metric of placesOf(reader, scope, delimited(2))) takeOne(reader, metric, taking);
  };

  const takeOne = (reader: Reader, all: Place, taking: Taking): void => {
    const told = { name: '', description: '', unit: '' };
    let numbers: Place | undefined;
    let isLevel = false;
    reader.pos = all.from;
    while (reader.pos < all.to) {
      const tag = reader.tag();
      if (tag === delimited(1)) told.name = reader.stringVerify();
      else if (tag === delimited(2)) told.description = reader.stringVerify();
      else if (tag === delimited(3)) told.unit = reader.stringVerify();
      else if (numbers === undefined && (tag === delimited(5) || tag === delimited(7))) {
        isLevel = tag === delimited(5);
        numbers = placeHere(reader);
      } else if (isData(tag)) {
        takeMetric(decode<OtlpMetric>(reader, metricType, all), taking);
        return;
      } else reader.skipType(tag & 7, 0, tag >>> 3);
    }
    if (numbers === undefined) return;
    const sum = isLevel ? undefined : readSum(reader, numbers);
    const hand = metricAtHand(told, sum?.isMonotonic === true, isLevel, taking);
    takeNumbers(reader, numbers, hand, sum === undefined ? levelValue : sumValue(sum), taking);
  };

  const takeNumbers = (
    reader: Reader,
    all: Place,
    hand: MetricAtHand,
    toValue: ReturnType<typeof sumValue>,
    taking: Taking,
  ): void => {
    const { byBytes } = hand.known;
    const body = reader.buf as Buffer; // a reader is made of one
    for (const place of placesOf(reader, all, delimited(1))) {
      readPoint(reader, place, point);
      const { attributes, areTogether } = point;
      const length = attributes.to - attributes.from;
      const key =
        areTogether && length <= longestKey ? body.toString('latin1', attributes.from, attributes.to) : undefined;
      const known = key === undefined ? undefined : byBytes.get(key);
      const series = known ?? translate(reader, hand, taking);
      const time = timeAt(point.timeNano, point.startNano, taking.now);
      const isTaken = takePoint(hand, series, time, point.flags, toValue(point.value), taking);
      if (!isTaken || known !== undefined || key === undefined) continue;
      byBytes.set(key, series);
      taking.known.added(length);
    }
  };

  /** The series of a point whose attributes come for the first time. */
  const translate = (reader: Reader, { about }: MetricAtHand, taking: Taking): PointSeries => {
    const attributes: OtlpAttribute[] = [];
    for (const one of placesOf(reader, point.attributes, delimited(7)))
      attributes.push(decode<OtlpAttribute>(reader, attributeType, one));
    return seriesOf(about, attributes, taking.source);
  };

  return {
    /** @throws Error for what is no request; nothing may be taken of that */
    check: createWireCheck(protobuf),
    /** @param body one that was checked */
    take(body: Uint8Array, common: Common): void {
      const reader = protobuf.reader(body);
      for (const place of placesOf(reader, { from: 0, to: body.length }, delimited(1)))
        takeResourceMetrics(reader, place, common);
    },
  };
}

/** Whether the field tells values of a metric, in one of the five ways. */
const isData = (tag: number): boolean =>
  tag === delimited(5) || tag === delimited(7) || (tag >= delimited(9) && tag <= delimited(11) && tag % 8 === 2);
