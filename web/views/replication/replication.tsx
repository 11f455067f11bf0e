import type { ReplicationLogEntry, ReplicationStatus } from '../../api/replication-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatBytes, formatDuration, plural } from '../../format.ts';
import { Work } from '../../panels/work.tsx';
import { Word } from '../../parts/mark.tsx';
import { Age, Sentence, Unknown } from '../../parts/text.tsx';
import { type Asked, useFollowed } from '../../state/asked.ts';
import { operations } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { ReplicaItem } from './replica-item.tsx';

/** Where points are copied to, how far behind each place is, and whether they lie where they shall. */
export function Replication() {
  const running = (operations.value.value?.items ?? []).some(
    (one) => one.kind.startsWith('replication.') && one.state === 'running',
  );
  const everyMs = (): number => (running ? 2_000 : 10_000);
  const status = useFollowed<ReplicationStatus>(`status ${running}`, {
    load: (on) => api.get('api/v1/health-dashboard/replication/status', on),
    everyMs,
  });
  const log = useFollowed<Page<ReplicationLogEntry>>(`log ${running}`, {
    load: (on) => api.get('api/v1/backup-replication/replication/logs?limit=30', on),
    everyMs,
  });
  const refresh = (): Promise<unknown> => Promise.all([status.refresh(), log.refresh(), operations.refresh()]);
  return (
    <main class="panels replication">
      <div class="column">
        <TargetsPanel asked={status} onChanged={refresh} />
      </div>
      <div class="column">
        <Work kinds={['replication.sync', 'replication.verify', 'replication.heal']} />
        <PlacementPanel asked={status} />
        <LogPanel asked={log} />
      </div>
    </main>
  );
}

function TargetsPanel({ asked, onChanged }: { asked: Asked<ReplicationStatus>; onChanged(): Promise<unknown> }) {
  const { value, problem } = asked;
  return (
    <section class="panel" aria-labelledby="replicas-title">
      <h2 id="replicas-title">Copies elsewhere</h2>
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <p role="status">
            <Word word={value.status} /> <Sentence text={value.message} />
          </p>
          {value.paused !== null && (
            <p class="trouble">
              Nothing is copied: <Sentence text={value.paused} />
            </p>
          )}
          {value.refused.map((one) => (
            <p key={one.backup_id} class="trouble">
              {one.backup_id} is not handed on: {one.reason}.
            </p>
          ))}
          {value.targets.length === 0 ? (
            <p class="empty">
              No place is registered.{' '}
              <Sentence text="`ragwarden replicate add` does it, or `replication.targets` in the settings file." />
            </p>
          ) : (
            value.targets.map((one) => <ReplicaItem key={one.target_id} replica={one} onChanged={onChanged} />)
          )}
        </>
      )}
    </section>
  );
}

function PlacementPanel({ asked: { value } }: { asked: Asked<ReplicationStatus> }) {
  return (
    <section class="panel" aria-labelledby="placement-title">
      <h2 id="placement-title">Where copies shall lie</h2>
      {value === undefined ? (
        <Unknown />
      ) : value.placement.length === 0 ? (
        <p class="empty">
          No rule is set.{' '}
          <Sentence text="`replication.placement` in the settings file asks for copies, zones and one offline." />
        </p>
      ) : (
        value.placement.map((one) => (
          <div key={one.target}>
            <p>
              <Word word={one.met ? 'passed' : 'failed'} text={one.met ? 'met' : 'not met'} /> {one.target}:{' '}
              {plural(one.copies, 'copy', 'copies')} in {plural(one.zones, 'zone')}
              {one.offline ? ', one offline' : ''}
            </p>
            {one.missing.map((sentence) => (
              <p key={sentence} class="trouble">
                {sentence}
              </p>
            ))}
          </div>
        ))
      )}
    </section>
  );
}

function LogPanel({ asked: { value, problem } }: { asked: Asked<Page<ReplicationLogEntry>> }) {
  return (
    <section class="panel" aria-labelledby="replication-log-title">
      <h2 id="replication-log-title">What was done</h2>
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : value.items.length === 0 ? (
        <p class="empty">Nothing was copied, verified or healed yet.</p>
      ) : (
        <ul class="plain cleanup-list">
          {value.items.map((one) => (
            <li key={one.log_id}>
              <span>
                <Word
                  word={one.status === 'completed' || one.status === 'validated' ? 'success' : one.status}
                  text={one.operation_type}
                />{' '}
                {one.backup_id ?? one.target_id}{' '}
                <span class="faint">{one.backup_id === null ? '' : `→ ${one.target_id}`}</span>
              </span>
              <span>
                <Age at={one.started_at} />
              </span>
              <span class="faint">
                {one.bytes_transferred === null ? '' : `${formatBytes(one.bytes_transferred)} `}
                {one.duration_seconds === null || one.duration_seconds === 0
                  ? ''
                  : `in ${formatDuration(one.duration_seconds)}`}
              </span>
              {one.error_message !== null && <span class="trouble">{one.error_message}</span>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
