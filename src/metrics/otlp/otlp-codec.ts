import { z } from 'zod';
import { AppError } from '../../platform/errors.ts';
import { readableJson } from '../../platform/http/index.ts';
import type { Intake } from '../intake/intake.ts';
import { createOutcome, type KnownSeries, type OtlpOutcome, takeOtlp } from './otlp-intake.ts';
import type { OtlpRequest } from './otlp-messages.ts';
import { loadOtlpProtobuf, type OtlpProtobuf } from './otlp-protobuf.ts';
import { createOtlpWire } from './otlp-wire.ts';

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
  /**
   * Takes every point of the body, each by itself: a bad one keeps no other out.
   * @throws AppError `request/unreadable`, before anything was taken
   */
  take(body: Uint8Array, options: { intake: Intake; known: KnownSeries; now: () => number }): OtlpOutcome;
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
  protobuf ??= loadOtlpProtobuf().then(createProtobufCodec);
  return protobuf;
}

function createProtobufCodec(loaded: OtlpProtobuf): OtlpCodec {
  const wire = createOtlpWire(loaded);
  const [answers, status, info] = [loaded.type('Answer'), loaded.type('Status'), loaded.type('ErrorInfo')];
  return {
    take(body, options) {
      try {
        wire.check(body);
      } catch (err) {
        throw unreadable('The body is no protobuf message of OTLP metrics.', err);
      }
      const { count, outcome } = createOutcome();
      wire.take(body, { ...options, count });
      return outcome();
    },
    answer: (answer) =>
      answer === undefined
        ? new Uint8Array()
        : answers
            .encode({ partialSuccess: { rejectedDataPoints: answer.rejected, errorMessage: answer.message } })
            .finish(),
    status: ({ grpcCode, message, code }) =>
      status
        .encode({
          ...{ code: grpcCode, message },
          details: [{ type_url: infoType, value: info.encode({ reason: code, domain }).finish() }],
        })
        .finish(),
  };
}

const jsonCodec: OtlpCodec = {
  take(body, options) {
    const request = readJson(body);
    const { count, outcome } = createOutcome();
    takeOtlp(request, { ...options, count });
    return outcome();
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

function readJson(body: Uint8Array): OtlpRequest {
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
}

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
