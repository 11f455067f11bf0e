import type { Upstream } from '../gateway/index.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { queryFieldsOf, type Tuning } from '../tuning/index.ts';
import type { Fronting } from './fronting.ts';
import type { Ground } from './ground.ts';

/** A change on another instance is heard of after this long at most; one here at once. */
const lookMs = 10_000;

/**
 * Hands the gateway what users and workspaces set of what a query carries along, whenever that changed; undefined where the policy is
 * off, and then nobody looks.
 */
export function createOverrideJob(
  { config, clock, logOf }: Pick<Ground, 'config' | 'clock' | 'logOf'>,
  tuned: { readonly tuning: Pick<Tuning, 'setValues'>; onChanged(listener: () => void): void },
  fronting: Pick<Fronting, 'gateway' | 'state' | 'setOverrides'>,
): Reconciler | undefined {
  if (!config.gateway.queryOverrides || fronting.gateway === undefined) return undefined;
  let told: string | undefined;
  const job = createReconciler({
    name: 'query overrides',
    intervalMs: lookMs,
    clock,
    log: logOf('gateway'),
    async run() {
      const { byUser, byGraph } = queryFieldsOf(await tuned.tuning.setValues());
      const byUpstream = Object.fromEntries(
        fronting.state().upstreams.flatMap((one) => {
          const fields = { ...(isOwn(one, fronting) ? byGraph[one.targetId] : {}), ...byGraph[graphOf(one)] };
          return Object.keys(fields).length === 0 ? [] : [[one.id, fields]];
        }),
      );
      const text = JSON.stringify([byUser, byUpstream]);
      if (text === told) return;
      told = text;
      fronting.setOverrides({ byUser, byUpstream });
    },
  });
  tuned.onChanged(() => job.wake());
  return job;
}

const graphOf = ({ targetId, workspace }: Upstream): string => `${targetId}:${workspace}`;
/** The target's own endpoint comes first; its graph has the target's name too. */
const isOwn = (one: Upstream, fronting: Pick<Fronting, 'state'>): boolean =>
  fronting.state().upstreams.find(({ targetId }) => targetId === one.targetId)?.id === one.id;
