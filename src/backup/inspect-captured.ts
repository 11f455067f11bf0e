import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OperationContext } from '../operations/index.ts';
import { isIdle, type Observation } from '../targets/index.ts';
import { type AuditedStores, decideAuditedStores } from './audited-stores.ts';
import type { Inspection, ProtectedTarget } from './backup-deps.ts';
import { isInspected } from './inspected-component.ts';
import type { PointSelection } from './selection.ts';
import type { CaptureResult } from './sources/source.ts';
import type { Staging } from './staging.ts';

const lastOf = new WeakMap<ProtectedTarget, { readonly key: string; readonly inspection: Inspection | undefined }>();

/**
 * What the inspector says of a captured workspace, and the audit of all its stores. The digest covers every byte, so an unchanged
 * one has the inspection that it had: reading all of it again was most of the work of an unchanged point.
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
): Promise<{ readonly inspection: Inspection | undefined; readonly audited: AuditedStores['homes'] }> {
  const { observation, captured, selection, staging } = facts;
  const workspace = captured.find(({ name }) => isInspected(name));
  // A point of one workspace holds that workspace's folder itself.
  const ofOne = selection.workspace !== undefined;
  const { homes, extracts } = decideAuditedStores(
    captured,
    observation,
    ofOne ? '' : (guarded.target.workspaces[0] ?? ''),
  );
  try {
    if (!workspace && Object.keys(extracts).length === 0) return { inspection: undefined, audited: homes };
    const idle = observation === undefined ? null : isIdle(observation);
    const digests = Object.entries(extracts).map(([store, { sha256 }]) => [store, sha256]);
    const key = JSON.stringify([
      workspace?.treeSha256 ?? null,
      selection.workspace ?? null,
      digests,
      idle,
      observation?.storageClasses ?? null,
    ]);
    const last = lastOf.get(guarded);
    if (last?.key === key) return { inspection: last.inspection, audited: homes };
    const inspection = await guarded.inspect(
      workspace ? staging.componentFolder(workspace.name) : noFolder(staging),
      context.signal,
      { workspace: ofOne ? '' : undefined, extracts },
    );
    lastOf.set(guarded, { key, inspection });
    return { inspection, audited: homes };
  } finally {
    await rm(staging.auditFolder, { recursive: true, force: true });
  }
}

/** Where nothing lies: without a captured folder all there is to look at are rows. */
const noFolder = (staging: Staging): string => join(staging.auditFolder, 'no-files');
