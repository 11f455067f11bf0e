import type { OperationContext } from '../operations/index.ts';
import { isIdle, type Observation } from '../targets/index.ts';
import type { Inspection, ProtectedTarget } from './backup-deps.ts';
import type { PointSelection } from './selection.ts';
import type { CaptureResult } from './sources/source.ts';
import type { Staging } from './staging.ts';

const lastOf = new WeakMap<ProtectedTarget, { readonly key: string; readonly inspection: Inspection | undefined }>();

/**
 * What the inspector says of a captured workspace. Its digest covers every byte, so an unchanged one has the inspection that it had:
 * reading all of it again was most of the work of an unchanged point.
 */
export async function inspectCaptured(
  guarded: ProtectedTarget,
  facts: {
    readonly captured: readonly CaptureResult[];
    readonly staging: Staging;
    readonly selection: PointSelection;
    readonly observation: Observation | undefined;
  },
  context: Pick<OperationContext, 'signal'>,
): Promise<Inspection | undefined> {
  const workspace = facts.captured.find((one) => one.name === 'workspace');
  if (!workspace) return undefined;
  // A point of one workspace holds that workspace's folder itself.
  const options = { workspace: facts.selection.workspace === undefined ? undefined : '' };
  const { observation } = facts;
  const idle = observation === undefined ? null : isIdle(observation);
  const key = JSON.stringify([workspace.treeSha256, options, idle, observation?.storageClasses ?? null]);
  const last = lastOf.get(guarded);
  if (last?.key === key) return last.inspection;
  const inspection = await guarded.inspect(facts.staging.componentFolder(workspace.name), context.signal, options);
  lastOf.set(guarded, { key, inspection });
  return inspection;
}
