import { render } from 'preact';
import { Header } from './panels/header.tsx';
import { Stranger } from './panels/stranger.tsx';
import { Action } from './parts/text.tsx';
import { health, startPage } from './state/page-state.ts';
import { logOut, openSession, session } from './state/session.ts';
import { followLoginLinks, followUrl, urlState, type View } from './state/url.ts';
import { Alerts } from './views/alerts/alerts.tsx';
import { Analytics } from './views/analytics/analytics.tsx';
import { Cleanup } from './views/cleanup/cleanup.tsx';
import { EventsView } from './views/events/events-view.tsx';
import { FailoverView } from './views/failover/failover.tsx';
import { HealthView } from './views/health/health.tsx';
import { Explorer } from './views/metrics/explorer.tsx';
import { Overview } from './views/overview.tsx';
import { Quotas } from './views/quotas/quotas.tsx';
import { Replication } from './views/replication/replication.tsx';
import { Resources } from './views/resources/resources.tsx';
import { Traffic } from './views/traffic/traffic.tsx';
import { Tuning } from './views/tuning/tuning.tsx';

const rooms: Readonly<Record<View, () => preact.JSX.Element>> = {
  overview: Overview,
  health: HealthView,
  alerts: Alerts,
  traffic: Traffic,
  metrics: Explorer,
  events: EventsView,
  resources: Resources,
  quotas: Quotas,
  cleanup: Cleanup,
  replication: Replication,
  failover: FailoverView,
  analytics: Analytics,
  tuning: Tuning,
};

function Page() {
  const now = session.value;
  // The server's own words stay until it is known who is asking.
  if (now.state === 'unknown') return null;
  if (now.state === 'stranger') return <Stranger notice={now.notice} />;
  if (now.who.role !== 'admin')
    return (
      <main class="stranger">
        <h1>ragwarden</h1>
        <p>
          {now.who.subject} has the role {now.who.role}, which may not see this page.
        </p>
        <Action label="Log out" onPress={() => void logOut().catch(() => undefined)} />
      </main>
    );
  const Room = rooms[urlState.value.view];
  return (
    <div class={health.problem.value === undefined ? 'page' : 'page is-lost'}>
      <Header />
      <Room />
    </div>
  );
}

const root = document.getElementById('app');
if (root) {
  followUrl();
  followLoginLinks(window);
  startPage();
  void openSession().then(() => {
    root.replaceChildren();
    render(<Page />, root);
  });
}
