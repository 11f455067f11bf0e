import { render } from 'preact';
import { Drills } from './panels/drills.tsx';
import { Events } from './panels/events.tsx';
import { Header } from './panels/header.tsx';
import { Host } from './panels/host.tsx';
import { Recovery } from './panels/recovery.tsx';
import { Repository } from './panels/repository.tsx';
import { RestoreDialog } from './panels/restore.tsx';
import { Stranger } from './panels/stranger.tsx';
import { Targets } from './panels/target.tsx';
import { Action } from './parts/text.tsx';
import { health, startPage } from './state/page-state.ts';
import { logOut, openSession, session } from './state/session.ts';
import { followUrl } from './state/url.ts';

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
  return (
    <div class={health.problem.value === undefined ? 'page' : 'page is-lost'}>
      <Header />
      <main class="panels">
        <div class="column">
          <Targets />
          <Recovery />
          <Drills />
        </div>
        <div class="column">
          <Host />
          <Repository />
          <Events />
        </div>
      </main>
      <RestoreDialog />
    </div>
  );
}

const root = document.getElementById('app');
if (root) {
  followUrl();
  startPage();
  void openSession().then(() => {
    root.replaceChildren();
    render(<Page />, root);
  });
}
