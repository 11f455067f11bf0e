/** Text for people: sizes, spans, instants, tables. Nothing here is meant to be parsed; that is what `--json` is for. */

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.4 MiB`; three significant digits, whole below 1 KiB. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return 'unknown';
  let value = bytes;
  let unit = 0;
  // 1023.95 would be shown as 1024 of the smaller unit.
  while (Math.abs(value) >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit] ?? 'B'}`;
}

/** `850 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`: two units at most. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
    small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
  if (seconds < 3_600) return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** ISO 8601 in the zone of this machine with its offset: `2026-11-22 09:30:00+01:00`. */
export function formatInstant(instant: string | number): string {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return String(instant);
  const offset = -at.getTimezoneOffset();
  const two = (value: number): string => String(value).padStart(2, '0');
  const zone =
    offset === 0
      ? 'Z'
      : `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return (
    `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
    `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}${zone}`
  );
}

/** `in 3 h 2 min`, `5 min ago`, `now`. */
export function formatDistance(instantMs: number, nowMs: number): string {
  const span = instantMs - nowMs;
  if (Math.abs(span) < 1_000) return 'now';
  return span > 0 ? `in ${formatDuration(span)}` : `${formatDuration(-span)} ago`;
}

/** What is no amount of bytes or of time: two digits after the point, of small ones three that count; no word is `-`. */
export function formatFigure(value: unknown): string {
  if (typeof value !== 'number' || Number.isInteger(value)) return String(value ?? '-');
  return String(Math.abs(value) < 1 ? Number(value.toPrecision(3)) : Math.round(value * 100) / 100);
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const escapeSequence = /\u001b\[[0-9;]*m/g;
const widthOf = (text: string): number => [...text.replace(escapeSequence, '')].length;

export type Column = { readonly title: string; readonly align?: 'left' | 'right' };

/** Columns two spaces apart, the last one unpadded. Cells may carry colours. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(row[index] ?? ''))),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, index) => {
        const cell = cells[index] ?? '';
        const gap = ' '.repeat((widths[index] ?? 0) - widthOf(cell));
        if (column.align === 'right') return gap + cell;
        return index === columns.length - 1 ? cell : cell + gap;
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map((column) => column.title)), ...rows.map(line)].join('\n');
}

/** `name  value` lines, the values below each other. */
export function formatFacts(facts: readonly (readonly [name: string, value: string])[], indent = ''): string {
  const width = Math.max(0, ...facts.map(([name]) => widthOf(name)));
  return facts.map(([name, value]) => `${indent}${name}${' '.repeat(width - widthOf(name))}  ${value}`).join('\n');
}

/**
 * The same value with control characters in its texts made visible. File names and messages of others may carry escape
 * sequences, which would drive the terminal of whoever reads them.
 */
export function withoutControls<T>(value: T): T {
  // The shape stays; only texts change, and no text here is a literal type that a control character could be part of.
  return replaced(value) as T;
}

function replaced(value: unknown): unknown {
  if (typeof value === 'string')
    return value.replace(/\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
      character === '\n' || character === '\t' ? ' ' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  if (Array.isArray(value)) return value.map(replaced);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]: [string, unknown]) => [String(replaced(key)), replaced(inner)]),
    );
  return value;
}

/** At most so many columns of a line; its colours are ended where it is cut. */
export function cutLine(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line;
  let kept = '';
  let width = 0;
  for (const [piece] of line.matchAll(/\u001b\[[0-9;]*m|./gsu)) {
    if (!piece.startsWith('\u001b')) {
      width += 1;
      if (width > columns) break;
    }
    kept += piece;
  }
  return kept.includes('\u001b') ? `${kept}\u001b[0m` : kept;
}
