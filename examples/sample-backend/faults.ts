import { setTimeout as sleep } from 'node:timers/promises';
import type { WriterMode } from './store/file-writer.ts';
import type { Workspace } from './store/workspace.ts';

/** What a test may make the server do wrong. All of it is off at start, and settable while it runs. */
export type Faults = {
  /** Milliseconds before any answer. */
  delay_ms: number;
  /** Milliseconds before the answer of `/health`. */
  health_delay_ms: number;
  /** 0: none. Otherwise every answer has this status, in FastAPI's shape. */
  status: number;
  /** `html`: an error page with 200; `nonsense`: plain words; `invalid_json`: half an object; `hang`: no answer; `close`: the connection ends. */
  answer: '' | 'html' | 'nonsense' | 'invalid_json' | 'hang' | 'close';
  /** Path prefix that `status`, `answer` and `delay_ms` concern; empty: every path. */
  only: string;
  /** Inserts answer 503, as behind the recovery fence. */
  refuse_documents: boolean;
  /** Inserts answer 429 with Retry-After 30, as when `MAX_PENDING_DOCUMENTS` is reached. */
  admission_full: boolean;
  /** Documents fail while they are extracted. */
  fail_extraction: boolean;
  /** Streams end with an error line after the first pieces. */
  query_error_mid_stream: boolean;
  /** Milliseconds between two lines of a stream. */
  stream_pause_ms: number;
  /** The pipeline says that it is busy, and works on nothing. */
  hold_busy: boolean;
  /** A document that reaches this status (`parsing`, `analyzing`, `processing`) stays in it; empty: none. */
  hold_at: string;
  /** Rewrites all files again and again. */
  rewrite: '' | WriterMode;
  rewrite_interval_ms: number;
  /** Milliseconds between two pieces of 64 KiB of each file written. */
  write_pause_ms: number;
};

export function noFaults(): Faults {
  return {
    delay_ms: 0,
    health_delay_ms: 0,
    status: 0,
    answer: '',
    only: '',
    refuse_documents: false,
    admission_full: false,
    fail_extraction: false,
    query_error_mid_stream: false,
    stream_pause_ms: 0,
    hold_busy: false,
    hold_at: '',
    rewrite: '',
    rewrite_interval_ms: 50,
    write_pause_ms: 0,
  };
}

/**
 * Takes over the known switches of `wanted`.
 * @returns what is wrong with it; nothing is changed then
 */
export function setFaults(faults: Faults, wanted: unknown): string | undefined {
  if (wanted === null || typeof wanted !== 'object' || Array.isArray(wanted)) return 'an object of switches is wanted';
  const known: Record<string, unknown> = { ...faults };
  for (const [name, value] of Object.entries(wanted)) {
    if (!(name in known)) return `there is no switch ${name}`;
    if (typeof value !== typeof known[name]) return `${name} is a ${typeof known[name]}`;
  }
  Object.assign(faults, wanted);
  return undefined;
}

/** Carries out `rewrite`: one full rewrite after the other while the switch is on. Returns the function that ends it. */
export function startRewriter(faults: Faults, workspace: Workspace, ownMode: WriterMode): () => Promise<void> {
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      workspace.writer.setPauseMs(faults.write_pause_ms);
      workspace.writer.setMode(faults.rewrite === '' ? ownMode : faults.rewrite);
      if (faults.rewrite !== '') {
        await workspace.flushData(true);
        await workspace.docStatus.flush(true);
      }
      const pause = faults.rewrite === '' ? 50 : faults.rewrite_interval_ms;
      await sleep(pause, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const running = loop();
  return async () => {
    stop.abort();
    await running;
  };
}
