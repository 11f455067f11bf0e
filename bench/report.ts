/** What one file of this folder measured. Ratios are ours divided by the reference, both of this run. */
export type Report = {
  /** The row of the list of targets, and what it asks for, in words. */
  readonly row: string;
  readonly target: string;
  /** How it was measured, in a sentence or two. */
  readonly method: string;
  readonly columns: readonly string[];
  readonly lines: readonly (readonly (string | number)[])[];
  readonly figures: readonly Figure[];
};

export type Figure = {
  readonly what: string;
  readonly value: number;
  /** The greatest value that meets the target, or with `atLeast` the least. Without it the figure only informs. */
  readonly limit?: number;
  readonly atLeast?: boolean;
  readonly unit: string;
};

/** `full` is what the documentation shows; `tiny` proves in a test that it runs. */
export type Size = 'full' | 'tiny';

export type Bench = { readonly name: string; run(size: Size): Promise<Report> };

/** A reference that this machine lacks. */
export class Skipped extends Error {}

export const isMet = ({ value, limit, atLeast }: Figure): boolean | undefined =>
  limit === undefined ? undefined : atLeast ? value >= limit : value <= limit;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Three figures that count: 0.0123, 1.23, 123, 1230. */
export const short = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(value >= 100 ? Math.ceil(Math.log10(value)) : 3))) : '–';

const table = (columns: readonly string[], lines: readonly (readonly (string | number)[])[]): string =>
  [columns, columns.map(() => '---'), ...lines]
    .map((cells) => `| ${cells.map((cell) => (typeof cell === 'number' ? short(cell) : cell)).join(' | ')} |`)
    .join('\n');

export function renderReport(report: Report): string {
  const figures = report.figures.map((figure) => {
    const met = isMet(figure);
    const wanted =
      figure.limit === undefined ? '' : `${figure.atLeast ? '≥' : '≤'} ${short(figure.limit)} ${figure.unit}`;
    return [
      figure.what,
      `${short(figure.value)} ${figure.unit}`,
      wanted,
      met === undefined ? '' : met ? 'met' : '**missed**',
    ];
  });
  return [
    `## ${report.row}`,
    `Wanted: ${report.target}`,
    report.method,
    table(report.columns, report.lines),
    table(['figure', 'measured', 'wanted', ''], figures),
  ].join('\n\n');
}
