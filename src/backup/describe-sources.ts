import type { ProtectedTarget } from './backup-deps.ts';
import { wholeTarget } from './selection.ts';
import type { SourceDescription } from './sources/source.ts';
import { missingComponents } from './write-manifest.ts';

/** What would be in a point taken now, what each part of it is worth, and what would be missing from it. */
export type SourcesReport = {
  readonly sources: readonly (SourceDescription & {
    /** `swap`: folders are exchanged; `restorer`: by the way of its kind; `by-hand`: a restore leaves it alone. */
    readonly restoredBy: 'swap' | 'restorer' | 'by-hand';
  })[];
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
};

/** Asks the backend, and reads nothing of what it keeps. */
export async function describeSources(guarded: ProtectedTarget): Promise<SourcesReport> {
  const observation = await guarded.observe();
  const described = guarded.sources(observation, wholeTarget).map((source) => source.describe());
  return {
    sources: described.map((one) => ({
      ...one,
      restoredBy: one.kind === 'files' ? 'swap' : guarded.restorerOf(one.name) === undefined ? 'by-hand' : 'restorer',
    })),
    missing: missingComponents(guarded, described, observation, wholeTarget),
  };
}
