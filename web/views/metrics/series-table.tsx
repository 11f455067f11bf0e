import { useState } from 'preact/hooks';
import type { Labels } from '../../api/metric-wire.ts';
import { formatExact, formatInstant } from '../../format.ts';
import { formatMetric } from '../../format-metric.ts';
import { LineSample } from '../../parts/line-style.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { Age } from '../../parts/text.tsx';
import type { Chart, ChartSeries } from '../../state/metric-chart.ts';
import { nowMs } from '../../state/page-state.ts';

type Props = {
  readonly chart: Chart;
  readonly unit: string;
  readonly stepSeconds: number;
  /** The window that is pointed at in the chart. */
  readonly at: number | undefined;
  onOnly(labels: Labels): void;
};

/** The legend with figures: what each line is, its latest value and its bounds. */
export function SeriesTable({ chart, unit, stepSeconds, at, onOnly }: Props) {
  const atMs = at === undefined ? undefined : chart.times[at];
  const end = chart.times.at(-1) ?? 0;
  const shown = (value: number | null | undefined) =>
    value === undefined || value === null ? <span class="faint">–</span> : formatMetric(value, unit);
  const figure = (title: string, value: (one: ChartSeries) => number | null | undefined): Column<ChartSeries> => ({
    title,
    kind: 'figure',
    cell: (one) => shown(value(one)),
    order: (one) => value(one) ?? null,
  });
  return (
    <Table
      name="Series of the chart, the greatest first"
      rows={chart.series}
      keyOf={(one) => one.name}
      empty="Nothing is drawn."
      columns={[
        {
          title: 'Series',
          cell: (one) => (
            <>
              <LineSample place={chart.series.indexOf(one)} />
              {chart.series.length > 1 ? (
                <button type="button" class="series-name" title="Only this series" onClick={() => onOnly(one.labels)}>
                  {one.name}
                </button>
              ) : (
                <span class="series-name">{one.name}</span>
              )}
            </>
          ),
        },
        {
          title: 'Pointed at',
          kind: 'figure',
          look: () => 'is-pointed-at',
          head: atMs === undefined ? 'Pointed at' : formatInstant(atMs, nowMs.value),
          cell: (one) => shown(at === undefined ? undefined : one.values[at]),
        },
        {
          ...figure('Latest', (one) => one.latest?.value),
          cell: (one) => (
            <>
              {shown(one.latest?.value)}
              <Old series={one} isOld={one.latest !== undefined && end - one.latest.atMs > 2_000 * stepSeconds} />
            </>
          ),
        },
        figure('Least', (one) => one.least),
        figure('Greatest', (one) => one.greatest),
      ]}
    />
  );
}

/** A latest value of long ago is no present one. */
function Old({ series, isOld }: { series: ChartSeries; isOld: boolean }) {
  if (!isOld || series.latest === undefined) return null;
  return (
    <span class="faint">
      {' '}
      <Age at={new Date(series.latest.atMs).toISOString()} />
    </span>
  );
}

/** Every window in figures, newest first: what the drawing shows, for those who cannot see it. */
export function WindowTable({ chart, unit }: { chart: Chart; unit: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="windows" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a table</summary>
      {open && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard reaches it to scroll
        <section class="table-room is-tall" tabIndex={0} aria-label="Every window">
          <Table
            name="Every window, the newest first"
            wide
            rows={chart.times.map((atMs, place) => ({ atMs, place })).toReversed()}
            keyOf={({ atMs }) => String(atMs)}
            empty="There is none."
            columns={[
              { title: 'Window from', cell: ({ atMs }) => formatExact(atMs) },
              ...chart.series.map(
                (one): Column<{ place: number }> => ({
                  title: one.name,
                  kind: 'figure',
                  cell: ({ place }) => {
                    const value = one.values[place] ?? null;
                    return value === null ? <span class="faint">–</span> : formatMetric(value, unit);
                  },
                }),
              ),
            ]}
          />
        </section>
      )}
    </details>
  );
}
