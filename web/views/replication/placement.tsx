import type { ReplicationStatus } from '../../api/replication-wire.ts';
import { plural } from '../../format.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Sentence } from '../../parts/text.tsx';
import type { Asked } from '../../state/asked.ts';

/** Whether the newest points lie in as many places and zones as the rule asks for, and what is missing. */
export function PlacementPanel({ asked }: { asked: Asked<ReplicationStatus> }) {
  return (
    <section class="panel" aria-labelledby="placement-title">
      <h2 id="placement-title">Where copies shall lie</h2>
      <Loaded asked={asked}>
        {({ placement }) =>
          placement.length === 0 ? (
            <p class="empty">
              No rule is set.{' '}
              <Sentence text="`replication.placement` in the settings file asks for copies, zones and one offline." />
            </p>
          ) : (
            placement.map((one) => (
              <div key={one.target} class="placement">
                <p>
                  <Word word={one.met ? 'passed' : 'failed'} text={one.met ? 'met' : 'not met'} />{' '}
                  <strong>{one.target}</strong>: {plural(one.copies, 'copy', 'copies')} in {plural(one.zones, 'zone')}
                  {one.offline ? ', one offline' : ''}
                </p>
                {one.missing.map((sentence) => (
                  <p key={sentence} class="trouble">
                    {sentence}
                  </p>
                ))}
              </div>
            ))
          )
        }
      </Loaded>
    </section>
  );
}
