import { Link } from '../parts/link.tsx';
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
  return (
    <nav class="views" aria-label="Views">
      {views.map((view) => (
        <Link
          key={view}
          href={addressOf({ view })}
          current={urlState.value.view === view}
          onFollow={() => openView({ view })}
        >
          {names[view]}
        </Link>
      ))}
    </nav>
  );
}
