import { z } from 'zod';
import { AppError } from '../../platform/errors.ts';
import { readableJson } from '../../platform/http/index.ts';
import { type OtlpRequest, otlpDescriptor } from './otlp-messages.ts';

export type OtlpEncoding = 'protobuf' | 'json';

/** google.rpc.Status, with our code in its details. */
export type OtlpStatus = { readonly grpcCode: number; readonly message: string; readonly code: string };
export type OtlpAnswer = { readonly rejected: number; readonly message: string };

export const otlpStatusSchema = z
  .object({
    code: z.number().int().describe('As gRPC numbers them.'),
    message: z.string(),
    details: z.array(z.object({ '@type': z.string(), reason: z.string(), domain: z.string() })),
  })
  .meta({ id: 'RpcStatus' });
export const otlpAnswerSchema = z
  .object({
    partialSuccess: z
      .object({ rejectedDataPoints: z.string(), errorMessage: z.string() })
      .optional()
      .describe('What was not taken, and why; all else was.'),
  })
  .meta({ id: 'OtlpAnswer' });

export type OtlpCodec = {
  /** @throws AppError `request/unreadable` */
  read(body: Uint8Array): OtlpRequest;
  answer(answer: OtlpAnswer | undefined): Uint8Array | z.input<typeof otlpAnswerSchema>;
  status(status: OtlpStatus): Uint8Array | z.input<typeof otlpStatusSchema>;
};

const unreadable = (detail: string, cause: unknown): AppError => new AppError('request/unreadable', detail, { cause });
const domain = 'ragwarden';
const infoType = 'type.googleapis.com/google.rpc.ErrorInfo';

let protobuf: Promise<OtlpCodec> | undefined;

/** Protobuf is loaded when the first request in it comes. */
export function codecOf(encoding: OtlpEncoding): OtlpCodec | Promise<OtlpCodec> {
  if (encoding === 'json') return jsonCodec;
  protobuf ??= loadProtobuf();
  return protobuf;
}

async function loadProtobuf(): Promise<OtlpCodec> {
  const loaded = await import('protobufjs/light.js');
  // In the bundle a CommonJS module has everything below `default`.
  const { Root, util, configure } = 'Root' in loaded ? loaded : (loaded as { default: typeof loaded }).default;
  // An object for each count of each bucket would take fifty times the memory of the body. Nothing here needs 64 bits.
  Object.assign(util, { Long: undefined });
  configure();
  const root = Root.fromJSON(otlpDescriptor);
  const [request, answers, status, info] = ['Request', 'Answer', 'Status', 'ErrorInfo'].map((name) =>
    root.lookupType(name),
  ) as [ReturnType<typeof root.lookupType>, ...ReturnType<typeof root.lookupType>[]]; // as many as names
  return {
    read(body) {
      try {
        return request.decode(body) as unknown as OtlpRequest; // the descriptor says the same as the type
      } catch (err) {
        throw unreadable('The body is no protobuf message of OTLP metrics.', err);
      }
    },
    answer: (answer) =>
      answer === undefined
        ? new Uint8Array()
        : answers!
            .encode({ partialSuccess: { rejectedDataPoints: answer.rejected, errorMessage: answer.message } })
            .finish(),
    status: ({ grpcCode, message, code }) =>
      status!
        .encode({
          ...{ code: grpcCode, message },
          details: [{ type_url: infoType, value: info!.encode({ reason: code, domain }).finish() }],
        })
        .finish(),
  };
}

const jsonCodec: OtlpCodec = {
  read(body) {
    const text = readableJson(body);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (err) {
      throw unreadable('The body is not valid JSON.', err);
    }
    const read = requestSchema.safeParse(parsed);
    if (read.success) return read.data;
    const [issue] = read.error.issues;
    throw unreadable(`The body is no OTLP: ${issue?.path.join('.')}: ${issue?.message}`.slice(0, 500), read.error);
  },
  answer: (answer) =>
    answer === undefined
      ? {}
      : { partialSuccess: { rejectedDataPoints: String(answer.rejected), errorMessage: answer.message } },
  status: ({ grpcCode, message, code }) => ({
    code: grpcCode,
    message,
    details: [{ '@type': infoType, reason: code, domain }],
  }),
};

// Fields in lowerCamelCase, 64 bit integers as text or numbers, and whatever is not known is left out.
const integer = z.union([z.string().regex(/^-?\d{1,20}$/, 'is no integer'), z.number().int()]);
const double = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]);
const small = z.number().int();
const many = <T extends z.ZodType>(one: T) => z.array(one).optional();
const anyValue = z.object({
  stringValue: z.string().nullish(),
  boolValue: z.boolean().nullish(),
  intValue: integer.nullish(),
  doubleValue: double.nullish(),
  get arrayValue() {
    return z.object({ values: z.array(anyValue).nullish() }).nullish();
  },
  get kvlistValue() {
    return z.object({ values: z.array(attribute).nullish() }).nullish();
  },
  bytesValue: z.string().nullish(),
});
const attribute = z.object({
  key: z.string(),
  get value() {
    return anyValue.nullish();
  },
});
const timed = {
  attributes: many(attribute),
  startTimeUnixNano: integer.optional(),
  timeUnixNano: integer.optional(),
  flags: small.optional(),
};
const temporalities = { AGGREGATION_TEMPORALITY_DELTA: 1, AGGREGATION_TEMPORALITY_CUMULATIVE: 2 } as const;
const temporality = z
  .union([small, z.enum(['AGGREGATION_TEMPORALITY_DELTA', 'AGGREGATION_TEMPORALITY_CUMULATIVE'])])
  .transform((told) => (typeof told === 'number' ? told : temporalities[told]))
  .optional();
const numberPoint = z.object({ ...timed, asDouble: double.optional(), asInt: integer.optional() });
const counted = { ...timed, count: integer.optional(), sum: double.nullish() };
const bounded = { min: double.nullish(), max: double.nullish() };
const buckets = z.object({ offset: small.optional(), bucketCounts: many(integer) }).nullish();
const points = <T extends z.ZodType>(point: T) => ({ dataPoints: many(point) });
const metric = z.object({
  name: z.string().optional(),
  description: z.string().optional(),
  unit: z.string().optional(),
  gauge: z.object(points(numberPoint)).nullish(),
  sum: z
    .object({ ...points(numberPoint), aggregationTemporality: temporality, isMonotonic: z.boolean().optional() })
    .nullish(),
  histogram: z
    .object({
      ...points(z.object({ ...counted, ...bounded, bucketCounts: many(integer), explicitBounds: many(double) })),
      aggregationTemporality: temporality,
    })
    .nullish(),
  exponentialHistogram: z
    .object({
      ...points(
        z.object({
          ...{ ...counted, ...bounded, scale: small.optional(), zeroCount: integer.optional() },
          ...{ positive: buckets, negative: buckets },
        }),
      ),
      aggregationTemporality: temporality,
    })
    .nullish(),
  summary: z
    .object(
      points(
        z.object({
          ...counted,
          quantileValues: many(z.object({ quantile: double.optional(), value: double.optional() })),
        }),
      ),
    )
    .nullish(),
});
const requestSchema = z.object({
  resourceMetrics: many(
    z.object({
      resource: z.object({ attributes: many(attribute) }).nullish(),
      scopeMetrics: many(z.object({ metrics: many(metric) })),
    }),
  ),
});
