import { Drills } from '../panels/drills.tsx';
import { Events } from '../panels/events.tsx';
import { Host } from '../panels/host.tsx';
import { Recovery } from '../panels/recovery.tsx';
import { Repository } from '../panels/repository.tsx';
import { RestoreDialog } from '../panels/restore.tsx';
import { Targets } from '../panels/target.tsx';

/** Whether all is well, and what to do when it is not. */
export function Overview() {
  return (
    <>
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
    </>
  );
}
