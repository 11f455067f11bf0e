import { useState } from 'preact/hooks';
import type { Labels } from '../../api/metric-wire.ts';
import { formatExact, formatInstant } from '../../format.ts';
import { formatMetric } from '../../format-metric.ts';
import { LineSample } from '../../parts/line-style.tsx';
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
  return (
    <div class="table-room">
      <table class="series-table">
        <caption class="visually-hidden">Series of the chart, the greatest first</caption>
        <thead>
          <tr>
            <th scope="col">Series</th>
            <th scope="col" class="number">
              {atMs === undefined ? 'Pointed at' : formatInstant(atMs, nowMs.value)}
            </th>
            <th scope="col" class="number">
              Latest
            </th>
            <th scope="col" class="number">
              Least
            </th>
            <th scope="col" class="number">
              Greatest
            </th>
          </tr>
        </thead>
        <tbody>
          {chart.series.map((one, place) => (
            <tr key={one.name}>
              <th scope="row">
                <LineSample place={place} />
                {chart.series.length > 1 ? (
                  <button type="button" class="series-name" title="Only this series" onClick={() => onOnly(one.labels)}>
                    {one.name}
                  </button>
                ) : (
                  <span class="series-name">{one.name}</span>
                )}
              </th>
              <td class="number" data-name="Pointed at">
                {at === undefined ? shown(undefined) : shown(one.values[at])}
              </td>
              <td class="number" data-name="Latest">
                {shown(one.latest?.value)}
                <Old series={one} isOld={one.latest !== undefined && end - one.latest.atMs > 2_000 * stepSeconds} />
              </td>
              <td class="number" data-name="Least">
                {shown(one.least)}
              </td>
              <td class="number" data-name="Greatest">
                {shown(one.greatest)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
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
          <table>
            <thead>
              <tr>
                <th scope="col">Window from</th>
                {chart.series.map((one) => (
                  <th key={one.name} scope="col" class="number">
                    {one.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {chart.times
                .map((atMs, place) => (
                  <tr key={atMs}>
                    <th scope="row">{formatExact(atMs)}</th>
                    {chart.series.map((one) => {
                      const value = one.values[place] ?? null;
                      return (
                        <td key={one.name} class="number">
                          {value === null ? <span class="faint">–</span> : formatMetric(value, unit)}
                        </td>
                      );
                    })}
                  </tr>
                ))
                .reverse()}
            </tbody>
          </table>
        </section>
      )}
    </details>
  );
}
