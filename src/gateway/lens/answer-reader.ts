import { createJsonPicker, type Picked, type PickPlan } from './json-picker.ts';

/** How an answer is cut into pieces of JSON. */
export type Framing = 'json' | 'lines' | 'events';

/** By `Content-Type`; undefined where there is nothing to read. */
export function framingOf(contentType: string | undefined): Framing | undefined {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'text/event-stream') return 'events';
  if (/^application\/(x-)?(ndjson|jsonl|json-lines|json-seq)$/.test(type)) return 'lines';
  return type === 'application/json' || type.endsWith('+json') ? 'json' : undefined;
}

export type AnswerReader = {
  write(chunk: Uint8Array, sinceMs: number): void;
  end(sinceMs: number): void;
};

const newline = 0x0a;
const data = Buffer.from('data:');
const done = Buffer.from('[DONE]');

/**
 * Cuts an answer into its pieces and picks from each while it passes: nothing of it is kept, however long a line is.
 * @param onPiece told of each whole piece; what was picked is gone after the call
 * @param onDone told of `data: [DONE]`
 */
export function createAnswerReader(
  framing: Framing,
  plan: PickPlan,
  onPiece: (picked: ReadonlyMap<string, Picked>, sinceMs: number) => void,
  onDone: () => void = () => undefined,
): AnswerReader {
  const picker = createJsonPicker(plan);
  /** Of a line of events: how much of `data:` was seen; -1 is another line. */
  let led = 0;
  /** How much of `[DONE]` was seen after it; -1 is something else. */
  let doneSeen = 0;

  const endLine = (sinceMs: number): void => {
    if (framing === 'events' && led === data.length && doneSeen === done.length) onDone();
    else if (!picker.isBlank()) onPiece(picker.picked, sinceMs);
    picker.reset();
    led = 0;
    doneSeen = 0;
  };

  /** Reads on until the JSON of a line begins. @returns where */
  const lead = (chunk: Uint8Array, from: number, to: number): number => {
    let at = from;
    while (at < to && led >= 0 && led < data.length) {
      led = chunk[at] === data[led] ? led + 1 : -1;
      at += 1;
    }
    if (led < 0) return to;
    while (at < to && doneSeen >= 0 && doneSeen < done.length) {
      const byte = chunk[at]!;
      if (doneSeen === 0 && (byte === 0x20 || byte === 0x09)) at += 1;
      else if (byte === done[doneSeen]) {
        doneSeen += 1;
        at += 1;
      } else {
        // A piece that begins like it, an array, is given to the picker from its first byte on.
        if (doneSeen > 0) picker.write(done, 0, doneSeen);
        doneSeen = -1;
      }
    }
    return doneSeen === done.length ? to : at;
  };

  return {
    write(chunk, sinceMs) {
      if (framing === 'json') {
        picker.write(chunk);
        return;
      }
      let from = 0;
      while (from < chunk.length) {
        const found = chunk.indexOf(newline, from);
        const to = found < 0 ? chunk.length : found;
        const begin = framing === 'events' && doneSeen >= 0 ? lead(chunk, from, to) : from;
        if (begin < to) picker.write(chunk, begin, to);
        if (found < 0) return;
        endLine(sinceMs);
        from = found + 1;
      }
    },
    end(sinceMs) {
      endLine(sinceMs);
    },
  };
}
