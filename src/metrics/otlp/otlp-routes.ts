import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AppError, type ErrorCode } from '../../platform/errors.ts';
import { logRefusal, type RoutePlugin } from '../../platform/http/index.ts';
import type { Logger } from '../../platform/logging.ts';
import type { Intake } from '../intake/intake.ts';
import type { Recorder } from '../recorder.ts';
import { readOtlpBody, type UnderWay } from './otlp-body.ts';
import { codecOf, type OtlpEncoding, otlpAnswerSchema, otlpStatusSchema } from './otlp-codec.ts';
import { createKnownSeries } from './otlp-intake.ts';

const mediaTypes: Readonly<Record<OtlpEncoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};
/** What no body at all stands for. */
const nothing: Readonly<Record<OtlpEncoding, Uint8Array>> = { protobuf: new Uint8Array(), json: Buffer.from('{}') };
/** Fuller than this, what comes would push out what came. */
const fullest = 0.8;

const encodingOf = (request: FastifyRequest): OtlpEncoding | undefined => {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  return type === mediaTypes.protobuf ? 'protobuf' : type === mediaTypes.json ? 'json' : undefined;
};

const bytes = z.custom<Uint8Array>().meta({ type: 'string', format: 'binary' });
const refusals = Object.fromEntries(
  [400, 401, 403, 409, 413, 415, 421, 422, 429, 500, 503, 507].map((status) => [
    status,
    {
      description: '`google.rpc.Status` in the encoding of the request, with the code of the error as its reason.',
      content: { [mediaTypes.json]: { schema: otlpStatusSchema }, [mediaTypes.protobuf]: { schema: bytes } },
    },
  ]),
);

/** https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export const otlpRoutes =
  (deps: {
    readonly intake: Intake;
    readonly recorder: Pick<Recorder, 'fullness'>;
    readonly log: Logger;
    now(): number;
    requireEnabled(): Promise<void>;
  }): RoutePlugin =>
  async (app) => {
    const { intake, recorder, log, now, requireEnabled } = deps;
    const known = createKnownSeries();
    const underWay: UnderWay = { bytes: 0, unpacking: Promise.resolve() };

    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      [mediaTypes.protobuf, mediaTypes.json],
      async (request: FastifyRequest, payload: Readable) => {
        if (recorder.fullness() > fullest)
          throw new AppError('metrics/busy', 'More arrives than can be stored; send it again in a moment.', {
            retryAfterSeconds: 5,
          });
        return readOtlpBody(payload, request.headers['content-encoding'] ?? '', underWay);
      },
    );
    app.setErrorHandler(async (err, request, reply) => sendStatus(log, err, request, reply));

    for (const url of ['/v1/metrics', '/api/v1/otlp/v1/metrics'])
      app.post(
        url,
        {
          preHandler: requireEnabled,
          config: { access: 'service', activity: 'metrics.otlp', problems: ['feature/disabled', 'metrics/busy'] },
          schema: {
            tags: ['metrics'],
            summary: url === '/v1/metrics' ? 'Take in metrics of OpenTelemetry' : 'The same, where Prometheus has it',
            description:
              'OTLP/HTTP, in protobuf or JSON, as it is or with gzip or deflate; 16 MiB at most, also unpacked. Points that are not right are counted in `partialSuccess` and keep the others out no more than they do at `/api/v1/metrics/record`.',
            body: {
              content: {
                [mediaTypes.protobuf]: { schema: z.unknown() },
                [mediaTypes.json]: { schema: z.unknown().describe('`ExportMetricsServiceRequest`, in JSON.') },
              },
            },
            response: {
              200: {
                description: 'Taken, but for what `partialSuccess` tells.',
                content: { [mediaTypes.json]: { schema: otlpAnswerSchema }, [mediaTypes.protobuf]: { schema: bytes } },
              },
              ...refusals,
            },
          },
        },
        async (request, reply) => {
          const encoding = encodingOf(request);
          if (encoding === undefined)
            throw new AppError('request/unsupported-media-type', 'Send application/x-protobuf or application/json.');
          const codec = await codecOf(encoding);
          const body = request.body instanceof Uint8Array ? request.body : nothing[encoding];
          // In one go: what is made of a body may take many times its memory, so there is never more than one.
          const { rejected, reasons } = codec.take(body, { intake, known, now });
          const answer = codec.answer(rejected === 0 ? undefined : { rejected, message: reasons.join('; ') });
          return reply.type(mediaTypes[encoding]).send(answer);
        },
      );
  };

const grpcCodes: Readonly<Record<number, number>> = { 401: 16, 403: 7, 409: 9, 429: 8, 500: 13, 503: 14, 507: 8 };

async function sendStatus(
  log: Logger,
  err: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const encoding = encodingOf(request) ?? 'json';
  const problem = logRefusal(log, err, request, reply);
  const { status } = problem.kind;
  const message =
    problem.code === ('request/unsupported-media-type' satisfies ErrorCode) && encodingOf(request) === undefined
      ? 'Send application/x-protobuf or application/json.'
      : problem.detail;
  const codec = await codecOf(encoding);
  return reply
    .code(status)
    .type(mediaTypes[encoding])
    .send(codec.status({ grpcCode: grpcCodes[status] ?? 3, message, code: problem.code }));
}
