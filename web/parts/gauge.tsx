import type { Level } from './mark.tsx';

/** A bar from 0 to 100. The percentage stands beside it in text, so the drawing is silent for screen readers. */
export function Gauge({ percent, level = 'none' }: { percent: number | null | undefined; level?: Level }) {
  return (
    <svg class={`gauge is-${level}`} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="8" />
      {percent !== null && percent !== undefined && (
        <rect class="fill" width={Math.min(100, Math.max(0, percent))} height="8" />
      )}
    </svg>
  );
}

/** One thin column per core. */
export function Cores({ cores }: { cores: readonly (number | null)[] }) {
  const step = 100 / Math.max(1, cores.length);
  return (
    <svg class="cores" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      {cores.map((percent, core) => {
        const height = ((percent ?? 0) / 100) * 24;
        const x = core * step + step * 0.08;
        return (
          <g key={core}>
            <rect class="track" x={x} y="0" width={step * 0.84} height="24" />
            <rect class="fill" x={x} y={24 - height} width={step * 0.84} height={height} />
          </g>
        );
      })}
    </svg>
  );
}

export type CurvePoint = { readonly atMs: number; readonly value: number | undefined };

/** Splits at what is not known: a gap is drawn as a gap. Coordinates in a 100 by 24 box. */
export function curvePaths(
  points: readonly CurvePoint[],
  span: { fromMs: number; toMs: number; greatest: number },
): string[] {
  const width = Math.max(1, span.toMs - span.fromMs);
  const greatest = span.greatest > 0 ? span.greatest : 1;
  const paths: string[] = [];
  let open = '';
  for (const { atMs, value } of points) {
    if (value === undefined) {
      if (open !== '') paths.push(open);
      open = '';
      continue;
    }
    const x = Math.min(100, Math.max(0, ((atMs - span.fromMs) / width) * 100));
    const y = 23 - Math.min(1, Math.max(0, value / greatest)) * 22;
    open += `${open === '' ? 'M' : 'L'}${x.toFixed(2)} ${y.toFixed(2)}`;
  }
  if (open !== '') paths.push(open);
  return paths;
}

export function Curve(props: {
  points: readonly CurvePoint[];
  fromMs: number;
  toMs: number;
  greatest: number;
  name: string;
}) {
  const paths = curvePaths(props.points, props);
  return (
    <svg class="curve" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={props.name}>
      <title>{props.name}</title>
      <path class="base" d="M0 23.5H100" />
      {paths.map((path) => (
        <path key={path} class="line" d={path} />
      ))}
    </svg>
  );
}
