import type { ApplyPlan, Revision } from '../../api/tuning-wire.ts';
import type { Page } from '../../api/wire.ts';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { AdvicePanel } from './advice.tsx';
import { ApplyingPanel } from './applying.tsx';
import { HistoryPanel } from './history.tsx';
import { ProvidersPanel } from './providers.tsx';
import { ValuesPanel } from './values.tsx';

/** The backend's parameters: what counts, how it came to be so, and what the backend was told of it. */
export function Tuning() {
  const revisions = useFollowed<Page<Revision>>('revisions', {
    load: (on) => api.get('api/v1/tuning/revisions?limit=30', on),
    everyMs: () => 15_000,
  });
  const plan = useFollowed<ApplyPlan>('plan', {
    load: (on) => api.get('api/v1/tuning/plan', on),
    everyMs: () => 15_000,
  });
  const refresh = (): Promise<unknown> => Promise.all([revisions.refresh(), plan.refresh()]);
  return (
    <main class="panels">
      <div class="column">
        <ValuesPanel onChanged={refresh} />
        <AdvicePanel onChanged={refresh} />
      </div>
      <div class="column">
        <ApplyingPanel plan={plan} />
        <ProvidersPanel onChanged={refresh} />
        <HistoryPanel asked={revisions} onChanged={refresh} />
      </div>
    </main>
  );
}
