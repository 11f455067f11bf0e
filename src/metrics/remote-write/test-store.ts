import protobuf from 'protobufjs';
import snappy from 'snappyjs';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import type { HttpRequester, OutgoingRequest } from '../../platform/http-client.ts';

/** The protocol's own words, so that what is read here was not written by the code under test. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message MetricMetadata { uint32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
`);
const writeRequest = root.lookupType('WriteRequest');
/** NaN and the infinities too. */
const anyNumber = z.custom<number>((value) => typeof value === 'number');
const decoded = z.object({
  timeseries: z.array(
    z.object({
      labels: z.array(z.object({ name: z.string(), value: z.string() })),
      samples: z.array(z.object({ value: anyNumber, timestamp: z.number() })),
    }),
  ),
  metadata: z.array(z.object({ type: z.number(), metricFamilyName: z.string(), help: z.string(), unit: z.string() })),
});

/** Test support: a write request as a store reads it. */
export const decodeWriteRequest = (body: Uint8Array): z.infer<typeof decoded> =>
  decoded.parse(
    writeRequest.toObject(writeRequest.decode(snappy.uncompress(body)), {
      longs: Number,
      arrays: true,
      defaults: true,
    }),
  );

type Answer = { readonly status: number; readonly headers?: Record<string, string>; readonly text?: string };

export type TestStore = HttpRequester & {
  /** What it was asked, in this order. */
  readonly requests: OutgoingRequest[];
  /** When each of them came. */
  readonly atMs: number[];
  /** Bodies that it took, decoded. */
  readonly taken: z.infer<typeof decoded>[];
  /** At the same time. */
  readonly mostAtOnce: number;
  /** How it answers from now on; throws instead when it is an error. */
  answer: Answer | Error;
};

/** Test support: a store that is not there, for what a real one cannot be made to answer. */
export function createTestStore(clock: Pick<Clock, 'now'>): TestStore {
  let open = 0;
  const store = {
    requests: [] as OutgoingRequest[],
    atMs: [] as number[],
    taken: [] as z.infer<typeof decoded>[],
    mostAtOnce: 0,
    answer: { status: 204 } as Answer | Error,
    async request(request: OutgoingRequest) {
      open += 1;
      store.mostAtOnce = Math.max(store.mostAtOnce, open);
      store.requests.push(request);
      store.atMs.push(clock.now());
      await new Promise((resolve) => setImmediate(resolve));
      open -= 1;
      request.signal?.throwIfAborted();
      const { answer } = store;
      if (answer instanceof Error) throw answer;
      if (answer.status < 300 && request.body instanceof Uint8Array) store.taken.push(decodeWriteRequest(request.body));
      const text = answer.text ?? '';
      return {
        status: answer.status,
        headers: answer.headers ?? {},
        bytes: Buffer.from(text),
        text: () => text,
        json: (): unknown => JSON.parse(text),
      };
    },
  };
  return store;
}
