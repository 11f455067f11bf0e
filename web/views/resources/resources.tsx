import type { OrphanSearch, ResourceSummary } from '../../api/resource-wire.ts';
import { formatBytes } from '../../format.ts';
import { Action, Age, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { operations, targets } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { LeaksPanel, ObservedPanel } from './leaks-panel.tsx';

/** What programs hold, what leaks of it, and what is left over in the stores. */
export function Resources() {
  const ids = (targets.value.value?.items ?? []).map(({ id }) => id);
  return (
    <main class="panels resources">
      <div class="column">
        <LeaksPanel />
        <ObservedPanel />
      </div>
      <div class="column">
        {ids.map((id) => (
          <OrphansPanel key={id} targetId={id} />
        ))}
        <RegisteredPanel />
      </div>
    </main>
  );
}

function RegisteredPanel() {
  const { value, problem } = useFollowed<ResourceSummary>('resources', {
    load: (on) => api.get('api/v1/metrics/resources/summary', on),
    everyMs: () => 30_000,
  });
  const types = Object.entries(value?.resources_by_type ?? {}).filter(([, count]) => count > 0);
  return (
    <section class="panel" aria-labelledby="registered-title">
      <h2 id="registered-title">Registered resources</h2>
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : types.length === 0 ? (
        <p class="empty">No program has told what it holds.</p>
      ) : (
        <table class="figures">
          <caption class="faint">
            {value.total_resources} of at most {value.max_tracked}
          </caption>
          <thead>
            <tr>
              <th scope="col">Type</th>
              <th scope="col">Registered</th>
              <th scope="col">Leaks</th>
            </tr>
          </thead>
          <tbody>
            {types.map(([type, count]) => (
              <tr key={type}>
                <th scope="row">{type}</th>
                <td>{count}</td>
                <td>{value.leaks_by_type[type] ?? 0}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function OrphansPanel({ targetId }: { targetId: string }) {
  const path = `api/v1/targets/${encodeURIComponent(targetId)}/orphans`;
  const searches = (operations.value.value?.items ?? []).filter(({ kind }) => kind === 'target.find-orphans');
  const searching = searches.some(({ state }) => state === 'running');
  // A search that ended has something new to tell; another key asks at once.
  const ended = searches.find(({ finished_at }) => finished_at !== null)?.id ?? '';
  const { value, problem, refresh } = useFollowed<OrphanSearch>(`${path} ${ended}`, {
    load: (on) => api.get(path, on),
    everyMs: () => 30_000,
  });
  const { act, refusal, busy } = useActing(() => Promise.all([refresh(), operations.refresh()]));
  const title = `orphans-${targetId}`;
  return (
    <section class="panel" aria-labelledby={title}>
      <header class="table-head">
        <h2 id={title}>Left over in {targetId}</h2>
        <Action
          label="Look now"
          about={`Look now for what is left over in ${targetId}`}
          why={busy || searching ? 'It is being looked for.' : undefined}
          onPress={() => void act(() => api.post(`${path}/search`))}
        />
      </header>
      {refusal !== undefined && (
        <p class="refusal" role="alert">
          {refusal}
        </p>
      )}
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <p class="faint">
            Looked at <Age at={value.searched_at} none="never" />
            {value.complete ? '' : `; not sure: ${value.why ?? ''}`}
          </p>
          {value.items.length === 0 ? (
            <p class="empty">Nothing is left over.</p>
          ) : (
            <table class="figures">
              <thead>
                <tr>
                  <th scope="col">Kind</th>
                  <th scope="col">Place</th>
                  <th scope="col">Count</th>
                  <th scope="col">Size</th>
                  <th scope="col">Why</th>
                </tr>
              </thead>
              <tbody>
                {value.items.map((one) => (
                  <tr key={`${one.kind} ${one.place} ${one.workspace}`}>
                    <th scope="row">{one.kind}</th>
                    <td>{one.place}</td>
                    <td>{one.count}</td>
                    <td>{one.bytes === null ? <Unknown /> : formatBytes(one.bytes)}</td>
                    <td>{one.reason}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </>
      )}
    </section>
  );
}
