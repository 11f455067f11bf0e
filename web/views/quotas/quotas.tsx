import type { QuotaOverview } from '../../api/quota-wire.ts';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { LedgerPanel } from './ledger.tsx';
import { LimitsPanel } from './limits.tsx';
import { ReservationsPanel } from './reservations.tsx';
import { ViolationsPanel } from './violations.tsx';

/** What may be used, by whom, how much of it is left, and who wanted more. */
export function Quotas() {
  const overview = useFollowed<QuotaOverview>('quotas', {
    load: (on) => api.get('api/v1/metrics/quotas', on),
    everyMs: () => 5_000,
  });
  return (
    <main class="panels quotas">
      <div class="column">
        <LimitsPanel overview={overview} />
      </div>
      <div class="column">
        <LedgerPanel overview={overview} />
        <ViolationsPanel />
        <ReservationsPanel onChanged={overview.refresh} />
      </div>
    </main>
  );
}
