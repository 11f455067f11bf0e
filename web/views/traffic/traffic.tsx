import { urlState } from '../../state/url.ts';
import { CanaryPanel } from './canary.tsx';
import { DocumentsPanel } from './documents.tsx';
import { GatewayPanel } from './gateway.tsx';
import { RecentPanel } from './recent.tsx';
import { SummaryPanel } from './summary.tsx';

/** What people ask of the backend and of its models: how long it takes, what fails, what it costs, and what is stuck. */
export function Traffic() {
  const { traffic } = urlState.value;
  return (
    <main class="panels">
      <div class="column">
        <SummaryPanel traffic={traffic} />
        <RecentPanel traffic={traffic} />
      </div>
      <div class="column">
        <GatewayPanel />
        <DocumentsPanel />
        <CanaryPanel />
      </div>
    </main>
  );
}
