/** Small least squares by normal equations: a handful of columns, a hundred points. */
export type Fit = { readonly rss: number; readonly coefficients: readonly number[] };

const pivotFloor = 1e-10;

/** @returns an infinite `rss` where the columns do not tell each other apart */
export function fitColumns(columns: readonly Float64Array[], y: Float64Array): Fit {
  const k = columns.length;
  const n = y.length;
  const rows: Float64Array[] = [];
  for (let i = 0; i < k; i += 1) {
    const row = new Float64Array(k + 1);
    const a = columns[i] as Float64Array; // below its length
    for (let j = 0; j < i; j += 1) row[j] = (rows[j] as Float64Array)[i] as number; // symmetric
    for (let j = i; j < k; j += 1) {
      const b = columns[j] as Float64Array; // likewise
      let sum = 0;
      for (let t = 0; t < n; t += 1) sum += (a[t] as number) * (b[t] as number);
      row[j] = sum;
    }
    let sum = 0;
    for (let t = 0; t < n; t += 1) sum += (a[t] as number) * (y[t] as number);
    row[k] = sum;
    rows.push(row);
  }
  const scale = rows.map((row, i) => Math.max(row[i] as number, 1e-300));
  for (let i = 0; i < k; i += 1) {
    const row = rows[i] as Float64Array;
    const pivot = row[i] as number;
    // Symmetric and positive: no exchange of rows is needed.
    if (pivot < pivotFloor * (scale[i] as number)) return { rss: Number.POSITIVE_INFINITY, coefficients: [] };
    for (let r = i + 1; r < k; r += 1) {
      const other = rows[r] as Float64Array;
      const factor = (other[i] as number) / pivot;
      if (factor !== 0) for (let c = i; c <= k; c += 1) other[c] = (other[c] as number) - factor * (row[c] as number);
    }
  }
  const coefficients = new Array<number>(k).fill(0);
  for (let i = k - 1; i >= 0; i -= 1) {
    const row = rows[i] as Float64Array;
    let value = row[k] as number;
    for (let c = i + 1; c < k; c += 1) value -= (row[c] as number) * (coefficients[c] as number);
    coefficients[i] = value / (row[i] as number);
  }
  let rss = 0;
  for (let t = 0; t < n; t += 1) {
    let rest = y[t] as number;
    for (let i = 0; i < k; i += 1) rest -= (coefficients[i] as number) * ((columns[i] as Float64Array)[t] as number);
    rss += rest * rest;
  }
  return { rss, coefficients };
}
