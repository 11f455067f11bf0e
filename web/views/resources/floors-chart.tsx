import type { Evidence } from '../../api/resource-wire.ts';
import { formatBytes } from '../../format.ts';

const width = 600;
const height = 120;

const amount = (value: number, unit: Evidence['unit']): string =>
  unit === 'bytes' ? formatBytes(value) : String(Math.round(value * 10) / 10);

/** The lowest of each quarter of an hour; a line for each run of the service. */
export function FloorsChart({ evidence }: { evidence: Evidence }) {
  const { points, unit } = evidence;
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined)
    return <p class="empty">Nothing was kept yet: the first quarter of an hour is not over.</p>;
  const from = Date.parse(first.at);
  const span = Math.max(1, Date.parse(last.at) - from);
  const most = Math.max(1e-9, ...points.map(({ value }) => value));
  const runs: string[][] = [];
  let age = Number.POSITIVE_INFINITY;
  for (const { at, value, up_seconds: up } of points) {
    if (up < age) runs.push([]);
    age = up;
    const x = (width * (Date.parse(at) - from)) / span;
    runs.at(-1)?.push(`${x.toFixed(1)},${(height - (height * value) / most).toFixed(1)}`);
  }
  const least = Math.min(...points.map(({ value }) => value));
  const about = `${evidence.measure} of ${evidence.subject}: from ${amount(first.value, unit)} to ${amount(last.value, unit)} in ${Math.round(span / 3_600_000)} hours, least ${amount(least, unit)}, most ${amount(most, unit)}`;
  return (
    <figure class="floors">
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={about}>
        {runs.map((run) => (
          <polyline key={run[0]} points={run.join(' ')} vector-effect="non-scaling-stroke" />
        ))}
      </svg>
      <figcaption class="faint">{about}.</figcaption>
    </figure>
  );
}
