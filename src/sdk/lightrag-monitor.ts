import { type BatchSender, createBatchSender } from './batch-sender.ts';
import { createClient } from './client.ts';
import type { ClientOptions } from './transport.ts';
import type { LightragMonitorBody, LightragOperationBody, LightragRecording } from './wire.ts';

export type LightragOperation = 'query' | 'search' | 'insert';

/** What is known about an operation besides its time. */
export type OperationFacts = Omit<LightragRecording, 'operation' | 'seconds' | 'error' | 'timestamp'>;

const keptTimes = 10_000;

type Totals = { count: number; errors: number; sum: number; min: number; max: number; times: number[]; next: number };
const noTotals = (): Totals => ({ count: 0, errors: 0, sum: 0, min: 0, max: 0, times: [], next: 0 });

/**
 * Counts queries, searches and inserts of this program. Connected to a ragwarden, each is also told to it, together with others;
 * recording returns at once and never throws. Without a connection nothing leaves the program.
 */
export class LightRAGMonitor {
  #totals: Record<LightragOperation, Totals> = { query: noTotals(), search: noTotals(), insert: noTotals() };
  #otherErrors = 0;
  #sinceMs = Date.now();
  #sender: BatchSender<LightragRecording> | undefined;

  /** @param options of a ragwarden that is told too; a service token is enough. @throws TypeError when `url` is none */
  constructor(options: ClientOptions | undefined = undefined) {
    if (options !== undefined) this.connect(options);
  }

  /** Tells a ragwarden from now on. @throws TypeError when `url` is no http(s) URL */
  connect(options: ClientOptions): void {
    const { monitoring } = createClient(options);
    this.#sender = createBatchSender(async (items) => (await monitoring.recordLightrag(items)).rejected);
  }

  get connected(): boolean {
    return this.#sender !== undefined;
  }

  recordQueryTime(seconds: number, facts: OperationFacts = {}): void {
    this.record('query', seconds, facts);
  }

  recordSearchTime(seconds: number, facts: OperationFacts = {}): void {
    this.record('search', seconds, facts);
  }

  recordInsertTime(seconds: number, facts: OperationFacts = {}): void {
    this.record('insert', seconds, facts);
  }

  /** @param seconds anything that is no time is not counted */
  record(operation: LightragOperation, seconds: number, facts: OperationFacts = {}): void {
    if (!isTime(seconds)) return;
    const totals = this.#totals[operation];
    totals.min = totals.count === 0 ? seconds : Math.min(totals.min, seconds);
    totals.max = Math.max(totals.max, seconds);
    totals.count += 1;
    totals.sum += seconds;
    if (totals.times.length < keptTimes) totals.times.push(seconds);
    else {
      totals.times[totals.next] = seconds;
      totals.next = (totals.next + 1) % keptTimes;
    }
    this.#tell({ ...facts, operation, seconds });
  }

  /** Of what failed, and after how long, where that is known. */
  recordError(operation: LightragOperation | undefined = undefined, seconds?: number, facts?: OperationFacts): void {
    if (operation === undefined) this.#otherErrors += 1;
    else this.#totals[operation].errors += 1;
    this.#tell({
      ...facts,
      error: true,
      ...(operation === undefined ? {} : { operation }),
      ...(seconds !== undefined && isTime(seconds) ? { seconds } : {}),
    });
  }

  /** Of this program alone, since it began or was reset, under the names of `GET /api/v1/monitoring/lightrag`. */
  getMetrics(): LightragMonitorBody {
    const nowMs = Date.now();
    const { query, search, insert } = this.#totals;
    const done = query.count + search.count + insert.count;
    const errors = query.errors + search.errors + insert.errors + this.#otherErrors;
    const uptimeSeconds = Math.max(0, nowMs - this.#sinceMs) / 1_000;
    return {
      timestamp: new Date(nowMs).toISOString(),
      uptime_seconds: uptimeSeconds,
      since: new Date(this.#sinceMs).toISOString(),
      operations: { query: query.count, search: search.count, insert: insert.count, errors },
      error_rate: done + errors === 0 ? null : errors / (done + errors),
      throughput: uptimeSeconds > 0 ? done / uptimeSeconds : 0,
      query: describe(query),
      search: describe(search),
      insert: describe(insert),
    };
  }

  /** Counts anew. What a ragwarden was told stays there. */
  resetMetrics(): void {
    this.#totals = { query: noTotals(), search: noTotals(), insert: noTotals() };
    this.#otherErrors = 0;
    this.#sinceMs = Date.now();
  }

  /** Sends what waits, as before the program ends. @throws RagwardenError when ragwarden cannot take it; it waits on */
  async flush(): Promise<void> {
    await this.#sender?.flush();
  }

  /** Operations that a ragwarden was not told: too many waited, or it refused them. */
  get dropped(): number {
    return this.#sender?.dropped ?? 0;
  }

  #tell(recording: LightragRecording): void {
    const ended = Date.now();
    this.#sender?.add({ ...recording, timestamp: new Date(ended - (recording.seconds ?? 0) * 1_000).toISOString() });
  }
}

const isTime = (seconds: number): boolean => typeof seconds === 'number' && seconds >= 0 && seconds <= 86_400;

function describe({ count, errors, sum, min, max, times }: Totals): LightragOperationBody {
  const sorted = [...times].sort((a, b) => a - b);
  // Nearest rank: one that was seen, and never below the share that it names.
  const percentile = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  return {
    count,
    avg_time: count === 0 ? 0 : sum / count,
    min_time: min,
    max_time: max,
    p50_time: percentile(0.5),
    p95_time: percentile(0.95),
    p99_time: percentile(0.99),
    errors,
    empty: 0,
    window_count: sorted.length,
  };
}

let shared: LightRAGMonitor | undefined;

/**
 * The one monitor of this program.
 * @param options connects it, where it is not connected yet
 */
export function getLightragMonitor(options: ClientOptions | undefined = undefined): LightRAGMonitor {
  shared ??= new LightRAGMonitor();
  if (options !== undefined && !shared.connected) shared.connect(options);
  return shared;
}
