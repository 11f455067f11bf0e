import type { ReplicationLogEntry, ReplicationStatus } from '../../api/replication-wire.ts';
import type { Page } from '../../api/wire.ts';
import { Work } from '../../panels/work.tsx';
import { useFollowed } from '../../state/asked.ts';
import { operations } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { LogPanel } from './log.tsx';
import { PlacementPanel } from './placement.tsx';
import { ReceivedPanel } from './received.tsx';
import { ReplicasPanel } from './replicas.tsx';

const kinds = [
  ...['replication.sync', 'replication.verify', 'replication.heal', 'replication.prune', 'replication.adopt'],
];

/** Where points are copied to, how far behind each place is, and whether they lie where they shall. */
export function Replication() {
  const work = (operations.value.value?.items ?? []).filter(({ kind }) => kinds.includes(kind));
  const running = work.filter(({ state }) => state === 'running').map(({ id }) => id);
  const everyMs = (): number => (running.length > 0 ? 2_000 : 10_000);
  // What began or ended has changed what is told here.
  const changed = `${work.find(({ finished_at }) => finished_at !== null)?.id ?? ''} ${running.join(' ')}`;
  const status = useFollowed<ReplicationStatus>(
    'replication',
    {
      load: (on) => api.get('api/v1/health-dashboard/replication/status', on),
      everyMs: (value) => (value?.targets.some((one) => one.status === 'unknown') ? 2_000 : everyMs()),
    },
    changed,
  );
  // Who works where stands in the log; the operation itself does not say it.
  const under = useFollowed<Page<ReplicationLogEntry>>(
    'under way',
    {
      load: (on) => api.get('api/v1/backup-replication/replication/logs?status=in_progress&limit=100', on),
      everyMs,
    },
    changed,
  );
  const refresh = (): Promise<unknown> => Promise.all([status.refresh(), under.refresh(), operations.refresh()]);
  return (
    <main class="panels replication">
      <div class="column">
        <ReplicasPanel asked={status} onChanged={refresh} />
        <ReceivedPanel changed={changed} onChanged={refresh} />
      </div>
      <div class="column">
        <Work
          kinds={kinds}
          about={({ id }) => under.value?.items.find(({ operation_id }) => operation_id === id)?.target_id}
        />
        <PlacementPanel asked={status} />
        <LogPanel places={status.value?.targets ?? []} changed={changed} />
      </div>
    </main>
  );
}
