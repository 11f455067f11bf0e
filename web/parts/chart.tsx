import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { formatAxisTimes, formatMetric } from '../format-metric.ts';
import { alone, type Chart } from '../state/metric-chart.ts';
import type { AskedRange } from '../state/metric-question.ts';
import { colourOf, dashOf } from './line-style.tsx';

type Props = {
  readonly chart: Chart;
  readonly unit: string;
  readonly range: AskedRange;
  readonly name: string;
  /** The window that is pointed at, by pointer or arrow keys. */
  onPoint?(at: number | undefined): void;
  onZoom?(fromMs: number, toMs: number): void;
  /** Pixels. */
  readonly height?: number;
};

const usualHeight = 300;

/** Drawn anew for other series or other colours; new values of the same series only move it on. */
export function MetricChart(props: Props) {
  const room = useRef<HTMLDivElement>(null);
  const drawn = useRef<{ plot: uPlot; names: string } | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const names = props.chart.series.map((one) => one.name).join('\n');

  useEffect(() => {
    const host = room.current;
    if (host === null) return undefined;
    const draw = (): void => {
      drawn.current?.plot.destroy();
      const plot = new uPlot(optionsFor(latest, host.clientWidth), dataOf(latest.current.chart), host);
      drawn.current = { plot, names };
    };
    draw();
    const size = new ResizeObserver(() =>
      drawn.current?.plot.setSize({ width: host.clientWidth, height: latest.current.height ?? usualHeight }),
    );
    size.observe(host);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      scheme.removeEventListener('change', draw);
      size.disconnect();
      drawn.current?.plot.destroy();
      drawn.current = undefined;
    };
  }, [names, props.unit]);

  useEffect(() => {
    if (drawn.current?.names === names) drawn.current.plot.setData(dataOf(props.chart));
  }, [props.chart, names]);

  /** Left and right go from window to window, Escape leaves. */
  const onKeyDown = (event: KeyboardEvent): void => {
    const plot = drawn.current?.plot;
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (plot === undefined || (step === 0 && event.key !== 'Escape')) return;
    event.preventDefault();
    const last = props.chart.times.length - 1;
    const to = (plot.cursor.idx ?? last + 1) + step;
    if (step === 0) plot.setCursor({ left: -10, top: -10 });
    else {
      const atMs = props.chart.times[Math.min(last, Math.max(0, to))] ?? 0;
      plot.setCursor({ left: plot.valToPos(atMs, 'x'), top: plot.height / 4 });
    }
  };

  return (
    <div
      ref={room}
      class="chart"
      role="img"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys go through its windows
      tabIndex={0}
      aria-label={`${props.name}: ${props.chart.series.length} series. Left and right go from window to window.`}
      onKeyDown={onKeyDown}
    />
  );
}

const dataOf = ({ times, series }: Chart): uPlot.AlignedData => [
  times as number[], // uPlot does not write to them
  ...series.map((one) => one.values as (number | null)[]),
];

function optionsFor(latest: { readonly current: Props }, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const { chart, unit, height = usualHeight } = latest.current;
  const axis = {
    stroke: colour('--faint'),
    font: '12px system-ui, sans-serif',
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1, size: 4 },
  };
  return {
    width,
    height,
    ms: 1,
    legend: { show: false },
    padding: [12, 28, 0, 0],
    scales: {
      // What was asked for, also where it begins or ends with a gap.
      x: { range: () => [latest.current.range.fromMs, latest.current.range.toMs] },
      y: { range: (_, least, greatest) => scaleOf(least, greatest, unit) },
    },
    axes: [
      { ...axis, values: (_, marks, __, ___, apart) => formatAxisTimes(marks, apart) },
      {
        ...axis,
        values: (_, marks) => marks.map((value) => formatMetric(value, unit)),
        size: (_, texts) => 14 + 6.6 * Math.max(4, ...(texts ?? []).map((text) => text.length)),
        ...(unit.startsWith('bytes') ? { incrs: binarySteps } : {}),
      },
    ],
    series: [
      {},
      ...chart.series.map(
        (one, place): uPlot.Series => ({
          label: one.name,
          stroke: colour(colourOf(place)),
          width: 1.5,
          dash: [...dashOf(place)],
          spanGaps: false,
          points: {
            show: true,
            size: 4,
            fill: colour(colourOf(place)),
            filter: (plot, at) => alone([...(plot.data[at] ?? [])]),
          },
        }),
      ),
    ],
    cursor: {
      y: false,
      drag: { x: latest.current.onZoom !== undefined, y: false, setScale: false },
      points: { size: 6 },
    },
    hooks: {
      setCursor: [
        (plot) => latest.current.onPoint?.((plot.cursor.left ?? -1) < 0 ? undefined : (plot.cursor.idx ?? undefined)),
      ],
      setSelect: [
        (plot) => {
          const { left, width: wide } = plot.select;
          // A press that hardly moved is no choice of a range.
          if (wide < 8) return;
          latest.current.onZoom?.(plot.posToVal(left, 'x'), plot.posToVal(left + wide, 'x'));
        },
      ],
    },
  };
}

const binarySteps = Array.from({ length: 45 }, (_, power) => 2 ** power);

/** From zero, unless something lies below; a percentage of which most is used ends at the whole. */
function scaleOf(least: number | null, greatest: number | null, unit: string): [number, number] {
  const from = Math.min(0, least ?? 0);
  const to = Math.max(0, greatest ?? 0);
  if (from === to) return [0, 1];
  if (unit === 'percent' && from === 0 && to > 60 && to <= 100) return [0, 100];
  const room = (to - from) * 0.06;
  return [from === 0 ? 0 : from - room, to === 0 ? 0 : to + room];
}
