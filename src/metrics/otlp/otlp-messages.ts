/**
 * The messages of OTLP metrics, as much of them as is read here: field numbers from opentelemetry-proto 1.x
 * (`metrics/v1/metrics.proto`, `common/v1/common.proto`). What is not listed (exemplars, scopes' attributes, schema URLs)
 * is skipped unread.
 */
export type OtlpNumber = number | string | { toNumber(): number };

export type OtlpValue = {
  readonly stringValue?: string | null | undefined;
  readonly boolValue?: boolean | null | undefined;
  readonly intValue?: OtlpNumber | null | undefined;
  readonly doubleValue?: OtlpNumber | null | undefined;
  readonly arrayValue?: { readonly values?: readonly OtlpValue[] | null | undefined } | null | undefined;
  readonly kvlistValue?: { readonly values?: readonly OtlpAttribute[] | null | undefined } | null | undefined;
  readonly bytesValue?: string | Uint8Array | null | undefined;
};
export type OtlpAttribute = { readonly key: string; readonly value?: OtlpValue | null | undefined };

type Point = {
  readonly attributes?: readonly OtlpAttribute[] | undefined;
  readonly startTimeUnixNano?: OtlpNumber | undefined;
  readonly timeUnixNano?: OtlpNumber | undefined;
  /** The lowest bit says that the series has ended. */
  readonly flags?: number | undefined;
};
export type OtlpNumberPoint = Point & {
  readonly asDouble?: OtlpNumber | null | undefined;
  readonly asInt?: OtlpNumber | null | undefined;
};
type Counted = Point & {
  readonly count?: OtlpNumber | undefined;
  readonly sum?: OtlpNumber | null | undefined;
};
type Bounded = { readonly min?: OtlpNumber | null | undefined; readonly max?: OtlpNumber | null | undefined };
export type OtlpHistogramPoint = Counted &
  Bounded & {
    readonly bucketCounts?: readonly OtlpNumber[] | undefined;
    readonly explicitBounds?: readonly OtlpNumber[] | undefined;
  };
type Buckets = {
  readonly offset?: number | undefined;
  readonly bucketCounts?: readonly OtlpNumber[] | undefined;
};
export type OtlpExponentialPoint = Counted &
  Bounded & {
    readonly scale?: number | undefined;
    readonly zeroCount?: OtlpNumber | undefined;
    readonly positive?: Buckets | null | undefined;
    readonly negative?: Buckets | null | undefined;
  };
export type OtlpSummaryPoint = Counted & {
  readonly quantileValues?:
    | readonly { readonly quantile?: OtlpNumber | undefined; readonly value?: OtlpNumber | undefined }[]
    | undefined;
};

type Of<P> = { readonly dataPoints?: readonly P[] | undefined };
/** 1: growth since the last point; 2: everything since the start; anything else is no answer. */
type Temporality = { readonly aggregationTemporality?: number | undefined };
export type OtlpMetric = {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly unit?: string | undefined;
  readonly gauge?: Of<OtlpNumberPoint> | null | undefined;
  readonly sum?:
    | (Of<OtlpNumberPoint> & Temporality & { readonly isMonotonic?: boolean | undefined })
    | null
    | undefined;
  readonly histogram?: (Of<OtlpHistogramPoint> & Temporality) | null | undefined;
  readonly exponentialHistogram?: (Of<OtlpExponentialPoint> & Temporality) | null | undefined;
  readonly summary?: Of<OtlpSummaryPoint> | null | undefined;
};
export type OtlpRequest = {
  readonly resourceMetrics?:
    | readonly {
        readonly resource?: { readonly attributes?: readonly OtlpAttribute[] | undefined } | null | undefined;
        readonly scopeMetrics?: readonly { readonly metrics?: readonly OtlpMetric[] | undefined }[] | undefined;
      }[]
    | undefined;
};

const field = (id: number, type: string) => ({ id, type });
const many = (id: number, type: string) => ({ id, type, rule: 'repeated' });
type Field = { readonly id: number; readonly type: string };
type OneOf = { oneof: string[] };
const message = (fields: Record<string, Field>, oneofs?: Record<string, OneOf>) => ({
  fields,
  ...(oneofs ? { oneofs } : {}),
});
/** May be absent, which is not the same as zero: each is alone in a `oneof`, as protoc has it too. */
const optional = (...names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [`_${name}`, { oneof: [name] }]));
const times = { startTimeUnixNano: field(2, 'fixed64'), timeUnixNano: field(3, 'fixed64') };
const temporality = field(2, 'int32');

/** As protobufjs' light build takes it. */
export const otlpDescriptor = {
  nested: {
    Request: message({ resourceMetrics: many(1, 'ResourceMetrics') }),
    ResourceMetrics: message({ resource: field(1, 'Resource'), scopeMetrics: many(2, 'ScopeMetrics') }),
    Resource: message({ attributes: many(1, 'KeyValue') }),
    ScopeMetrics: message({ metrics: many(2, 'Metric') }),
    Metric: message({
      name: field(1, 'string'),
      description: field(2, 'string'),
      unit: field(3, 'string'),
      gauge: field(5, 'Gauge'),
      sum: field(7, 'Sum'),
      histogram: field(9, 'Histogram'),
      exponentialHistogram: field(10, 'ExponentialHistogram'),
      summary: field(11, 'Summary'),
    }),
    Gauge: message({ dataPoints: many(1, 'NumberPoint') }),
    Sum: message({
      dataPoints: many(1, 'NumberPoint'),
      aggregationTemporality: temporality,
      isMonotonic: field(3, 'bool'),
    }),
    Histogram: message({ dataPoints: many(1, 'HistogramPoint'), aggregationTemporality: temporality }),
    ExponentialHistogram: message({ dataPoints: many(1, 'ExponentialPoint'), aggregationTemporality: temporality }),
    Summary: message({ dataPoints: many(1, 'SummaryPoint') }),
    NumberPoint: message(
      {
        ...times,
        asDouble: field(4, 'double'),
        asInt: field(6, 'sfixed64'),
        attributes: many(7, 'KeyValue'),
        flags: field(8, 'uint32'),
      },
      { value: { oneof: ['asDouble', 'asInt'] } },
    ),
    HistogramPoint: message(
      {
        ...times,
        count: field(4, 'fixed64'),
        sum: field(5, 'double'),
        bucketCounts: many(6, 'fixed64'),
        explicitBounds: many(7, 'double'),
        attributes: many(9, 'KeyValue'),
        flags: field(10, 'uint32'),
        min: field(11, 'double'),
        max: field(12, 'double'),
      },
      optional('sum', 'min', 'max'),
    ),
    ExponentialPoint: message(
      {
        attributes: many(1, 'KeyValue'),
        ...times,
        count: field(4, 'fixed64'),
        sum: field(5, 'double'),
        scale: field(6, 'sint32'),
        zeroCount: field(7, 'fixed64'),
        positive: field(8, 'Buckets'),
        negative: field(9, 'Buckets'),
        flags: field(10, 'uint32'),
        min: field(12, 'double'),
        max: field(13, 'double'),
      },
      optional('sum', 'min', 'max'),
    ),
    Buckets: message({ offset: field(1, 'sint32'), bucketCounts: many(2, 'uint64') }),
    SummaryPoint: message({
      ...times,
      count: field(4, 'fixed64'),
      sum: field(5, 'double'),
      quantileValues: many(6, 'Quantile'),
      attributes: many(7, 'KeyValue'),
      flags: field(8, 'uint32'),
    }),
    Quantile: message({ quantile: field(1, 'double'), value: field(2, 'double') }),
    KeyValue: message({ key: field(1, 'string'), value: field(2, 'AnyValue') }),
    AnyValue: message(
      {
        stringValue: field(1, 'string'),
        boolValue: field(2, 'bool'),
        intValue: field(3, 'int64'),
        doubleValue: field(4, 'double'),
        arrayValue: field(5, 'ArrayValue'),
        kvlistValue: field(6, 'KeyValueList'),
        bytesValue: field(7, 'bytes'),
      },
      {
        value: {
          oneof: ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'arrayValue', 'kvlistValue', 'bytesValue'],
        },
      },
    ),
    ArrayValue: message({ values: many(1, 'AnyValue') }),
    KeyValueList: message({ values: many(1, 'KeyValue') }),
    Answer: message({ partialSuccess: field(1, 'PartialSuccess') }),
    PartialSuccess: message({ rejectedDataPoints: field(1, 'int64'), errorMessage: field(2, 'string') }),
    Status: message({ code: field(1, 'int32'), message: field(2, 'string'), details: many(3, 'Any') }),
    Any: message({ type_url: field(1, 'string'), value: field(2, 'bytes') }),
    ErrorInfo: message({ reason: field(1, 'string'), domain: field(2, 'string') }),
  },
};
