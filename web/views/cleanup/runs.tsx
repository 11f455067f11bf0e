import type { CleanupHistory, CleanupRun } from '../../api/cleanup-wire.ts';
import { formatBytes, formatCount, formatPercent, formatSeconds, plural } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { Age, Fact, Trouble, Unknown } from '../../parts/text.tsx';
import type { Followed } from '../../state/asked.ts';

/** What was cleaned up, by whom, and how it ended. */
export function RunsPanel({ asked: { value, problem } }: { asked: Followed<CleanupHistory> }) {
  return (
    <section class="panel" aria-labelledby="runs-title">
      <h2 id="runs-title">Runs</h2>
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : value.items.length === 0 ? (
        <p class="empty">Nothing was cleaned up yet.</p>
      ) : (
        <>
          <dl class="facts">
            <Fact name="Freed in all">
              {formatBytes(value.totals.total_bytes_freed)} · {plural(value.totals.total_resources_cleaned, 'item')}
            </Fact>
            <Fact name="Success">
              {value.totals.success_rate === null ? <Unknown /> : formatPercent(value.totals.success_rate * 100)}
              <span class="faint"> · {plural(value.totals.total_failed_runs, 'failure')}</span>
            </Fact>
            <Fact name="Under way · waiting">
              {formatCount(value.totals.running_tasks)} · {formatCount(value.totals.queued_tasks)}
            </Fact>
          </dl>
          <Table
            name="Runs, newest first"
            rows={value.items}
            keyOf={(run) => run.run_id}
            empty="Nothing was cleaned up yet."
            atOnce={10}
            leftOut={value.total - value.items.length}
            columns={columns}
          />
        </>
      )}
    </section>
  );
}

const stayedOf = (run: CleanupRun): string =>
  (
    [
      ['stayed', run.skipped],
      ['failed', run.failed],
      ['left for the next run', run.left_over],
    ] as const
  )
    .filter(([, count]) => count > 0)
    .map(([word, count]) => ` · ${formatCount(count)} ${word}`)
    .join('');

const columns: readonly Column<CleanupRun>[] = [
  {
    title: 'Run',
    cell: (run) => (
      <>
        <Word word={run.outcome} /> <strong>{run.task_id ?? run.strategy}</strong>
        <span class="rule-says faint">
          {run.started_by}
          {run.retry_attempt > 0 && ` · try ${run.retry_attempt + 1}`}
          {stayedOf(run)}
        </span>
        {run.outcome !== 'success' && run.outcome !== 'running' && (
          <span class="rule-says trouble">{run.error ?? run.message}</span>
        )}
      </>
    ),
  },
  { title: 'Begun', cell: (run) => <Age at={run.started_at} /> },
  {
    title: 'Items',
    kind: 'figure',
    cell: (run) => formatCount(run.resources_cleaned),
    order: (run) => run.resources_cleaned,
  },
  { title: 'Freed', kind: 'figure', cell: (run) => formatBytes(run.bytes_freed), order: (run) => run.bytes_freed },
  {
    title: 'Took',
    kind: 'figure',
    cell: (run) => (run.execution_time_seconds === null ? '' : formatSeconds(run.execution_time_seconds)),
    order: (run) => run.execution_time_seconds,
  },
];
