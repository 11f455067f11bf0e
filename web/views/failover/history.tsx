import { useState } from 'preact/hooks';
import type { Failover } from '../../api/failover-wire.ts';
import { formatSeconds } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { Table } from '../../parts/table.tsx';
import { Action, Age } from '../../parts/text.tsx';
import { nowMs } from '../../state/page-state.ts';
import type { Paged } from '../../state/paged.ts';
import { Facts, Notes, Steps } from './procedure.tsx';
import { tookOf, wayOf } from './wording.ts';

/** Every failover and reseed, and how long each phase took. */
export function HistoryPanel({ asked }: { asked: Paged<Failover> }) {
  const [open, setOpen] = useState<string>();
  return (
    <section class="panel" aria-labelledby="failovers-title">
      <h2 id="failovers-title">History</h2>
      <Table
        name="Failovers and reseeds, newest first"
        rows={asked.value?.items}
        problem={asked.problem}
        more={asked.more}
        isCut={asked.isCut}
        keyOf={(one) => one.failover_id}
        empty="Nothing was failed over or reseeded yet."
        columns={[
          { title: 'Begun', cell: (one) => <Age at={one.created_at} /> },
          { title: 'What', cell: (one) => `${one.kind}${one.forced ? ', forced' : ''}` },
          { title: 'Way', cell: wayOf, look: () => 'is-short' },
          { title: 'State', cell: (one) => <Word word={one.state} /> },
          { title: 'Took', kind: 'figure', cell: (one) => tookOf(one, nowMs.value) },
          {
            title: 'Answered after',
            kind: 'figure',
            cell: (one) => (one.answered_after_seconds === null ? '–' : formatSeconds(one.answered_after_seconds)),
          },
          {
            title: 'Phases',
            kind: 'actions',
            cell: (one) => {
              const isOpen = open === one.failover_id;
              return (
                <Action
                  label={isOpen ? 'Close' : 'Phases'}
                  about={`${isOpen ? 'Close' : 'Phases'} of ${one.failover_id}`}
                  onPress={() => setOpen(isOpen ? undefined : one.failover_id)}
                />
              );
            },
          },
        ]}
        detail={(one) =>
          open === one.failover_id ? (
            <div class="point-detail">
              {one.outcome !== null && <p>{one.outcome}</p>}
              <Steps one={one} />
              <Facts one={one} />
              <p class="faint">
                <code>{one.failover_id}</code> · by {one.requested_by}
                {one.checkpoint_id !== null && ` · checkpoint ${one.checkpoint_id}`}
              </p>
              <Notes notes={one.notes} />
            </div>
          ) : null
        }
      />
    </section>
  );
}
