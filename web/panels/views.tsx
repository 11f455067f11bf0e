import { formatCount } from '../format.ts';
import { Link } from '../parts/link.tsx';
import { firing } from '../state/page-state.ts';
import { addressOf, openView, urlState, type View, views } from '../state/url.ts';

const names: Readonly<Record<View, string>> = {
  overview: 'Overview',
  health: 'Health',
  alerts: 'Alerts',
  traffic: 'Traffic',
  metrics: 'Metrics',
  events: 'Events',
  resources: 'Resources',
  analytics: 'Analytics',
  quotas: 'Quotas',
  cleanup: 'Cleanup',
  replication: 'Replication',
  failover: 'Failover',
  tuning: 'Tuning',
};

/** Where one can go; each view has an address of its own. */
export function Views() {
  const count = firing.value.value?.firing ?? 0;
  return (
    <nav class="views" aria-label="Views">
      {views.map((view) => (
        <span key={view}>
          <Link href={addressOf({ view })} current={urlState.value.view === view} onFollow={() => openView({ view })}>
            {names[view]}
          </Link>
          {view === 'alerts' && count > 0 && (
            <span class="firing">
              {formatCount(count)}
              <span class="visually-hidden"> firing</span>
            </span>
          )}
        </span>
      ))}
    </nav>
  );
}
