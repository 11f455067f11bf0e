import { z } from 'zod';
import { openFrame, type Packing, packFrame } from './frame.ts';
import type { Labels, MetricDefinition } from './metric-definition.ts';

/** One recorded value with what was said about it. */
export type RecordedValue = {
  readonly atMs: number;
  readonly name: string;
  readonly type: MetricDefinition['type'];
  readonly category: MetricDefinition['category'];
  readonly unit: string;
  readonly labels: Labels;
  readonly value: number;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
};

export type ValueBlock = {
  /** How many values of each metric there are; read without reading them. */
  readonly counts: Readonly<Record<string, number>>;
  values(): Promise<readonly RecordedValue[]>;
};

/** First byte of a payload. */
const version = 3;
const label = z.record(z.string(), z.string());
const bodySchema = z.object({
  metrics: z.array(z.tuple([z.string(), z.string(), z.string(), z.string()])),
  labels: z.array(label),
  at: z.array(z.number()),
  metric: z.array(z.number().int()),
  label: z.array(z.number().int()),
  value: z.array(z.number()),
  metadata: z.array(z.record(z.string(), z.unknown()).nullable()),
});

/** Columns as JSON: equal things stand next to each other, which is what a compressor needs. */
export async function encodeValues(values: readonly RecordedValue[], packing: Packing): Promise<Buffer> {
  const metrics: [string, string, string, string][] = [];
  const metricAt = new Map<string, number>();
  const labels: Labels[] = [];
  const labelAt = new Map<string, number>();
  const counts: Record<string, number> = {};
  const body: z.input<typeof bodySchema> = { metrics, labels, at: [], metric: [], label: [], value: [], metadata: [] };
  let before = 0;
  for (const one of values) {
    counts[one.name] = (counts[one.name] ?? 0) + 1;
    let metric = metricAt.get(one.name);
    if (metric === undefined) {
      metric = metrics.push([one.name, one.type, one.category, one.unit]) - 1;
      metricAt.set(one.name, metric);
    }
    const key = JSON.stringify(one.labels);
    let own = labelAt.get(key);
    if (own === undefined) {
      own = labels.push({ ...one.labels }) - 1;
      labelAt.set(key, own);
    }
    body.at.push(one.atMs - before);
    before = one.atMs;
    body.metric.push(metric);
    body.label.push(own);
    body.value.push(one.value);
    body.metadata.push(one.metadata === undefined ? null : { ...one.metadata });
  }
  return packFrame(version, packing, Buffer.from(JSON.stringify(counts)), Buffer.from(JSON.stringify(body)));
}

/** @throws Error when the payload is of another version or damaged */
export async function openValues(payload: Uint8Array): Promise<ValueBlock> {
  const frame = openFrame(version, payload);
  const counts = z.record(z.string(), z.number().int()).parse(JSON.parse(text(await frame.first())));
  return {
    counts,
    async values() {
      const body = bodySchema.parse(JSON.parse(text(await frame.second())));
      let atMs = 0;
      return body.at.map((step, i): RecordedValue => {
        atMs += step;
        const metric = body.metrics[body.metric[i] ?? -1];
        const labels = body.labels[body.label[i] ?? -1];
        const value = body.value[i];
        if (metric === undefined || labels === undefined || value === undefined)
          throw new Error('a value of the block lacks what it refers to');
        const [name, type, category, unit] = metric;
        // These words were written from values of these types, and the checksum held.
        const words = { type: type as RecordedValue['type'], category: category as RecordedValue['category'] };
        return { atMs, name, ...words, unit, labels, value, metadata: body.metadata[i] ?? undefined };
      });
    },
  };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Values on their way into the store. */
export type ValueLog = {
  add(value: Omit<RecordedValue, 'name' | 'type' | 'category' | 'unit'> & { definition: MetricDefinition }): void;
  /** What was added since it was last taken, in the order it came. */
  take(): readonly RecordedValue[];
  /** Values that came faster than they can be kept; the aggregates have them. */
  readonly dropped: number;
};

/** @param most how many are kept between two takings */
export function createValueLog(most = 50_000): ValueLog {
  let waiting: RecordedValue[] = [];
  let dropped = 0;
  return {
    add({ definition, atMs, labels, value, metadata }) {
      if (waiting.length >= most) {
        dropped += 1;
        return;
      }
      const { name, type, category, unit } = definition;
      waiting.push({ atMs, name, type, category, unit, labels, value, metadata });
    },
    take() {
      const taken = waiting;
      waiting = [];
      return taken;
    },
    get dropped() {
      return dropped;
    },
  };
}
