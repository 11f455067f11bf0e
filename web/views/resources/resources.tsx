import type { OrphanSearch, ResourceSummary } from '../../api/resource-wire.ts';
import { formatBytes, formatCount } from '../../format.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { Table } from '../../parts/table.tsx';
import { Action, Age, Unknown } from '../../parts/text.tsx';
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
      <Table
        name="Registered resources"
        rows={value && types}
        problem={problem}
        keyOf={([type]) => type}
        empty="No program has told what it holds."
        columns={[
          { title: 'Type', cell: ([type]) => type, order: ([type]) => type },
          { title: 'Registered', kind: 'figure', cell: ([, count]) => formatCount(count), order: ([, count]) => count },
          {
            title: 'Leaks',
            kind: 'figure',
            cell: ([type]) => formatCount(value?.leaks_by_type[type] ?? 0),
            order: ([type]) => value?.leaks_by_type[type] ?? 0,
            look: ([type]) => ((value?.leaks_by_type[type] ?? 0) > 0 ? 'is-failed' : undefined),
          },
        ]}
      />
      {value !== undefined && types.length > 0 && (
        <p class="faint">
          {formatCount(value.total_resources)} of at most {formatCount(value.max_tracked)}
        </p>
      )}
    </section>
  );
}

function OrphansPanel({ targetId }: { targetId: string }) {
  const path = `api/v1/targets/${encodeURIComponent(targetId)}/orphans`;
  const searches = (operations.value.value?.items ?? []).filter(({ kind }) => kind === 'target.find-orphans');
  const searching = searches.some(({ state }) => state === 'running');
  // A search that ended has something new to tell.
  const ended = searches.find(({ finished_at }) => finished_at !== null)?.id ?? '';
  const { value, problem, refresh } = useFollowed<OrphanSearch>(
    path,
    { load: (on) => api.get(path, on), everyMs: () => 30_000 },
    ended,
  );
  const { act, refusal, busy } = useActing(() => Promise.all([refresh(), operations.refresh()]));
  const title = `orphans-${targetId}`;
  return (
    <section class="panel" aria-labelledby={title}>
      <header class="panel-head">
        <h2 id={title}>Left over in {targetId}</h2>
        <Action
          label="Look now"
          about={`Look now for what is left over in ${targetId}`}
          why={busy || searching ? 'It is being looked for.' : undefined}
          onPress={() => void act(() => api.post(`${path}/search`))}
        />
      </header>
      <Refusal text={refusal} />
      {value !== undefined && value.searched_at !== null && (
        <p class="faint">
          Looked at <Age at={value.searched_at} none="never" />
          {value.complete ? '' : `; not sure: ${value.why ?? ''}`}
        </p>
      )}
      <Table
        name={`Left over in ${targetId}`}
        rows={value?.items}
        problem={problem}
        keyOf={(one) => `${one.kind} ${one.place} ${one.workspace}`}
        needs={36}
        empty={value?.searched_at === null ? value.why : 'Nothing is left over.'}
        columns={[
          { title: 'Kind', cell: (one) => one.kind },
          { title: 'Place', cell: (one) => one.place, look: () => 'is-long' },
          { title: 'Count', kind: 'figure', cell: (one) => formatCount(one.count), order: (one) => one.count },
          {
            title: 'Size',
            kind: 'figure',
            cell: (one) => (one.bytes === null ? <Unknown text="unknown" /> : formatBytes(one.bytes)),
            order: (one) => one.bytes,
          },
          { title: 'Why', cell: (one) => one.reason, look: () => 'is-wide' },
        ]}
      />
    </section>
  );
}
