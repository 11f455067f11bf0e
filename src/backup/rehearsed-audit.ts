import { join } from 'node:path';
import { compareAudits, type StoreExtract, type StoreExtracts, type StoreName, storeFiles } from '../targets/index.ts';
import type { Inspection } from './backup-deps.ts';
import type { Manifest } from './manifest.ts';
import type { RehearsalRequest } from './rehearse-point.ts';

/** What the databases of a rehearsal hand to its audit. */
export type RehearsedAudit = {
  readonly extracts: StoreExtracts;
  /** Every store that was audited when the point was taken can be audited now. */
  readonly isWhole: boolean;
};

/** Each store comes from the component from which it came when the point was taken. */
export function auditedIn(manifest: Manifest, rehearsed: ReadonlyMap<string, StoreExtracts>): RehearsedAudit {
  const extracts: { [Store in StoreName]?: StoreExtract } = {};
  let isWhole = true;
  for (const store of Object.keys(storeFiles) as StoreName[]) {
    const home = manifest.content_stores?.[store] ?? 'workspace';
    if (home === 'workspace') continue;
    const extract = rehearsed.get(home)?.[store];
    if (extract) extracts[store] = extract;
    else isWhole = false;
  }
  return { extracts, isWhole };
}

/** The audit of a point without files: its differences, each with the component that says most of it. */
export async function auditDatabases(
  request: Pick<RehearsalRequest, 'inspect' | 'scratchDir' | 'phase'>,
  manifest: Manifest,
  rehearsed: ReadonlyMap<string, StoreExtracts>,
): Promise<{ readonly component: string; readonly problem: string }[]> {
  const audited = auditedIn(manifest, rehearsed);
  const [component] = rehearsed.keys();
  if (component === undefined || Object.keys(audited.extracts).length === 0) return [];
  await request.phase('inspecting');
  const inspection = await request.inspect(join(request.scratchDir, 'no-files'), {
    workspace: manifest.scope === 'workspace' ? '' : undefined,
    extracts: audited.extracts,
  });
  return differencesOf(manifest, inspection, audited).map((problem) => ({
    component,
    problem: `${component}: ${problem}`,
  }));
}

/**
 * What the inspector sees in what was restored and did not see when it was captured. The audit is compared number by number; what a
 * database that was not loaded would have told cannot differ. Of faults only new ones of the files themselves count: whether a
 * document may still be at work depends on the backend, not on the point.
 */
export function differencesOf(
  manifest: Manifest,
  inspection: Inspection | undefined,
  { isWhole }: Pick<RehearsedAudit, 'isWhole'>,
): string[] {
  if (!inspection) return [];
  const { content_audit: audit, content_faults: faults } = manifest;
  // Reasons stand behind the name of the component that they are of.
  const reasons = manifest.reasons.map((reason) => reason.slice(reason.indexOf(': ') + 2));
  const known = new Set([...reasons, ...(faults ?? []).map(({ message }) => message)]);
  const dimension = manifest.target.embedding_dimension;
  const canTell = (one: { readonly what: string; readonly found: number | null }): boolean =>
    isWhole || (one.what === 'documents' ? inspection.audit?.counts.doc_status !== undefined : one.found !== null);
  return [
    ...countProblems(manifest.counts ?? {}, inspection.counts),
    ...(audit && inspection.audit ? compareAudits(audit, inspection.audit) : [])
      .filter(({ what, name }) => what !== 'count' || manifest.counts?.[name] === undefined)
      .filter(canTell)
      .map(
        ({ what, name, expected, found }) =>
          `audit, ${what} ${name}: ${found ?? 'none'} instead of ${expected ?? 'none'}`,
      ),
    ...inspection.faults
      .filter(({ severity }) => severity === 'critical')
      .map(({ message }) => message)
      .filter((message) => !known.has(message)),
    ...(dimension !== null && inspection.embeddingDimension !== undefined && inspection.embeddingDimension !== dimension
      ? [`vectors have ${inspection.embeddingDimension} dimensions instead of ${dimension}`]
      : []),
  ];
}

/** Rows that the manifest counted and that are not there any more, or are too many. */
export function countProblems(
  expected: Readonly<Record<string, number>>,
  found: Readonly<Record<string, number>>,
): string[] {
  return Object.entries(expected).flatMap(([store, rows]) =>
    found[store] === rows ? [] : [`${store} has ${found[store] ?? 'no'} rows instead of ${rows}`],
  );
}
