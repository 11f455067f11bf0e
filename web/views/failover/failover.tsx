import { useState } from 'preact/hooks';
import type { Failover, FailoverStatus } from '../../api/failover-wire.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { operations, targets } from '../../state/page-state.ts';
import { usePaged } from '../../state/paged.ts';
import { api } from '../../state/session.ts';
import { changeUrl, urlState } from '../../state/url.ts';
import { CheckpointsPanel } from './checkpoints.tsx';
import { HistoryPanel } from './history.tsx';
import { PlacesPanel } from './places.tsx';
import { type Order, ProcedurePanel } from './procedure.tsx';

/** Bringing a target up at its other place, step by step: what would happen, what does, and what became of it. */
export function FailoverView() {
  const ids = (targets.value.value?.items ?? []).map(({ id }) => id);
  const asked = urlState.value.target;
  const targetId = asked !== undefined && ids.includes(asked) ? asked : ids[0];
  return (
    <main class="panels failover">
      {targetId === undefined ? (
        <p class="empty">{targets.value.value === undefined ? <Unknown /> : 'No target is configured.'}</p>
      ) : (
        <OfTarget key={targetId} targetId={targetId} ids={ids} />
      )}
    </main>
  );
}

function OfTarget({ targetId, ids }: { targetId: string; ids: readonly string[] }) {
  const query = `target=${encodeURIComponent(targetId)}`;
  const status = useFollowed<FailoverStatus>(`failover ${targetId}`, {
    load: (on) => api.get(`api/v1/recovery/failover?${query}`, on),
    everyMs: (value) => (value?.running ? 1_000 : 5_000),
  });
  const running = status.value?.running?.failover_id;
  const past = usePaged<Failover>(`api/v1/recovery/failovers?${query}`, {
    step: 20,
    everyMs: () => (running === undefined ? 15_000 : 5_000),
  });
  const [order, setOrder] = useState<Order>();
  const refresh = (): Promise<unknown> => Promise.all([status.refresh(), past.refresh(), operations.refresh()]);
  return (
    <>
      <div class="column">
        {ids.length > 1 && (
          <label class="filter">
            Target
            <select value={targetId} onChange={(event) => changeUrl({ target: event.currentTarget.value })}>
              {ids.map((id) => (
                <option key={id}>{id}</option>
              ))}
            </select>
          </label>
        )}
        <PlacesPanel asked={status} targetId={targetId} onOrder={setOrder} />
        {status.value !== undefined && (
          <ProcedurePanel status={status.value} order={order} onOrder={setOrder} onChanged={refresh} />
        )}
        <HistoryPanel asked={past} />
      </div>
      <div class="column">
        <CheckpointsPanel
          targetId={targetId}
          mayFailOver={status.value?.allowed.includes('failover') === true}
          onFailOver={(checkpoint) => setOrder({ kind: 'failover', checkpoint })}
        />
      </div>
      {status.value === undefined && status.problem !== undefined && <Loaded asked={status}>{() => null}</Loaded>}
    </>
  );
}
