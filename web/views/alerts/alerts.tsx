import { useState } from 'preact/hooks';
import type { AlertRule } from '../../api/alert-wire.ts';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { ActivePanel } from './active.tsx';
import { DeliveriesPanel } from './deliveries.tsx';
import { FiredPanel } from './fired.tsx';
import { ReceiversPanel } from './receivers.tsx';
import { RulesPanel } from './rules.tsx';
import { SilencesPanel } from './silences.tsx';

/** What fires, what fired and why; what is held back, who is told, and whether that arrived. */
export function Alerts() {
  const rules = useFollowed<{ items: AlertRule[] }>('alert rules', {
    load: (on) => api.get('api/v1/metrics/alerts/rules', on),
    everyMs: () => 5_000,
  });
  /** Of an alert that somebody wants to silence; the form takes it up. */
  const [proposed, setProposed] = useState<{ matchers: string }>();
  return (
    <main class="panels alerts">
      <div class="column">
        <ActivePanel rules={rules.value?.items ?? []} onSilence={(matchers) => setProposed({ matchers })} />
        <RulesPanel asked={rules} />
        <FiredPanel />
      </div>
      <div class="column">
        <SilencesPanel proposed={proposed} />
        <ReceiversPanel />
        <DeliveriesPanel />
      </div>
    </main>
  );
}
