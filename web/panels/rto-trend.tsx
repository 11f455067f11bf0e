import { formatDuration, formatExact, formatSeconds } from '../format.ts';
import { layTrend, type TrendPoint } from '../state/rto-trend.ts';

/** The measured time to restore, drill after drill, against the objective. */
export function RtoTrend(props: { trend: readonly (TrendPoint & { drill_id: string })[]; objectiveSeconds: number }) {
  const { trend, objectiveSeconds } = props;
  // One measurement is no course, and stands above in figures.
  if (trend.length < 2) return null;
  const { dots, objectiveY } = layTrend(trend, objectiveSeconds);
  const beyond = objectiveY <= 0;
  return (
    <figure class="trend">
      <figcaption>
        RTO over the drills <span class="faint">objective {formatDuration(objectiveSeconds)}</span>
        {beyond && <span class="faint">, far above</span>}
      </figcaption>
      <svg class="trend-drawing" role="img" aria-label={`RTO over ${trend.length} drills`}>
        <title>RTO over the drills</title>
        {!beyond && <line class="trend-objective" x1="0" x2="100%" y1={`${objectiveY}%`} y2={`${objectiveY}%`} />}
        {dots.map((dot, place) => {
          const before = dots[place - 1];
          return (
            <g key={dot.x} class={dot.missed ? 'is-warn' : 'is-good'}>
              {before && (
                <line class="trend-line" x1={`${before.x}%`} y1={`${before.y}%`} x2={`${dot.x}%`} y2={`${dot.y}%`} />
              )}
              <circle class="trend-dot" cx={`${dot.x}%`} cy={`${dot.y}%`} r="3.5" />
            </g>
          );
        })}
      </svg>
      <details class="timeline-list">
        <summary>As a list</summary>
        <ol>
          {trend.map((one) => (
            <li key={one.drill_id}>
              {formatExact(Date.parse(one.at))}: {formatSeconds(one.rto_seconds)}
            </li>
          ))}
        </ol>
      </details>
    </figure>
  );
}
