import { Host } from '../../panels/host.tsx';
import { ChecksPanel } from './checks.tsx';
import { GraphsPanel } from './graphs.tsx';
import { ServicesPanel } from './services.tsx';

/** What is well and what is not, and why: every check, every graph, the machine, and what runs. */
export function HealthView() {
  return (
    <main class="panels">
      <div class="column">
        <ChecksPanel />
        <GraphsPanel />
      </div>
      <div class="column">
        <Host />
        <ServicesPanel />
      </div>
    </main>
  );
}
