/** A line longer than this is delivered cut; the rest of it is dropped. Bytes. */
const longestLine = 4 * 1024 * 1024;

export type Sink = { write(chunk: Buffer): void; end(): void };

/** Keeps the first `limit` bytes, for output whose beginning is parsed. */
export function createHead(limit: number): Sink & { bytes(): Buffer; truncated(): boolean } {
  const kept: Buffer[] = [];
  let size = 0;
  let dropped = false;
  return {
    write(chunk) {
      const room = limit - size;
      if (chunk.length > room) dropped = true;
      if (room <= 0) return;
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
      kept.push(part);
      size += part.length;
    },
    end() {},
    bytes: () => Buffer.concat(kept, size),
    truncated: () => dropped,
  };
}

/** Keeps the last `limit` bytes: what a program complains about before it ends comes last. */
export function createTail(limit: number): Sink & { bytes(): Buffer } {
  let kept: Buffer[] = [];
  let size = 0;
  return {
    write(chunk) {
      kept.push(chunk);
      size += chunk.length;
      // Trimmed at twice the limit only, so that many small chunks cost one copy now and then.
      if (size > 2 * limit) {
        kept = [Buffer.concat(kept, size).subarray(size - limit)];
        size = limit;
      }
    },
    end() {},
    bytes() {
      const all = Buffer.concat(kept, size);
      return all.subarray(Math.max(0, all.length - limit));
    },
  };
}

/** Text line by line without its line ending; bytes that are not UTF-8 become U+FFFD. A last line without an ending counts. */
export function createLineSplitter(onLine: (line: string) => void): Sink {
  const decoder = new TextDecoder();
  let pending = '';
  let cut = false;

  const push = (text: string): void => {
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      const piece = text.slice(from, at);
      from = at + 1;
      const line = cut ? pending : pending + piece;
      pending = '';
      cut = false;
      onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    }
    if (cut) return;
    pending += text.slice(from);
    if (pending.length > longestLine) {
      pending = pending.slice(0, longestLine);
      cut = true;
    }
  };

  return {
    write(chunk) {
      push(decoder.decode(chunk, { stream: true }));
    },
    end() {
      push(decoder.decode());
      if (pending !== '') onLine(pending);
      pending = '';
    },
  };
}
