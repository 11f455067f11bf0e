import type { CleanupHistory, CleanupTask, Quarantine } from '../../api/cleanup-wire.ts';
import type { Operation, Page } from '../../api/wire.ts';
import { Work } from '../../panels/work.tsx';
import { useFollowed } from '../../state/asked.ts';
import { operations } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { PlanPanel } from './plan.tsx';
import { QuarantinePanel } from './quarantine.tsx';
import { RunsPanel } from './runs.tsx';
import { TasksPanel } from './tasks.tsx';

const root = 'api/v1/metrics/cleanup';

/** What ended has changed what is told here: it is asked for at once. */
const newestEnded = (list: readonly Operation[] | undefined): string =>
  list?.find((one) => one.kind.startsWith('cleanup.') && one.finished_at !== null)?.id ?? '';

/** What may go: shown first, carried out, and brought back while it lasts. */
export function Cleanup() {
  const running = (operations.value.value?.items ?? []).some(
    (one) => one.kind.startsWith('cleanup.') && one.state === 'running',
  );
  const everyMs = (): number => (running ? 2_000 : 10_000);
  const key = `${newestEnded(operations.value.value?.items)} ${running}`;
  const tasks = useFollowed<Page<CleanupTask> & { is_running: boolean }>(
    'tasks',
    { load: (on) => api.get(`${root}/tasks`, on), everyMs },
    key,
  );
  const history = useFollowed<CleanupHistory>(
    'history',
    { load: (on) => api.get(`${root}/history?limit=30`, on), everyMs },
    key,
  );
  const quarantine = useFollowed<Quarantine>(
    'quarantine',
    { load: (on) => api.get(`${root}/quarantine?limit=100`, on), everyMs },
    key,
  );
  const refresh = (): Promise<unknown> =>
    Promise.all([tasks.refresh(), history.refresh(), quarantine.refresh(), operations.refresh()]);
  return (
    <main class="panels cleanup">
      <div class="column">
        <PlanPanel onChanged={refresh} />
        <TasksPanel asked={tasks} onChanged={refresh} />
      </div>
      <div class="column">
        <Work kinds={['cleanup.run', 'cleanup.undo']} />
        <QuarantinePanel asked={quarantine} onChanged={refresh} />
        <RunsPanel asked={history} />
      </div>
    </main>
  );
}
