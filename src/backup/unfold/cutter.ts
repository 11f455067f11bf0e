/**
 * Cuts the bytes of a file, as they come, at the borders of its records. Nothing is parsed and nothing is printed: the pieces
 * one after the other are the file, so a wrong guess about its form costs space and never a byte.
 *
 * Borders are found by text that cannot stand inside of a record: a JSON string holds no line feed and no bare quotation mark,
 * an attribute or text of XML no `<`. Searching for it is as quick as reading.
 */
export type FileForm = 'key-value' | 'vectors' | 'graph';

/** `coded`: the piece was base64 in the file and is handed over decoded; such pieces in a row are one text. */
export type PieceSink = (piece: Buffer, coded: boolean) => void;

export type Cutter = {
  /** Takes the next bytes, which may be reused by the caller afterwards. */
  write(bytes: Buffer): void;
  end(): void;
};

/** What LightRAG's files are called; undefined for a file that is not cut. */
export function formOf(path: string): FileForm | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (/^kv_store_.+\.json$/.test(name)) return 'key-value';
  if (/^vdb_.+\.json$/.test(name)) return 'vectors';
  return name.endsWith('.graphml') ? 'graph' : undefined;
}

type Border = {
  readonly mark: Buffer;
  /** Text before the mark that belongs to the piece it begins. */
  readonly lead: Buffer;
  /** Behind the mark begins base64, up to the next quotation mark. */
  readonly opensMatrix?: boolean;
};

const border = (mark: string, lead: string, opensMatrix = false): Border => ({
  mark: Buffer.from(mark, 'latin1'),
  lead: Buffer.from(lead, 'latin1'),
  opensMatrix,
});

/** The comma goes with the record behind it, so that a record which is added at the end changes no other. */
const borders: Readonly<Record<FileForm, readonly Border[]>> = {
  'key-value': [border('\n  "', ','), border('\n}', '')],
  vectors: [border('{"__id__"', ', '), border('"matrix": "', '], ', true)],
  graph: [border('<node ', ''), border('<edge ', ''), border('</graph>', '')],
};

/** A record longer than this is cut wherever that falls. Bytes. */
export const longestPiece = 1_048_576;
const longestMark = 16;
/** Rows of a matrix whose width is not known. Bytes. */
const plainRowBytes = 4096;
/** Characters that are decoded at once: groups of four, and no more than young memory takes. */
const matrixStep = 32_768;
const quote = 0x22;

export function createCutter(form: FileForm, sink: PieceSink): Cutter {
  const marks = borders[form];
  /** What is not cut yet stands at its beginning; the next bytes come behind it. */
  let work: Buffer = Buffer.alloc(0);
  let held = 0;
  let inMatrix = false;
  let rowBytes = 0;
  let row = Buffer.alloc(0);
  let rowFilled = 0;

  const openRows = (head: Buffer): void => {
    rowBytes = rowBytesOf(head);
    row = Buffer.alloc(rowBytes);
  };

  const flushRow = (): void => {
    if (rowFilled > 0) sink(row.subarray(0, rowFilled), true);
    rowFilled = 0;
  };

  const takeDecoded = (bytes: Buffer): void => {
    for (let at = 0; at < bytes.length; ) {
      if (rowFilled === 0 && bytes.length - at >= rowBytes) {
        sink(bytes.subarray(at, at + rowBytes), true);
        at += rowBytes;
        continue;
      }
      const taken = Math.min(rowBytes - rowFilled, bytes.length - at);
      bytes.copy(row, rowFilled, at, at + taken);
      rowFilled += taken;
      at += taken;
      if (rowFilled === rowBytes) flushRow();
    }
  };

  /** Cuts what lies before the next border; returns where the rest begins. */
  const cutRecords = (bytes: Buffer, from: number, isLast: boolean): number => {
    let begin = from;
    let seek = from;
    const next = marks.map(({ mark }) => bytes.indexOf(mark, from));
    for (;;) {
      let which = -1;
      for (let at = 0; at < marks.length; at += 1) {
        const place = next[at] ?? -1;
        if (place >= 0 && (which < 0 || place < (next[which] ?? 0))) which = at;
      }
      const found = marks[which];
      const place = next[which] ?? -1;
      const until = found ? leadStart(bytes, place, found.lead, seek) : bytes.length - (isLast ? 0 : longestMark);
      while (until - begin > longestPiece) {
        sink(bytes.subarray(begin, begin + longestPiece), false);
        begin += longestPiece;
      }
      if (!found) {
        if (isLast && bytes.length > begin) sink(bytes.subarray(begin), false);
        return isLast ? bytes.length : begin;
      }
      if (until > begin) sink(bytes.subarray(begin, until), false);
      begin = until;
      seek = place + found.mark.length;
      if (found.opensMatrix) {
        sink(bytes.subarray(begin, seek), false);
        inMatrix = true;
        return seek;
      }
      next[which] = bytes.indexOf(found.mark, seek);
    }
  };

  /** Hands over the rows of the matrix as far as it is base64 that encodes back to the same text. */
  const cutMatrix = (bytes: Buffer, from: number, isLast: boolean): number => {
    const end = bytes.indexOf(quote, from);
    const until = end < 0 ? bytes.length : end;
    let at = from;
    while (inMatrix && until - at > matrixStep) at = takeCoded(bytes, at, matrixStep);
    // Whole groups of four characters; what is left of one waits for the next bytes.
    if (inMatrix) at = takeCoded(bytes, at, until - at - ((until - at) % 4));
    if (inMatrix && (end >= 0 || isLast)) {
      inMatrix = false;
      flushRow();
    }
    return at;
  };

  /** @returns where it went on to; the matrix is left where it stops being what it must be */
  const takeCoded = (bytes: Buffer, from: number, whole: number): number => {
    const text = bytes.toString('latin1', from, from + whole);
    const decoded = Buffer.from(text, 'base64');
    if (decoded.toString('base64') !== text) {
      inMatrix = false;
      flushRow();
      return from;
    }
    takeDecoded(decoded);
    // Padding stands at the end of a text.
    if (decoded.length % 3 !== 0) {
      inMatrix = false;
      flushRow();
    }
    return from + whole;
  };

  const take = (bytes: Buffer, isLast: boolean): number => {
    let at = 0;
    for (;;) {
      if (inMatrix) {
        at = cutMatrix(bytes, at, isLast);
        if (inMatrix) return at;
      }
      at = cutRecords(bytes, at, isLast);
      if (!inMatrix) return at;
    }
  };

  return {
    write(bytes) {
      const length = held + bytes.length;
      if (length > work.length) {
        const larger = Buffer.allocUnsafeSlow(2 * length);
        work.copy(larger, 0, 0, held);
        work = larger;
      }
      bytes.copy(work, held);
      if (rowBytes === 0) openRows(work.subarray(0, length));
      const cut = take(work.subarray(0, length), false);
      work.copyWithin(0, cut, length);
      held = length - cut;
    },
    end() {
      if (rowBytes === 0) openRows(work.subarray(0, held));
      take(work.subarray(0, held), true);
      held = 0;
    },
  };
}

/** Where the text before a mark begins that belongs to the same piece, not before `floor`. */
function leadStart(bytes: Buffer, place: number, lead: Buffer, floor: number): number {
  const start = place - lead.length;
  return start >= floor && lead.length > 0 && bytes.subarray(start, place).equals(lead) ? start : place;
}

/** Four bytes a dimension, as the head of the file says. */
function rowBytesOf(head: Buffer): number {
  const dimension = Number(/"embedding_dim": ?(\d{1,6})\b/.exec(head.toString('latin1', 0, 4096))?.[1] ?? 0);
  return dimension > 0 && dimension <= longestPiece / 4 ? dimension * 4 : plainRowBytes;
}
