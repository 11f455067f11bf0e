import { urlState } from '../../state/url.ts';
import { AuditPanel } from './audit.tsx';
import { CountsPanel } from './counts.tsx';
import { TimelinePanel, TogetherPanel } from './timeline.tsx';

/** What happened to what is watched and to ragwarden, what of it belongs together, and whether the record of who asked is whole. */
export function EventsView() {
  const { events } = urlState.value;
  return (
    <main class="panels">
      <div class="column">
        {events.correlation === '' ? (
          <TimelinePanel question={events} />
        ) : (
          <TogetherPanel correlation={events.correlation} />
        )}
      </div>
      <div class="column">
        <CountsPanel question={events} />
        <AuditPanel question={events} />
      </div>
    </main>
  );
}
